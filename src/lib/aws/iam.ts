import type {Access} from './msk.js'

type Need = {action: string; resource: string}

/**
 * What of `needs` the role's own policies do not allow; empty when all is. `access.endpointUrl` is IAM's, so leave that of another
 * service out. Throws what the SDK throws: a caller without iam:SimulatePrincipalPolicy cannot know.
 */
export async function notAllowed(access: Access, roleArn: string, needs: readonly Need[]): Promise<Need[]> {
  const {IAMClient, SimulatePrincipalPolicyCommand} = await import('@aws-sdk/client-iam')
  const client = new IAMClient({
    ...(access.region && {region: access.region}),
    credentials: access.credentials,
    ...(access.endpointUrl && {endpoint: access.endpointUrl}),
  })
  const resources = [...new Set(needs.map(({resource}) => resource))]
  try {
    const denied = await Promise.all(
      resources.map(async (resource) => {
        const ActionNames = needs.filter((need) => need.resource === resource).map(({action}) => action)
        const {EvaluationResults = []} = await client.send(
          new SimulatePrincipalPolicyCommand({PolicySourceArn: roleArn, ActionNames, ResourceArns: [resource]}),
          {abortSignal: AbortSignal.timeout(access.timeoutMs)},
        )
        return EvaluationResults.filter(({EvalDecision}) => EvalDecision !== 'allowed').map(({EvalActionName = ''}) => ({
          action: EvalActionName,
          resource,
        }))
      }),
    )
    return denied.flat()
  } finally {
    client.destroy()
  }
}
