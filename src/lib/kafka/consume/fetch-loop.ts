import {setTimeout as delay} from 'node:timers/promises'
import {dropConnections} from '../broker.js'
import {BrokerError} from '../broker-error.js'
import {within} from '../client.js'
import type {Cluster} from '../cluster.js'
import {type FetchAnswer, fetch} from '../requests/fetch.js'
import {EARLIEST} from '../requests/list-offsets.js'
import {offsetsAt} from '../topics.js'
import {type DecodedBatch, decodeBatches} from './decode.js'
import {offsetGone, type Span} from './plan.js'

const MAX_WAIT_MS = 500
const MAX_BYTES = 8 * 1024 * 1024
const PARTITION_MAX_BYTES = 1024 * 1024
const RETRY_MS = 200

/** A gap at the very end of a compacted partition is never filled: so many empty answers in a row say that it is one. */
const EMPTY_ANSWERS = 4

const OFFSET_OUT_OF_RANGE = 1

export type FetchLoopOptions = {
  topic: string
  readCommitted: boolean
  /** Without a successful fetch for so long, the loop fails with the last error. */
  timeoutMs: number
  signal: AbortSignal
  /** Records to hand over at most. */
  limit: number
  /**
   * Takes the records of one batch that lie in the range, in order within a partition and never two batches at once; nothing
   * more of that leader is fetched before it resolves.
   */
  onBatch(partition: number, records: DecodedBatch['records']): Promise<void>
  /** Told after everything before this offset was handed over, or was nothing to hand over. */
  onPosition?(partition: number, offset: number): void
}

type Loop = FetchLoopOptions & {
  cluster: Cluster
  /** What is not read yet. */
  open: Map<number, Span>
  lastSuccess: number
  /** Of the limit. */
  left: number
  failed: boolean
  /** Serialises `onBatch` between leaders. */
  turn: Promise<unknown>
}

/**
 * Reads the spans from their leaders, one fetch under way per leader, following leader changes. Joins no group and commits
 * nothing. Resolves when every position has reached its end (markers and compaction leave gaps, so records cannot tell), when
 * the limit is reached, or on abort. Throws SkkError, BrokerError, RecordError, or what kafkajs throws.
 */
export async function fetchSpans(cluster: Cluster, spans: readonly Span[], options: FetchLoopOptions): Promise<void> {
  const open = new Map(
    spans.filter(({position, end}) => end === null || position < end).map((span) => [span.partition, {...span}]),
  )
  const loop: Loop = {
    ...options,
    cluster,
    open,
    lastSuccess: Date.now(),
    left: options.limit,
    failed: false,
    turn: Promise.resolve(),
  }
  const workers = new Map<number, Promise<void>>()
  const stopped = aborted(options.signal)
  try {
    while (open.size > 0 && !isOver(loop)) {
      for (const leader of leaders(loop)) {
        if (!workers.has(leader))
          workers.set(
            leader,
            follow(leader, loop).finally(() => workers.delete(leader)),
          )
      }
      await Promise.race([...workers.values(), stopped])
    }
  } finally {
    loop.failed = true
    await Promise.race([Promise.allSettled(workers.values()), stopped])
  }
}

const isOver = (loop: Loop): boolean => loop.failed || loop.left <= 0 || loop.signal.aborted

function leaderByPartition({cluster, topic}: Loop): Map<number, number> {
  return new Map(cluster.findTopicPartitionMetadata(topic).map(({partitionId, leader}) => [partitionId, leader]))
}

function leaders(loop: Loop): Set<number> {
  const byPartition = leaderByPartition(loop)
  return new Set([...loop.open.keys()].map((partition) => byPartition.get(partition) ?? -1))
}

/** Fetches what one node leads, until it leads nothing of it any more or fails. */
async function follow(leader: number, loop: Loop): Promise<void> {
  let emptyAnswers = 0
  for (let turn = 0; !isOver(loop); turn++) {
    const byPartition = leaderByPartition(loop)
    const led = [...loop.open.values()].filter(({partition}) => (byPartition.get(partition) ?? -1) === leader)
    if (led.length === 0) return
    try {
      const answers = await request(leader, rotated(led, turn), loop)
      loop.lastSuccess = Date.now()
      const moved = await take(answers, loop)
      emptyAnswers = answers.some(({records}) => records.length > 0) ? 0 : emptyAnswers + 1
      if (emptyAnswers >= EMPTY_ANSWERS) closeGaps(answers, loop)
      if (moved) await recover(loop, moved)
    } catch (error) {
      if (!isTransient(error)) throw error
      await recover(loop, error)
    }
  }
}

/** A different one first each time: the size limit of an answer would starve those at the end. */
const rotated = (spans: readonly Span[], turn: number): Span[] => [
  ...spans.slice(turn % spans.length),
  ...spans.slice(0, turn % spans.length),
]

async function request(leader: number, led: readonly Span[], loop: Loop): Promise<FetchAnswer[]> {
  const {cluster, topic, readCommitted, timeoutMs} = loop
  const broker = await cluster.findBroker({nodeId: leader})
  const asked = led.map(({partition, position}) => ({partition, offset: position}))
  const limits = {maxWaitMs: MAX_WAIT_MS, minBytes: 1, maxBytes: MAX_BYTES, partitionMaxBytes: PARTITION_MAX_BYTES, readCommitted}
  try {
    return await within(MAX_WAIT_MS + timeoutMs, fetch(broker, topic, asked, limits))
  } catch (error) {
    dropConnections(broker)
    throw error
  }
}

/** Hands the answers over; returns the error of a partition whose leader may have changed. */
async function take(answers: readonly FetchAnswer[], loop: Loop): Promise<BrokerError | null> {
  let moved: BrokerError | null = null
  for (const answer of answers) {
    const span = loop.open.get(answer.partition)
    if (!span || isOver(loop)) continue
    if (answer.errorCode === OFFSET_OUT_OF_RANGE) throw await outOfRange(span, loop)
    if (answer.errorCode !== 0) {
      const error = new BrokerError(answer.errorCode, {api: 'Fetch', topic: loop.topic, partition: answer.partition})
      if (!error.retriable) throw error
      moved = error
      continue
    }
    for await (const batch of decodeBatches(answer)) {
      await hand(span, batch, loop)
      if (isOver(loop) || !loop.open.has(span.partition)) break
    }
  }
  return moved
}

async function hand(span: Span, {records, nextOffset}: DecodedBatch, loop: Loop): Promise<void> {
  const {position, end} = span
  const wanted = records.filter(({offset}) => offset >= position && (end === null || offset < end))
  if (wanted.length > 0) {
    const turn = loop.turn.then(() => pass(span.partition, wanted, loop))
    loop.turn = turn.catch(() => {})
    if (!(await turn)) return
  }
  span.position = Math.max(position, nextOffset)
  loop.onPosition?.(span.partition, end === null ? span.position : Math.min(span.position, end))
  if (end !== null && span.position >= end) loop.open.delete(span.partition)
}

/** Whether all of them were handed over. */
async function pass(partition: number, records: DecodedBatch['records'], loop: Loop): Promise<boolean> {
  if (isOver(loop)) return false
  const some = records.slice(0, loop.left)
  loop.left -= some.length
  await loop.onBatch(partition, some)
  return some.length === records.length
}

function closeGaps(answers: readonly FetchAnswer[], {open}: Loop): void {
  for (const {partition, errorCode, highWatermark} of answers) {
    const span = open.get(partition)
    if (errorCode === 0 && span && span.end !== null && highWatermark >= span.end) open.delete(partition)
  }
}

async function outOfRange({partition, position}: Span, {cluster, topic}: Loop): Promise<Error> {
  const metadata = cluster.findTopicPartitionMetadata(topic).map(({partitionId, leader}) => ({partition: partitionId, leader}))
  const earliest = await offsetsAt(
    cluster,
    topic,
    metadata.filter((found) => found.partition === partition),
    EARLIEST,
  )
  return offsetGone(topic, partition, position, earliest.get(partition) ?? 0)
}

/** kafkajs' errors about connections, and codes that pass. */
function isTransient(error: unknown): boolean {
  if (error instanceof BrokerError) return error.retriable
  const {name, code, type} = error as {name?: string; code?: unknown; type?: string}
  if (type === 'SASL_AUTHENTICATION_FAILED' || name === 'KafkaJSSASLAuthenticationError') return false
  return code === 'ETIMEDOUT' || Boolean(name?.startsWith('KafkaJS'))
}

async function recover(loop: Loop, error: unknown): Promise<void> {
  if (Date.now() - loop.lastSuccess >= loop.timeoutMs) throw error
  await delay(RETRY_MS)
  if (isOver(loop)) return
  const {cluster} = loop
  await (async () => {
    if (!cluster.isConnected()) await cluster.connect()
    await cluster.refreshMetadata()
  })().catch(() => {})
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), {once: true})
  })
