import {SkkError} from '../../errors.js'
import {type BatchHeader, encodeBatch, readBatchHeader} from '../../records/batch.js'
import type {Compression} from '../../records/compression.js'
import {BrokerError} from '../broker-error.js'
import type {ProducerId} from '../requests/init-producer-id.js'
import type {ProduceAnswer} from '../requests/produce.js'
import {advance, isSame, type Lane, retire} from './lane.js'
import type {Item} from './records.js'

/** What became of some records that were handed over together. */
export type Delivery =
  | {kind: 'acked'; items: readonly Item[]; baseOffset: number}
  | {kind: 'rejected'; items: readonly Item[]; reason: string}
  /** Not in the log, and nothing that follows may overtake them: the run ends. */
  | {kind: 'unsent'; items: readonly Item[]; error: unknown}
  | {kind: 'unknown'; items: readonly Item[]; error: unknown}

/** The way to the cluster, as far as delivering a batch needs it. Its functions throw what kafkajs throws, or BrokerError. */
export type Link = {
  topic: string
  compression: Compression
  /** The topic's max.message.bytes. */
  maxBatchBytes: number
  deliveryTimeoutMs: number
  /** How long one attempt may take. */
  requestTimeoutMs: number
  now(): number
  sleep(ms: number): Promise<unknown>
  /** True once the run is being stopped: what is under way may still be answered, nothing is tried again. */
  stopping(): boolean
  /** Null when the cluster does not let us be idempotent. */
  newProducerId(): Promise<ProducerId | null>
  /** Finds and connects to the leader, which sends nothing yet; then the function sends. */
  leader(partition: number): Promise<Send>
  refresh(): Promise<void>
  /** The offset of the batch that matches, null when it is not there; throws when the log cannot tell. */
  readBack(lane: Lane, matches: (header: BatchHeader) => boolean): Promise<number | null>
}

type Send = (batch: Buffer, timeoutMs: number) => Promise<ProduceAnswer>

/** Error codes that one record of a batch may have caused, and what is then wrong with it. */
const PERHAPS_ONE_RECORD: Readonly<Record<number, string>> = {
  10: 'it is larger than the topic allows',
  18: 'it is larger than a segment of the log',
  32: 'its timestamp is too far from now',
  87: 'the broker finds it invalid; on a compacted topic every record needs a key',
}

/** The sequence is not the one that the broker expects: what went before is in doubt. */
const SEQUENCE_ERRORS = [45, 46, 47, 59]

/** The broker gave up waiting for the other replicas; its own log may have the batch. */
const STORED_PERHAPS = [7, 20]

const FIRST_BACKOFF_MS = 50
const LONGEST_BACKOFF_MS = 2_000

type Answer =
  | {kind: 'stored'; baseOffset: number}
  /** Refused for what may be the fault of one record. */
  | {kind: 'divide'; error: Error}
  /** Refused for good. */
  | {kind: 'refused'; error: Error}
  /** To be tried again; `doubtful` when the broker may have stored it nevertheless. */
  | {kind: 'failed'; error: Error; doubtful: boolean}
  /** Nothing more may be sent under this producer id before the log was looked at. */
  | {kind: 'confused'; error: Error}

/**
 * Sends `items` as one batch until its fate is known, the same bytes under the same sequence each time, at most for the
 * delivery timeout. Splits what the broker finds too large. A fate that stays unknown is looked up in the log, and ends the
 * lane's producer id: kafkajs would use the sequence again, and the broker would then acknowledge and drop the next batch of
 * the same length (rules.md, "An unknown outcome ends the producer id").
 */
export async function deliver(items: readonly Item[], lane: Lane, link: Link): Promise<Delivery[]> {
  return deliverBefore(link.now() + link.deliveryTimeoutMs, items, lane, link)
}

async function deliverBefore(deadline: number, items: readonly Item[], lane: Lane, link: Link): Promise<Delivery[]> {
  // The header of what may be in the log without our knowing.
  let doubt: BatchHeader | null = null
  for (let attempt = 1; ; attempt++) {
    const {answer, header} = await tryOnce(deadline, items, lane, link)
    if (answer.kind === 'stored') {
      advance(lane, items.length)
      return [acked(items, answer.baseOffset, lane)]
    }
    if (doubt === null && answer.kind === 'divide') return divide(deadline, items, lane, link, answer.error.message)
    if (doubt === null && answer.kind === 'refused') return [{kind: 'unsent', items, error: answer.error}]
    if (answer.kind === 'confused' || (answer.kind === 'failed' && answer.doubtful)) doubt = header

    const over = link.now() >= deadline || link.stopping()
    const mayRepeat = answer.kind === 'failed' && lane.identity !== null && !over
    if (doubt !== null && !mayRepeat) {
      const found = await lookUp(doubt, lane, link)
      if (found instanceof Error) return [{kind: 'unknown', items, error: found}]
      retire(lane)
      if (found !== null) return [acked(items, found, lane)]
      doubt = null
    }
    if (over) return [{kind: 'unsent', items, error: answer.error}]
    await link.sleep(Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (attempt - 1)))
    await link.refresh().catch(() => {})
  }
}

async function tryOnce(
  deadline: number,
  items: readonly Item[],
  lane: Lane,
  link: Link,
): Promise<{answer: Answer; header: BatchHeader | null}> {
  let batch: Buffer
  let send: Send
  try {
    if (lane.identity === undefined) lane.identity = await link.newProducerId()
    batch = await encode(items, lane, link)
    send = await link.leader(lane.partition)
  } catch (error) {
    return {
      answer: isFinal(error) ? {kind: 'refused', error} : {kind: 'failed', error: error as Error, doubtful: false},
      header: null,
    }
  }
  const header = readBatchHeader(batch)
  if (batch.length > link.maxBatchBytes) {
    return {
      answer: {kind: 'divide', error: new Error(`it takes ${batch.length} bytes, and the topic allows ${link.maxBatchBytes}`)},
      header,
    }
  }
  try {
    const timeoutMs = Math.max(1, Math.min(link.requestTimeoutMs, deadline - link.now()))
    return {answer: judge(await send(batch, timeoutMs), lane, link.topic), header}
  } catch (error) {
    return {answer: isFinal(error) ? {kind: 'refused', error} : {kind: 'failed', error: error as Error, doubtful: true}, header}
  }
}

/** Nothing was sent, and no repetition will change that: a denial, or a SkkError of ours. kafkajs marks its own. */
function isFinal(error: unknown): error is Error {
  if (error instanceof SkkError) return true
  if (error instanceof BrokerError) return !error.retriable
  const {type, name} = error as {type?: string; name?: string}
  return type === 'SASL_AUTHENTICATION_FAILED' || name === 'KafkaJSSASLAuthenticationError'
}

function judge({errorCode, baseOffset}: ProduceAnswer, lane: Lane, topic: string): Answer {
  if (errorCode === 0) {
    if (baseOffset >= lane.logEnd) return {kind: 'stored', baseOffset}
    return {kind: 'confused', error: new Error(`offset ${baseOffset} was acknowledged, which was written before`)}
  }
  const error = new BrokerError(errorCode, {api: 'Produce', topic, partition: lane.partition})
  if (SEQUENCE_ERRORS.includes(errorCode)) return {kind: 'confused', error}
  const reason = PERHAPS_ONE_RECORD[errorCode]
  if (reason) return {kind: 'divide', error: new Error(reason, {cause: error})}
  if (error.retriable) return {kind: 'failed', error, doubtful: STORED_PERHAPS.includes(errorCode)}
  return {kind: 'refused', error}
}

function encode(items: readonly Item[], {identity, sequence}: Lane, {compression}: Link): Promise<Buffer> {
  return encodeBatch(items, {compression, ...(identity && {...identity, baseSequence: sequence})})
}

/** The offset at which the log holds that batch, null when it does not, the error when the log cannot tell. */
async function lookUp(sent: BatchHeader, lane: Lane, link: Link): Promise<number | null | Error> {
  try {
    return await link.readBack(lane, (stored) => isSame(sent, stored))
  } catch (error) {
    return error as Error
  }
}

function acked(items: readonly Item[], baseOffset: number, lane: Lane): Delivery {
  lane.logEnd = baseOffset + items.length
  return {kind: 'acked', items, baseOffset}
}

/** Halves under the same first sequence, in order; what comes after a half that failed is unsent. */
async function divide(deadline: number, items: readonly Item[], lane: Lane, link: Link, reason: string): Promise<Delivery[]> {
  if (items.length === 1) return [{kind: 'rejected', items, reason}]
  const middle = Math.ceil(items.length / 2)
  const left = await deliverBefore(deadline, items.slice(0, middle), lane, link)
  const failed = left.find((delivery) => delivery.kind === 'unsent' || delivery.kind === 'unknown')
  const right = items.slice(middle)
  if (failed) return [...left, {kind: 'unsent', items: right, error: failed.error}]
  return [...left, ...(await deliverBefore(deadline, right, lane, link))]
}
