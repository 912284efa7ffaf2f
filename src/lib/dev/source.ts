import {type Broker, dropConnections} from '../kafka/broker.js'
import {BrokerError} from '../kafka/broker-error.js'
import {within} from '../kafka/client.js'
import {type Cluster, leadersOf} from '../kafka/cluster.js'
import {decodeBatches} from '../kafka/consume/decode.js'
import {type FetchAnswer, fetch} from '../kafka/requests/fetch.js'
import {EARLIEST} from '../kafka/requests/list-offsets.js'
import {offsetsAt} from '../kafka/topics.js'
import type {SourceRecord} from '../lambda/event.js'
import type {RecordSource} from '../lambda/poller.js'
import {readBatchHeader, timestampType} from '../records/batch.js'

const MAX_BYTES = 8 * 1024 * 1024
const OFFSET_OUT_OF_RANGE = 1

type Fetched = Awaited<ReturnType<RecordSource['fetch']>>
type Question = {
  partition: number
  offset: number
  maxBytes: number
  waitMs: number
  resolve(fetched: Fetched): void
  reject(error: unknown): void
}
type Source = {cluster: Cluster; topic: string; timeoutMs: number; open: Map<number, Question>; busy: Set<number>}

/**
 * The records of a topic for a poller, over connections of the cluster: one request under way per leader, which asks for all
 * partitions that wait at that moment, because a connection answers in order. Joins no group. Records of aborted transactions are
 * left out. Where retention took what was asked for, it goes on with what is left.
 */
export function kafkaSource(cluster: Cluster, topic: string, {timeoutMs}: {timeoutMs: number}): RecordSource {
  const source: Source = {cluster, topic, timeoutMs, open: new Map(), busy: new Set()}
  return {
    fetch: (partition, offset, {maxBytes, waitMs}) =>
      new Promise((resolve, reject) => {
        source.open.set(partition, {partition, offset, maxBytes, waitMs, resolve, reject})
        // Partitions that were answered together ask again together.
        setImmediate(() => askLeaders(source))
      }),
  }
}

function askLeaders(source: Source): void {
  const {cluster, topic, open, busy} = source
  const leaders = leadersOf(cluster, topic)
  const byLeader = new Map<number, Question[]>()
  for (const question of open.values()) {
    const leader = leaders.get(question.partition) ?? -1
    if (!busy.has(leader)) byLeader.set(leader, [...(byLeader.get(leader) ?? []), question])
  }
  for (const [leader, questions] of byLeader) {
    busy.add(leader)
    for (const {partition} of questions) open.delete(partition)
    void ask(leader, questions, source).finally(() => {
      busy.delete(leader)
      if (open.size > 0) askLeaders(source)
    })
  }
}

/** Answers or rejects every question; never rejects itself. */
async function ask(leader: number, questions: readonly Question[], source: Source): Promise<void> {
  let broker: Broker | undefined
  try {
    broker = await source.cluster.findBroker({nodeId: leader})
    const {maxBytes, waitMs} = questions[0]!
    const limits = {maxWaitMs: waitMs, minBytes: 1, maxBytes: MAX_BYTES, partitionMaxBytes: maxBytes, readCommitted: true}
    const answers = await within(waitMs + source.timeoutMs, fetch(broker, source.topic, questions, limits))
    for (const question of questions) {
      const answer = answers.find(({partition}) => partition === question.partition)
      if (!answer) question.resolve({records: [], nextOffset: question.offset})
      else await take(answer, question, source).then(question.resolve, question.reject)
    }
    if (answers.some(({errorCode}) => errorCode !== 0)) await source.cluster.refreshMetadata().catch(() => {})
  } catch (error) {
    if (broker) dropConnections(broker)
    await reconnect(source.cluster)
    for (const question of questions) question.reject(error)
  }
}

async function reconnect(cluster: Cluster): Promise<void> {
  try {
    if (!cluster.isConnected()) await cluster.connect()
    await cluster.refreshMetadata()
  } catch {
    // The next question finds out.
  }
}

async function take(answer: FetchAnswer, {partition, offset}: Question, source: Source): Promise<Fetched> {
  if (answer.errorCode === OFFSET_OUT_OF_RANGE) {
    const nextOffset = await firstLeft(partition, source)
    if (nextOffset > offset) return {records: [], nextOffset}
  }
  if (answer.errorCode !== 0) throw new BrokerError(answer.errorCode, {api: 'Fetch', topic: source.topic, partition})
  const records: SourceRecord[] = []
  let nextOffset = offset
  let at = 0
  for await (const batch of decodeBatches(answer)) {
    const header = readBatchHeader(answer.records, at)
    at += header.sizeInBytes
    const type = timestampType(header) === 'CreateTime' ? 'CREATE_TIME' : 'LOG_APPEND_TIME'
    for (const record of batch.records) records.push({...record, partition, timestampType: type})
    nextOffset = Math.max(nextOffset, batch.nextOffset)
  }
  return {records: records.filter((record) => record.offset >= offset), nextOffset}
}

async function firstLeft(partition: number, {cluster, topic}: Source): Promise<number> {
  const metadata = cluster.findTopicPartitionMetadata(topic).map(({partitionId, leader}) => ({partition: partitionId, leader}))
  const asked = metadata.filter((found) => found.partition === partition)
  return (await offsetsAt(cluster, topic, asked, EARLIEST)).get(partition) ?? 0
}
