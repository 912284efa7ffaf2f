import type {IAMClient} from '@aws-sdk/client-iam'

import {SkkError} from '../errors.js'
import {explainAws} from './errors.js'
import type {Access} from './msk.js'

/** What a function's role is for. `clusterArn` undefined: it reads no topic. `vpc`: it runs in one. */
export type RoleNeeds = {
  functionName: string
  clusterArn: string | undefined
  topics: readonly string[]
  /** Of its mappings; FUNCTION.TOPIC when left out. */
  groups?: readonly string[]
  vpc: boolean
}

type Statement = {Effect: 'Allow'; Action: string[]; Resource: string | string[]}

/** Whose role it is: a role of that name without this tag is somebody else's. */
const TAG = 'skk:function'
const POLICY = 'skk'
const NAME_LENGTH = 64

const TRUST = {
  Version: '2012-10-17',
  Statement: [{Effect: 'Allow', Principal: {Service: 'lambda.amazonaws.com'}, Action: 'sts:AssumeRole'}],
}

/**
 * The least that a function of that name needs: its own log; and for mappings of these topics what their pollers do in its name, in
 * their groups. docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html and
 * …/msk/latest/developerguide/iam-access-control.html, as of 2026-11-20.
 */
export function rolePolicy(roleArn: string, region: string, {functionName, clusterArn, topics, groups, vpc}: RoleNeeds) {
  const [, partition, , , account] = roleArn.split(':')
  const log = `arn:${partition}:logs:${region}:${account}:log-group:/aws/lambda/${functionName}`
  const own = [allow(['logs:CreateLogGroup'], log), allow(['logs:CreateLogStream', 'logs:PutLogEvents'], `${log}:*`)]
  const named = groups ?? topics.map((topic) => `${functionName}.${topic}`)
  const reads = clusterArn === undefined || topics.length === 0 ? [] : readStatements(clusterArn, topics, named)
  // Interfaces of the pollers, or of the function itself, whose ARNs nobody knows before.
  const network = vpc || reads.length > 0 ? [allow(NETWORK, '*')] : []
  return {Version: '2012-10-17', Statement: [...own, ...reads, ...network]}
}

const NETWORK = [
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeVpcs',
  'ec2:DescribeSubnets',
  'ec2:DescribeSecurityGroups',
]

function readStatements(clusterArn: string, topics: readonly string[], groups: readonly string[]): Statement[] {
  const inside = (kind: string, name: string) => `${clusterArn.replace(':cluster/', `:${kind}/`)}/${name}`
  return [
    allow(
      ['kafka-cluster:Connect', 'kafka-cluster:DescribeCluster', 'kafka-cluster:DescribeClusterDynamicConfiguration'],
      clusterArn,
    ),
    allow(
      ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'],
      topics.map((topic) => inside('topic', topic)),
    ),
    allow(
      ['kafka-cluster:DescribeGroup', 'kafka-cluster:AlterGroup'],
      groups.map((group) => inside('group', group)),
    ),
    allow(['kafka:DescribeCluster', 'kafka:DescribeClusterV2', 'kafka:GetBootstrapBrokers'], clusterArn),
  ]
}

const allow = (Action: string[], Resource: string | string[]): Statement => ({Effect: 'Allow', Action, Resource})

export const roleName = (functionName: string): string => `skk-${functionName}`

/**
 * ARN of the role `skk-FUNCTION`, made when it is not there, with exactly the policy above; without topics, one that is there keeps its. `access.endpointUrl` is not used.
 * Throws SkkError: conflict when a role of that name is not this function's, usage when its name would be too long, denied.
 */
export async function ensureRole(access: Access, needs: RoleNeeds): Promise<string> {
  const {region} = access
  const name = roleName(needs.functionName)
  if (name.length > NAME_LENGTH) {
    throw new SkkError(`the role of "${needs.functionName}" would have a name of more than ${NAME_LENGTH} letters`, {
      code: 'ROLE_NAME',
      exit: 'usage',
      hint: 'Make a role yourself, and pass its ARN with `--role`.',
    })
  }
  const {IAMClient, PutRolePolicyCommand} = await import('@aws-sdk/client-iam')
  const client = new IAMClient({
    credentials: access.credentials,
    ...(region && {region}),
    requestHandler: {connectionTimeout: Math.ceil(access.timeoutMs / 2)},
  })
  try {
    const made = await createRole(client, name, needs.functionName)
    const arn = made ?? (await ownRole(client, name, needs.functionName))
    if (!made && needs.topics.length === 0 && (await hasPolicy(client, name))) return arn
    const PolicyDocument = JSON.stringify(rolePolicy(arn, region ?? '', needs))
    await client.send(new PutRolePolicyCommand({RoleName: name, PolicyName: POLICY, PolicyDocument}))
    return arn
  } catch (error) {
    throw explainAws(error, {action: 'iam:CreateRole', resource: name, endpoint: 'iam.amazonaws.com'})
  } finally {
    client.destroy()
  }
}

/** One that was made but got no policy, because the run ended in between, has none. */
async function hasPolicy(client: IAMClient, RoleName: string): Promise<boolean> {
  const {GetRolePolicyCommand} = await import('@aws-sdk/client-iam')
  try {
    await client.send(new GetRolePolicyCommand({RoleName, PolicyName: POLICY}))
    return true
  } catch (error) {
    if ((error as Error).name === 'NoSuchEntityException') return false
    throw error
  }
}

/** Undefined when a role of that name exists. */
async function createRole(client: IAMClient, RoleName: string, functionName: string): Promise<string | undefined> {
  const {CreateRoleCommand} = await import('@aws-sdk/client-iam')
  const input = {
    RoleName,
    AssumeRolePolicyDocument: JSON.stringify(TRUST),
    Description: `Lambda function ${functionName}, made by skk`,
    Tags: [{Key: TAG, Value: functionName}],
  }
  try {
    return (await client.send(new CreateRoleCommand(input))).Role?.Arn
  } catch (error) {
    if ((error as Error).name === 'EntityAlreadyExistsException') return undefined
    throw error
  }
}

async function ownRole(client: IAMClient, RoleName: string, functionName: string): Promise<string> {
  const {GetRoleCommand} = await import('@aws-sdk/client-iam')
  const {Role} = await client.send(new GetRoleCommand({RoleName}))
  if (Role?.Arn && Role.Tags?.some(({Key, Value}) => Key === TAG && Value === functionName)) return Role.Arn
  throw new SkkError(`role "${RoleName}" exists and was not made for function "${functionName}"`, {
    code: 'ROLE_TAKEN',
    exit: 'conflict',
    hint: 'Pass the ARN of the role to use with `--role`.',
  })
}
