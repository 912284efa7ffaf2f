import {setTimeout as delay} from 'node:timers/promises'

import type {KafkaClient, Cluster as SdkCluster} from '@aws-sdk/client-kafka'

import {SkkError} from '../errors.js'
import {retry} from '../retry.js'
import type {Credentials} from './credentials.js'
import {type Attempt, explainAws, isAmbiguous, isThrottled} from './errors.js'

/** What a call to the MSK API needs. `endpointUrl` undefined is AWS's own for the region. */
export type Access = {
  region: string | undefined
  endpointUrl: string | undefined
  credentials: () => Promise<Credentials>
  timeoutMs: number
}

/** An MSK cluster, as `--json` shows it. */
export type Cluster = {
  name: string
  arn: string
  state: string
  type: string
  /** ISO 8601, UTC. */
  createdAt: string | null
  tags: Record<string, string>
  /** AWS's reason for a state such as FAILED. */
  stateReason?: string
  vpcConfigs?: {subnets: string[]; securityGroups: string[]}[]
}

export type NewCluster = {
  name: string
  subnets: readonly string[]
  securityGroups: readonly string[]
  tags: Record<string, string>
}

/** CreateClusterV2 has no client token: this tag is how a create whose answer was lost is recognised. */
export const REQUEST_ID_TAG = 'skk:request-id'

/** All clusters of the account in the region, by name. `prefix` filters on the server. Throws SkkError. */
export async function listClusters(access: Access, prefix?: string): Promise<Cluster[]> {
  const clusters: SdkCluster[] = []
  let nextToken: string | undefined
  do {
    const page = await call(access, {action: 'kafka:ListClustersV2'}, async (client, options) => {
      const {ListClustersV2Command} = await import('@aws-sdk/client-kafka')
      return client.send(
        new ListClustersV2Command({
          MaxResults: 100,
          ...(prefix && {ClusterNameFilter: prefix}),
          ...(nextToken && {NextToken: nextToken}),
        }),
        options,
      )
    })
    clusters.push(...(page.ClusterInfoList ?? []))
    nextToken = page.NextToken
  } while (nextToken)
  return clusters.map(clusterOf).sort((a, b) => a.name.localeCompare(b.name))
}

/** One cluster by ARN or by exact name. Throws SkkError: not found (3), denied, unavailable. */
export async function findCluster(access: Access, nameOrArn: string): Promise<Cluster> {
  const found = nameOrArn.startsWith('arn:') ? await describe(access, nameOrArn) : await findByName(access, nameOrArn)
  if (found) return found
  throw new SkkError(`cluster "${nameOrArn}" does not exist${access.region ? ` in ${access.region}` : ''}`, {
    code: 'CLUSTER_NOT_FOUND',
    exit: 'notFound',
    hint: 'Run `skk clusters list` to see the clusters there are.',
  })
}

/** Addresses of the brokers for IAM clients, separated by commas. Throws SkkError; unavailable (5) while the cluster is being created. */
export async function bootstrapBrokers(access: Access, arn: string): Promise<string> {
  const brokers = await call(access, {action: 'kafka:GetBootstrapBrokers', resource: arn}, async (client, options) => {
    const {GetBootstrapBrokersCommand} = await import('@aws-sdk/client-kafka')
    return client.send(new GetBootstrapBrokersCommand({ClusterArn: arn}), options)
  }).catch((error) => {
    if (!(error instanceof SkkError) || error.code !== 'CONFLICT') throw error
    throw new SkkError(`cluster "${arn}" has no brokers yet`, {
      code: 'CLUSTER_CREATING',
      exit: 'unavailable',
      hint: `Run \`skk clusters describe ${arn}\` to see how far it is.`,
      cause: error,
    })
  })
  const address = brokers.BootstrapBrokerStringSaslIam ?? brokers.BootstrapBrokerStringPublicSaslIam
  if (address) return address
  throw new SkkError(`cluster "${arn}" has no listener for IAM clients`, {
    code: 'NO_IAM_LISTENER',
    exit: 'conflict',
    hint: 'Turn on IAM access control for it, or pass `--bootstrap` and `--auth none`.',
  })
}

/**
 * Creates a Serverless cluster with IAM authentication. A create without an answer is looked up by its name and its request tag and
 * adopted, or sent again. Throws SkkError: conflict (6) when the name is taken, unknown outcome (10) when it cannot be found out.
 */
export async function createCluster(
  access: Access,
  cluster: NewCluster,
  {
    requestId,
    attempts = 3,
    sleep = delay as (ms: number) => Promise<unknown>,
  }: {requestId: string; attempts?: number; sleep?: (ms: number) => Promise<unknown>},
): Promise<Cluster> {
  const tags = {...cluster.tags, [REQUEST_ID_TAG]: requestId}
  let doubt: unknown
  for (let attempt = 1; attempt <= attempts; attempt++) {
    try {
      return await create(access, cluster, tags)
    } catch (error) {
      if (!isAmbiguous(error) && !(doubt && isConflict(error))) throw explained(error, cluster.name, access)
      doubt = error
    }
    const adopted = await findOwn(access, cluster.name, requestId, sleep)
    if (adopted) return adopted
  }
  throw new SkkError(`whether cluster "${cluster.name}" is being created is unknown: ${(doubt as Error).message}`, {
    code: 'OUTCOME_UNKNOWN',
    exit: 'unknownOutcome',
    hint: `Run \`skk clusters list\` in a minute; a cluster named "${cluster.name}" with the tag "${REQUEST_ID_TAG}" "${requestId}" is yours.`,
    cause: doubt,
  })
}

/** Asks AWS to delete the cluster; it is gone some minutes later. Throws SkkError. */
export async function deleteCluster(access: Access, arn: string): Promise<void> {
  await call(access, {action: 'kafka:DeleteCluster', resource: arn}, async (client, options) => {
    const {DeleteClusterCommand} = await import('@aws-sdk/client-kafka')
    return client.send(new DeleteClusterCommand({ClusterArn: arn}), options)
  })
}

export type Wait = {
  /** Epoch milliseconds after which the wait gives up. */
  deadline: number
  pollMs: number
  onPoll?: (cluster: Cluster) => void
  sleep?: (ms: number) => Promise<unknown>
}

/** Waits until the cluster is ACTIVE. Throws SkkError: pending (8) at the deadline, conflict (6) when AWS gave up on it. */
export async function waitUntilActive(access: Access, arn: string, wait: Wait): Promise<Cluster> {
  const cluster = await poll(access, arn, wait, ({state}) => state !== 'CREATING')
  if (cluster?.state === 'ACTIVE') return cluster
  throw new SkkError(`cluster "${arn}" is ${cluster?.state ?? 'gone'}${cluster?.stateReason ? `: ${cluster.stateReason}` : ''}`, {
    code: 'CLUSTER_FAILED',
    exit: 'conflict',
    hint: `Run \`skk clusters delete ${arn}\` to remove what is left of it.`,
  })
}

/** Waits until AWS no longer knows the cluster. Throws SkkError: pending (8) at the deadline. */
export async function waitUntilGone(access: Access, arn: string, wait: Wait): Promise<void> {
  await poll(access, arn, wait, () => false)
}

async function poll(
  access: Access,
  arn: string,
  wait: Wait,
  isDone: (cluster: Cluster) => boolean,
): Promise<Cluster | undefined> {
  const {deadline, pollMs, onPoll, sleep = delay as (ms: number) => Promise<unknown>} = wait
  for (;;) {
    const cluster = await describe(access, arn)
    if (!cluster || isDone(cluster)) return cluster
    onPoll?.(cluster)
    const left = deadline - Date.now()
    if (left <= 0) {
      throw new SkkError(`cluster "${arn}" is still ${cluster.state}`, {
        code: 'PENDING',
        exit: 'pending',
        retryable: true,
        hint: `It goes on without skk; run \`skk clusters describe ${arn}\` to see how far it is.`,
      })
    }
    // Jitter, so that many waiting jobs do not ask in step.
    await sleep(Math.min(left, pollMs * (0.9 + 0.2 * Math.random())))
  }
}

async function create(
  access: Access,
  {name, subnets, securityGroups}: NewCluster,
  tags: Record<string, string>,
): Promise<Cluster> {
  const send = async (client: KafkaClient, options: {abortSignal: AbortSignal}) => {
    const {CreateClusterV2Command} = await import('@aws-sdk/client-kafka')
    const Serverless = {
      VpcConfigs: [{SubnetIds: [...subnets], SecurityGroupIds: [...securityGroups]}],
      ClientAuthentication: {Sasl: {Iam: {Enabled: true}}},
    }
    return client.send(new CreateClusterV2Command({ClusterName: name, Tags: tags, Serverless}), options)
  }
  // One attempt each: the SDK would answer its own lost create with a conflict.
  const made = await retry(() => sendOnce(access, send, 1), isThrottled)
  return {
    name,
    arn: made.ClusterArn!,
    state: made.State ?? 'CREATING',
    type: made.ClusterType ?? 'SERVERLESS',
    createdAt: null,
    tags,
  }
}

/** MSK's lists lag behind its creates: asked three times before it counts as absent. */
async function findOwn(
  access: Access,
  name: string,
  requestId: string,
  sleep: (ms: number) => Promise<unknown>,
): Promise<Cluster | undefined> {
  for (let look = 0; look < 3; look++) {
    const found = await findByName(access, name)
    if (found && found.tags[REQUEST_ID_TAG] !== requestId) throw taken(name, found.arn)
    if (found && ['CREATING', 'ACTIVE'].includes(found.state)) return found
    await sleep(1_000)
  }
  return undefined
}

async function describe(access: Access, arn: string): Promise<Cluster | undefined> {
  try {
    const {ClusterInfo} = await call(access, {action: 'kafka:DescribeClusterV2', resource: arn}, async (client, options) => {
      const {DescribeClusterV2Command} = await import('@aws-sdk/client-kafka')
      return client.send(new DescribeClusterV2Command({ClusterArn: arn}), options)
    })
    return ClusterInfo && clusterOf(ClusterInfo)
  } catch (error) {
    if (error instanceof SkkError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}

/** The cluster of exactly that name, if there is one. MSK's own filter is a prefix. Throws SkkError. */
export const findByName = async (access: Access, name: string): Promise<Cluster | undefined> =>
  (await listClusters(access, name)).find((cluster) => cluster.name === name)

function clusterOf(info: SdkCluster): Cluster {
  const {ClusterName = '', ClusterArn = '', State = '', ClusterType = '', CreationTime, Tags = {}, StateInfo, Serverless} = info
  const reason = [StateInfo?.Code, StateInfo?.Message].filter(Boolean).join(': ')
  return {
    name: ClusterName,
    arn: ClusterArn,
    state: State,
    type: ClusterType,
    createdAt: CreationTime?.toISOString() ?? null,
    tags: Tags,
    ...(reason && {stateReason: reason}),
    ...(Serverless?.VpcConfigs && {
      vpcConfigs: Serverless.VpcConfigs.map(({SubnetIds = [], SecurityGroupIds = []}) => ({
        subnets: SubnetIds,
        securityGroups: SecurityGroupIds,
      })),
    }),
  }
}

type Send<T> = (client: KafkaClient, options: {abortSignal: AbortSignal}) => Promise<T>

async function call<T>(access: Access, attempt: Omit<Attempt, 'endpoint'>, send: Send<T>): Promise<T> {
  try {
    return await sendOnce(access, send)
  } catch (error) {
    throw explainAws(error, {...attempt, endpoint: endpointOf(access)})
  }
}

/** One operation with a client of its own, within the access's timeout; the SDK's errors come out as they are. */
async function sendOnce<T>(access: Access, send: Send<T>, maxAttempts = 3): Promise<T> {
  const {KafkaClient} = await import('@aws-sdk/client-kafka')
  const client = new KafkaClient({
    region: requireRegion(access),
    credentials: access.credentials,
    maxAttempts,
    ...(access.endpointUrl && {endpoint: access.endpointUrl}),
    // Three attempts to connect fit into the timeout, so that the layer which failed is still known at its end.
    requestHandler: {connectionTimeout: Math.ceil(access.timeoutMs / 4)},
  })
  try {
    return await send(client, {abortSignal: AbortSignal.timeout(access.timeoutMs)})
  } finally {
    client.destroy()
  }
}

function requireRegion({region}: Access): string {
  if (region) return region
  throw new SkkError('no region chosen', {
    code: 'REGION_MISSING',
    exit: 'usage',
    hint: 'Pass `--region` or set AWS_REGION; for a cluster of the local stack pass `--context local`.',
  })
}

const endpointOf = ({endpointUrl, region}: Access): string =>
  endpointUrl ? new URL(endpointUrl).host : `kafka.${region}.amazonaws.com`

const isConflict = (error: unknown): boolean =>
  (error as {$metadata?: {httpStatusCode?: number}}).$metadata?.httpStatusCode === 409

const explained = (error: unknown, name: string, access: Access): unknown =>
  isConflict(error)
    ? taken(name)
    : explainAws(error, {action: 'kafka:CreateClusterV2', resource: name, endpoint: endpointOf(access)})

const taken = (name: string, arn?: string): SkkError =>
  new SkkError(`cluster "${name}" exists already${arn ? ` as "${arn}"` : ''}`, {
    code: 'CLUSTER_EXISTS',
    exit: 'conflict',
    hint: `Choose another name, or pass \`--if-not-exists\` to take the one there is.`,
  })
