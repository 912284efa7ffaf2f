import {QUOTAS} from '../../../limits.js'
import type {Topic} from '../broker.js'
import type {PartitionLog} from '../log.js'
import type {FetchRequest, FetchResponse} from '../messages.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'

type Asked = {topic: Topic | undefined; denied: boolean; partition: FetchRequest['topics'][number]['partitions'][number]}
type PartitionData = FetchResponse['responses'][number]['partitions'][number]

/**
 * Fetch v4-17: whole record batches from an offset, waiting for `minBytes` or `maxWaitMs`.
 *
 * - v5: log start offset
 * - v7: fetch sessions (KIP-227); answered with session 0 like a broker whose cache is full, so clients send full requests
 * - v9: leader epochs
 * - v12: flexible, diverging epochs
 * - v13: topic ids instead of names
 *
 * The first partition with data gets one batch whatever its size, so that a consumer always progresses.
 */
export const fetch: Api<FetchRequest, FetchResponse> = {
  key: 1,
  versions: [4, 17],
  async handle(request, call) {
    // A quota of MSK Serverless. The defaults of clients (Java and librdkafka 50 MB, kafkajs 10 MB) are below it.
    if (call.broker.serverless && request.maxBytes > QUOTAS.fetchBytes) return {errorCode: ERROR.invalidRequest, responses: []}
    const topics = request.topics.map((asked) => ({...asked, partitions: askedPartitions(asked, call)}))
    const deadline = Date.now() + Math.max(0, request.maxWaitMs)
    const {memory, closed} = call.connection
    const held = memory.bytes
    for (;;) {
      const waitFor = watch(topics.flatMap(({partitions}) => partitions))
      const maxBytes = Math.min(request.maxBytes, QUOTAS.fetchBytes, fairShare(memory.free))
      await memory.take(largestAnswer(maxBytes, topics, call))
      const {responses, bytes, urgent} = closed.aborted ? NOTHING : await readAll(maxBytes, topics, call)
      memory.keep(held + bytes)
      const left = deadline - Date.now()
      if (urgent || bytes >= Math.max(1, request.minBytes) || left <= 0 || closed.aborted) {
        waitFor.cancel()
        return {sessionId: 0, responses}
      }
      memory.keep(held)
      memory.reuse()
      await waitFor.change(left, closed)
    }
  },
}

/** A client may ask for all there is, and never read it: what is left for others gets scarce slowly. */
const fairShare = (freeBytes: number): number => Math.max(2 ** 20, freeBytes / 8)

type AskedTopic = {topic: string; topicId: string; partitions: Asked[]}

/** What reading may bring at most, in bytes. One batch comes whatever its size. */
function largestAnswer(maxBytes: number, topics: readonly AskedTopic[], {broker}: Call): number {
  let all = 0
  let largestBatch = 0
  for (const {topic, partition} of topics.flatMap(({partitions}) => partitions)) {
    const readable = topic?.partitions[partition.partition]?.readableBytes(partition.fetchOffset) ?? 0
    if (!topic || readable === 0) continue
    all += Math.min(readable, Math.max(0, partition.partitionMaxBytes))
    largestBatch = Math.max(largestBatch, Math.min(readable, Number(broker.configOf(topic, 'max.message.bytes'))))
  }
  return Math.min(all, maxBytes) + largestBatch
}

function askedPartitions(
  {topic: name, topicId, partitions}: FetchRequest['topics'][number],
  {version, broker, allows}: Call,
): Asked[] {
  const topic = version >= 13 ? broker.topicById(topicId) : broker.topics.get(name)
  // An id that no topic has is answered as unknown, whoever asks.
  const denied = (topic !== undefined || version < 13) && !allows('ReadData', broker.topicArn(topic?.name ?? name))
  return partitions.map((partition) => ({topic, denied, partition}))
}

/** `urgent`: something is answered that waiting cannot better, such as an error. */
type Read = {responses: FetchResponse['responses']; bytes: number; urgent: boolean}

const NOTHING: Read = {responses: [], bytes: 0, urgent: true}

async function readAll(maxBytes: number, topics: readonly AskedTopic[], call: Call): Promise<Read> {
  let budget = maxBytes
  let bytes = 0
  let urgent = topics.length === 0
  const responses = []
  for (const {topic, topicId, partitions} of topics) {
    const answered: PartitionData[] = []
    for (const asked of partitions) {
      const data = await readOne(asked, budget, bytes === 0, call)
      const size = (data.records as Buffer | undefined)?.length ?? 0
      budget -= size
      bytes += size
      urgent ||= data.errorCode !== ERROR.none
      answered.push(data)
    }
    responses.push({topic, topicId, partitions: answered})
  }
  return {responses, bytes, urgent}
}

const NO_RECORDS = Buffer.alloc(0)

async function readOne({topic, denied, partition}: Asked, budget: number, isFirst: boolean, call: Call): Promise<PartitionData> {
  const {partition: partitionIndex, fetchOffset, currentLeaderEpoch, partitionMaxBytes} = partition
  const failure = (errorCode: number): PartitionData => ({partitionIndex, errorCode, highWatermark: -1, records: NO_RECORDS})
  if (denied) return failure(ERROR.topicAuthorizationFailed)
  const log = topic?.partitions[partitionIndex]
  if (!topic || !log) return failure(call.version >= 13 && !topic ? ERROR.unknownTopicId : ERROR.unknownTopicOrPartition)
  const leaderId = call.broker.leaderOf(topic, partitionIndex)
  const isLeader = leaderId === call.connection.listener.nodeId
  if (!isLeader) return {...failure(ERROR.notLeaderOrFollower), currentLeader: {leaderId, leaderEpoch: log.leaderEpoch}}
  if (currentLeaderEpoch >= 0 && currentLeaderEpoch < log.leaderEpoch) return failure(ERROR.fencedLeaderEpoch)
  if (currentLeaderEpoch > log.leaderEpoch) return failure(ERROR.unknownLeaderEpoch)
  if (fetchOffset < log.logStartOffset || fetchOffset > log.highWatermark) return failure(ERROR.offsetOutOfRange)

  const maxBytes = Math.min(budget, partitionMaxBytes)
  const records =
    log.readableBytes(fetchOffset) === 0
      ? NO_RECORDS
      : await log.read(fetchOffset, maxBytes, {atLeastOneBatch: isFirst, allocate: call.connection.memory.buffer})
  const {highWatermark, logStartOffset} = log
  return {
    partitionIndex,
    errorCode: ERROR.none,
    highWatermark,
    lastStableOffset: highWatermark,
    logStartOffset,
    abortedTransactions: null,
    records,
  }
}

type Watch = {change(timeoutMs: number, closed: AbortSignal): Promise<void>; cancel(): void}

/** Listens before the logs are read, so that an append between the read and the wait is not missed. */
function watch(asked: readonly Asked[]): Watch {
  let wake = (): void => {}
  const changed = new Promise<void>((resolve) => {
    wake = resolve
  })
  const logs = asked.flatMap(({topic, partition}) => topic?.partitions[partition.partition] ?? [])
  const stops = logs.map((log: PartitionLog) => log.onAppend(wake))
  const cancel = (): void => {
    for (const stop of stops) stop()
  }
  return {
    cancel,
    async change(timeoutMs, closed) {
      const timer = setTimeout(wake, Math.min(timeoutMs, 2 ** 31 - 1))
      closed.addEventListener('abort', wake, {once: true})
      await changed
      closed.removeEventListener('abort', wake)
      clearTimeout(timer)
      cancel()
    },
  }
}
