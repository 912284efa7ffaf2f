import {closeLambda, listMappings, openLambda} from './aws/lambda.js'
import type {Mapping} from './aws/mapping.js'
import {lambdaAccess} from './contexts/lambda-endpoint.js'
import type {Target} from './contexts.js'

/**
 * The mapping whose consumer group that is, for a better hint; undefined when there is none, and also when Lambda cannot be asked:
 * who may look at groups need not be allowed to.
 */
export async function mappingOfGroup(account: Target, group: string): Promise<Mapping | undefined> {
  try {
    const lambda = await openLambda(lambdaAccess(account, process.env))
    try {
      return (await listMappings(lambda)).find((mapping) => (mapping.group ?? mapping.uuid) === group)
    } finally {
      closeLambda(lambda)
    }
  } catch {
    return undefined
  }
}
