import {notAllowed} from './aws/iam.js'
import {functionFacts, type Lambda} from './aws/lambda.js'
import {findCluster} from './aws/msk.js'
import {isLocal} from './contexts/bootstrap.js'
import type {Target} from './contexts.js'
import {SkkError} from './errors.js'
import {each} from './esm/attach.js'
import {groupOf, type Wanted} from './esm/plan.js'
import {type Check, checkFunction, checkRecordSize, type Finding, needsOf, runChecks} from './esm/preflight.js'
import {withCluster, within} from './kafka/client.js'
import type {Cluster} from './kafka/cluster.js'
import {committedOf} from './kafka/groups/lag.js'
import type {KafkaTarget} from './kafka/target.js'
import {describeTopic} from './kafka/topics.js'

/** How long a look at the brokers may take: from a laptop there is often no route to them. */
const KAFKA_MS = 5_000

type Places = {lambda: Lambda; account: Target; kafka: () => Promise<KafkaTarget>}

/** What can be known before mappings are made, all at once; each check tells whether it could be made from here. */
export async function preflight(wanted: readonly Wanted[], {lambda, account, kafka}: Places): Promise<Check[]> {
  const functions = [...new Map(wanted.map((one) => [one.function, one])).values()]
  const facts = new Map(
    functions.map(({function: name}) => {
      const asked = functionFacts(lambda, name)
      asked.catch(() => {})
      return [name, asked]
    }),
  )
  const ofFunctions = functions.map(({function: name}): [string, () => Promise<Finding>] => [
    `function ${name}`,
    async () => checkFunction(name, await facts.get(name)),
  ])
  // The local stack grants its functions everything, and its network has no subnets.
  const ofAws: [string, () => Promise<Finding>][] = isLocal(account)
    ? []
    : [
        ...functions.map((one): [string, () => Promise<Finding>] => [
          `role of ${one.function}`,
          async () =>
            checkRole(
              account,
              (await facts.get(one.function))?.role,
              wanted.filter((other) => other.function === one.function),
            ),
        ]),
        ...(wanted.every(({settings}) => settings.pollers)
          ? []
          : [["way out of the cluster's subnets", async () => NO_LOOK_AT_SUBNETS] as [string, () => Promise<Finding>]]),
      ]
  const clusters = [...new Set(wanted.map(({eventSourceArn}) => eventSourceArn))]
  const ofClusters = clusters.map((arn): [string, () => Promise<Finding>] => [
    `cluster ${arn.split('/')[1]}`,
    () => checkCluster(account, arn),
  ])
  const [rest, brokers] = await Promise.all([
    runChecks(Object.fromEntries([...ofFunctions, ...ofAws, ...ofClusters])),
    // The brokers are those of the cluster that was chosen.
    checkBrokers(
      wanted.filter(({eventSourceArn}) => clusters.length === 1 || eventSourceArn === account.cluster),
      kafka,
    ),
  ])
  return [...rest, ...brokers]
}

const NO_LOOK_AT_SUBNETS: Finding = {
  status: 'unknown',
  detail: 'on-demand pollers need a NAT gateway, or endpoints for lambda and sts, in the subnets of the cluster',
}

async function checkRole(account: Target, role: string | undefined, wanted: readonly Wanted[]): Promise<Finding> {
  if (!role) return {status: 'unknown', detail: 'the role is not known'}
  const {region, credentials, timeoutMs} = account
  const needs = wanted.flatMap(needsOf)
  const missing = await notAllowed({region, credentials, timeoutMs, endpointUrl: undefined}, role, needs)
  if (missing.length === 0) return undefined
  const named = missing.slice(0, 6).map(({action, resource}) => `${action} on ${resource}`)
  return {status: 'failed', detail: `role "${role}" does not allow ${named.join(', ')}${missing.length > 6 ? ', and more' : ''}`}
}

async function checkCluster(account: Target, arn: string): Promise<Finding> {
  try {
    const {state} = await findCluster(account, arn)
    return state === 'ACTIVE' ? undefined : {status: 'failed', detail: `cluster "${arn}" is ${state}`}
  } catch (error) {
    if (!(error instanceof SkkError) || error.code !== 'CLUSTER_NOT_FOUND') throw error
    return {status: 'failed', detail: error.message}
  }
}

async function checkBrokers(wanted: readonly Wanted[], kafka: () => Promise<KafkaTarget>): Promise<Check[]> {
  if (wanted.length === 0) return []
  try {
    const target = await kafka()
    const looking = withCluster({...target, timeoutMs: Math.min(target.timeoutMs, KAFKA_MS)}, (cluster) =>
      each(wanted, (one) => checkTopicAndGroup(cluster, one), 4),
    )
    return (await within(2 * KAFKA_MS, looking)).flat()
  } catch (error) {
    return [{check: 'topics and groups', status: 'unknown', detail: (error as Error).message}]
  }
}

const TO_TOPIC = 'kafka://'

async function checkTopicAndGroup(cluster: Cluster, wanted: Wanted): Promise<Check[]> {
  const {topic, settings} = wanted
  const group = groupOf(wanted)
  const failed = settings.onFailure?.startsWith(TO_TOPIC) ? settings.onFailure.slice(TO_TOPIC.length) : undefined
  return runChecks({
    [`topic ${topic}`]: async () => {
      const found = await findTopic(cluster, topic)
      if (!found) return {status: 'failed', detail: `topic "${topic}" does not exist`, hint: createTopic(topic)}
      const limit = found.configs?.find(({name}) => name === 'max.message.bytes')?.value
      return checkRecordSize(topic, Number(limit ?? 0))
    },
    ...(failed !== undefined && {
      [`topic ${failed}`]: async (): Promise<Finding> =>
        (await findTopic(cluster, failed))
          ? undefined
          : {
              status: 'failed',
              detail: `topic "${failed}", the on-failure destination, does not exist`,
              hint: createTopic(failed),
            },
    }),
    [`group ${group}`]: async () => {
      const committed = await committedOf(cluster, group)
      if (!committed.some((one) => one.topic === topic)) return undefined
      return {
        status: 'warning',
        detail: `group "${group}" has offsets of topic "${topic}": it goes on there, and the starting position is ignored`,
      }
    },
  })
}

const createTopic = (topic: string): string => `Create it with \`skk topics create ${topic}\``

const findTopic = (cluster: Cluster, topic: string) =>
  describeTopic(cluster, topic).catch((error: unknown) => {
    if (error instanceof SkkError && error.code === 'TOPIC_NOT_FOUND') return undefined
    throw error
  })
