import {latestPoint} from './aws/cloudwatch.js'
import {sumOffsetLag} from './aws/group-lag.js'
import type {Mapping} from './aws/mapping.js'
import type {Access} from './aws/msk.js'
import {mappingMetric} from './esm-metrics.js'
import {withCluster, within} from './kafka/client.js'
import type {Cluster} from './kafka/cluster.js'
import {committedOf, lagsOf} from './kafka/groups/lag.js'
import {findGroup} from './kafka/groups.js'
import type {PartitionOffset} from './kafka/requests/offset-commit.js'
import type {KafkaTarget} from './kafka/target.js'

const KAFKA_MS = 5_000

type Places = {
  kafka: () => Promise<KafkaTarget>
  /** Undefined: there is no CloudWatch, as on the local stack. */
  access: Access | undefined
  /** Groups of mappings that are yet to be made: what is committed there already is the work of others, and no sign. */
  fresh: readonly string[]
  /** Told once of each place that cannot be asked, which is then not asked again. */
  onBlind(why: string): void
}

/**
 * Other signs than the last result that a mapping consumes: a member or an offset of its group, and a point of PolledEventCount.
 * Call it before mappings are made, and what it returns afterwards.
 */
export async function consumingSigns({kafka, access, fresh, onBlind}: Places) {
  const before = new Map<string, PartitionOffset[]>()
  const looks = untilItFails((mapping) => signOfGroup(kafka, mapping, before), onBlind)
  const points = untilItFails((mapping) => signOfMetrics(access, mapping), onBlind)
  const signs = async (mapping: Mapping): Promise<string | undefined> => (await looks.ask(mapping)) ?? (await points.ask(mapping))
  if (fresh.length > 0) {
    try {
      await briefly(kafka, async (cluster) => {
        for (const group of fresh) before.set(group, await committedOf(cluster, group))
      })
    } catch (error) {
      looks.giveUp(error)
    }
  }
  return signs
}

function untilItFails(ask: (mapping: Mapping) => Promise<string | undefined>, onBlind: (why: string) => void) {
  let failed = false
  const giveUp = (error: unknown): void => {
    failed = true
    onBlind((error as Error).message)
  }
  return {
    giveUp,
    async ask(mapping: Mapping): Promise<string | undefined> {
      if (failed) return undefined
      try {
        return await ask(mapping)
      } catch (error) {
        giveUp(error)
        return undefined
      }
    },
  }
}

/** From a laptop there is often no route to the brokers, which is no reason to wait for long. */
async function briefly<T>(kafka: () => Promise<KafkaTarget>, work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const target = await kafka()
  return within(2 * KAFKA_MS, withCluster({...target, timeoutMs: Math.min(target.timeoutMs, KAFKA_MS)}, work))
}

async function signOfMetrics(access: Access | undefined, {uuid, metrics}: Mapping): Promise<string | undefined> {
  if (!access || !metrics.includes('EventCount')) return undefined
  return (await latestPoint(access, mappingMetric(uuid, 'PolledEventCount', 'Sum')))
    ? 'a point of its metric PolledEventCount'
    : undefined
}

function signOfGroup(
  kafka: () => Promise<KafkaTarget>,
  {group, uuid, topic}: Mapping,
  before: ReadonlyMap<string, readonly PartitionOffset[]>,
): Promise<string | undefined> {
  const name = group ?? uuid
  const old = before.get(name) ?? []
  return briefly(kafka, async (cluster) => {
    const found = await findGroup(cluster, name)
    if (!found) return undefined
    if (found.members.length > 0) return 'a member of its group'
    const isNew = ({partition, offset}: PartitionOffset): boolean =>
      !old.some((one) => one.topic === topic && one.partition === partition && one.offset === offset)
    const committed = await committedOf(cluster, name)
    return committed.some((one) => one.topic === topic && isNew(one)) ? 'an offset of its group' : undefined
  })
}

export type Lag =
  | {records: number; source: 'brokers' | 'CloudWatch'; at: string}
  /** Why it is not known. */
  | {records: null; reason: string}

/** How far behind a mapping is: as the brokers say, else as CloudWatch said last. */
export async function lagOf(kafka: () => Promise<KafkaTarget>, access: Access | undefined, mapping: Mapping): Promise<Lag> {
  try {
    const records = await lagOfBrokers(kafka, mapping)
    if (records === null) return {records: null, reason: 'its group has committed nothing yet'}
    return {records, source: 'brokers', at: new Date().toISOString()}
  } catch (error) {
    const noRoute = (error as Error).message
    if (!access) return {records: null, reason: noRoute}
    return lagOfCloudWatch(access, mapping).catch((other: Error) => ({records: null, reason: `${noRoute}; ${other.message}`}))
  }
}

async function lagOfCloudWatch(access: Access, {eventSourceArn, topic, group, uuid}: Mapping): Promise<Lag> {
  const point = await latestPoint(access, sumOffsetLag(eventSourceArn.split('/')[1] ?? '', group ?? uuid, topic))
  return point
    ? {records: point.value, source: 'CloudWatch', at: point.at.toISOString()}
    : {records: null, reason: 'there is no route to the brokers, and CloudWatch has no lag of the last 15 minutes'}
}

const lagOfBrokers = (kafka: () => Promise<KafkaTarget>, {group, uuid, topic}: Mapping): Promise<number | null> =>
  briefly(kafka, async (cluster) => {
    const found = await findGroup(cluster, group ?? uuid)
    if (!found) return null
    const partitions = (await lagsOf(cluster, found)).filter((one) => one.topic === topic)
    return partitions.length === 0 ? null : partitions.reduce((sum, {lag}) => sum + Math.max(0, lag ?? 0), 0)
  })
