import type {Broker} from '../broker.js'
import {BrokerError} from '../broker-error.js'
import {anyBroker, type Cluster} from '../cluster.js'
import {decodeBatches} from '../consume/decode.js'
import type {Group} from '../groups.js'
import {fetch} from '../requests/fetch.js'
import {EARLIEST, LATEST} from '../requests/list-offsets.js'
import {metadata, type TopicMetadata} from '../requests/metadata.js'
import type {PartitionOffset} from '../requests/offset-commit.js'
import {fetchAllCommitted} from '../requests/offset-fetch.js'
import {offsetsAt} from '../topics.js'
import {atCoordinator, brokerWithId} from './coordinator.js'

export type PartitionLag = {
  topic: string
  partition: number
  /** The next record that the group wants; null: it has not committed here. */
  committedOffset: number | null
  /** First offset that can still be read, and the next to be written; null without a topic or leader to ask. */
  earliestOffset: number | null
  endOffset: number | null
  /** Records to go. Without a commit all that the partition holds; below 0 when the topic was made anew and is shorter. */
  lag: number | null
  /** How old the next record is; 0 without lag, null when it cannot be read. */
  lagMs: number | null
  /** Who reads it at the moment. */
  memberId: string | null
}

type Bounds = {earliest: number; end: number}

const TOPIC_AUTHORIZATION_FAILED = 29
const OFFSET_OUT_OF_RANGE = 1
/** Markers and gaps of compaction that are stepped over in search of a record. */
const MAX_FETCHES = 20

/** What the group has committed, in all topics that may be seen. Throws BrokerError, as all functions here do. */
export const committedOf = (cluster: Cluster, group: string): Promise<PartitionOffset[]> =>
  atCoordinator(cluster, group, (coordinator) => fetchAllCommitted(coordinator, group))

/** Records between a committed offset and the end; without a commit all that the partition holds. */
export const lagFrom = (committed: number | null, {earliest, end}: Bounds): number => end - (committed ?? earliest)

/**
 * Every partition of the topics that the group has committed in or is assigned. Lag in time is the age of the record at the
 * committed offset, for which one batch of each lagging partition is fetched (kafka-cluster:ReadData).
 */
export async function lagsOf(cluster: Cluster, group: Group, now = Date.now): Promise<PartitionLag[]> {
  const committed = await committedOf(cluster, group.name)
  const names = new Set([...committed.map(({topic}) => topic), ...assignedTo(group).map(({topic}) => topic)])
  if (names.size === 0) return []
  const {topics} = await metadata(await anyBroker(cluster), [...names])
  const lags = await Promise.all(topics.map((topic) => lagsOfTopic(cluster, group, topic, committed, now)))
  return lags.flat().sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
}

const assignedTo = ({members}: Group): {topic: string; partition: number; memberId: string}[] =>
  members.flatMap(({memberId, assignments}) =>
    (assignments ?? []).flatMap(({topic, partitions}) => partitions.map((partition) => ({topic, partition, memberId}))),
  )

async function lagsOfTopic(
  cluster: Cluster,
  group: Group,
  {name, partitions}: TopicMetadata,
  committed: readonly PartitionOffset[],
  now: () => number,
): Promise<PartitionLag[]> {
  const own = committed.filter(({topic}) => topic === name)
  const assigned = assignedTo(group).filter(({topic}) => topic === name)
  const led = partitions.filter(({leader}) => leader >= 0)
  const [earliest, latest] = await Promise.all([offsetsAt(cluster, name, led, EARLIEST), offsetsAt(cluster, name, led, LATEST)])
  const known = new Set([...partitions, ...own].map(({partition}) => partition))
  const rows = [...known].map((partition): PartitionLag & {leader: number} => {
    const committedOffset = own.find((commit) => commit.partition === partition)?.offset ?? null
    const [start, end] = [earliest.get(partition), latest.get(partition)]
    const isKnown = start !== undefined && end !== undefined
    const lag = isKnown ? lagFrom(committedOffset, {earliest: start, end}) : null
    return {
      topic: name,
      partition,
      committedOffset,
      earliestOffset: start ?? null,
      endOffset: end ?? null,
      lag,
      lagMs: lag === 0 ? 0 : null,
      memberId: assigned.find((each) => each.partition === partition)?.memberId ?? null,
      leader: led.find((each) => each.partition === partition)?.leader ?? -1,
    }
  })
  return withTimes(cluster, rows, now)
}

/** One fetch at a time and leader: each answers a whole batch. */
async function withTimes(
  cluster: Cluster,
  rows: readonly (PartitionLag & {leader: number})[],
  now: () => number,
): Promise<PartitionLag[]> {
  const leaders = [...new Set(rows.map(({leader}) => leader))]
  const timed = await Promise.all(
    leaders.map(async (leader) => {
      const broker = leader < 0 ? null : await brokerWithId(cluster, leader)
      const done: PartitionLag[] = []
      for (const {leader: own, ...row} of rows) {
        if (own !== leader) continue
        const {topic, partition, committedOffset, earliestOffset, endOffset, lag} = row
        if (!broker || lag === null || lag <= 0) {
          done.push(row)
          continue
        }
        const from = Math.max(committedOffset ?? 0, earliestOffset!)
        const timestamp = await timestampAt(broker, {topic, partition, offset: from}, endOffset!)
        done.push({...row, lagMs: timestamp === null ? null : Math.max(0, now() - timestamp)})
      }
      return done
    }),
  )
  return timed.flat()
}

/** Epoch ms of the first record from `offset` on and before `end`; null when there is none or it may not be read. */
async function timestampAt(leader: Broker, {topic, partition, offset}: PartitionOffset, end: number): Promise<number | null> {
  let position = offset
  for (let fetches = 0; fetches < MAX_FETCHES && position < end; fetches++) {
    // A limit below any batch: the broker answers the first one, whole (KIP-74).
    const limits = {maxWaitMs: 0, minBytes: 0, maxBytes: 1, partitionMaxBytes: 1, readCommitted: false}
    const [answer] = await fetch(leader, topic, [{partition, offset: position}], limits)
    if (!answer || [TOPIC_AUTHORIZATION_FAILED, OFFSET_OUT_OF_RANGE].includes(answer.errorCode)) return null
    if (answer.errorCode !== 0) throw new BrokerError(answer.errorCode, {api: 'Fetch', topic, partition})
    const before = position
    for await (const {records, nextOffset} of decodeBatches(answer)) {
      const record = records.find((each) => each.offset >= before)
      if (record) return record.timestamp
      position = nextOffset
    }
    if (position <= before) return null
  }
  return null
}

/** A lag at a moment (epoch ms). */
export type LagSample = {at: number; lag: number}

/** Milliseconds until the lag is gone if it goes on as between the two samples; null while it does not shrink. */
export function timeToClear(first: LagSample, last: LagSample): number | null {
  if (last.lag <= 0) return 0
  const rate = (first.lag - last.lag) / (last.at - first.at)
  return rate > 0 ? Math.round(last.lag / rate) : null
}
