import {SkkError} from '../../errors.js'
import {type BatchHeader, readBatchHeader} from '../../records/batch.js'
import type {Compression} from '../../records/compression.js'
import {BrokerError} from '../broker-error.js'
import type {ProducerId} from '../requests/init-producer-id.js'
import type {EncodedBatch, ProduceAnswer} from '../requests/produce.js'
import type {Batch} from './batch.js'
import type {Compress} from './compressor.js'
import type {SentBatch} from './journal.js'
import {advance, cutBelow, isSame, type Lane, retire} from './lane.js'
import {tooLarge} from './size-limit.js'

/** What became of some records that were handed over together. */
export type Delivery =
  | {kind: 'acked'; batch: Batch; baseOffset: number}
  | {kind: 'rejected'; batch: Batch; reason: string}
  /** Not in the log, and nothing that follows may overtake them: the run ends. */
  | {kind: 'unsent'; batch: Batch; error: unknown}
  | {kind: 'unknown'; batch: Batch; error: unknown}

/** The way to the cluster, as far as delivering a batch needs it. Its functions throw what kafkajs throws, or BrokerError. */
export type Link = {
  topic: string
  compression: Compression
  compress: Compress
  /** The topic's max.message.bytes. */
  maxBatchBytes: number
  deliveryTimeoutMs: number
  /** How long one attempt may take. */
  requestTimeoutMs: number
  now(): number
  sleep(ms: number): Promise<unknown>
  /** True once the run is being stopped: what is under way may still be answered, nothing is tried again. */
  stopping(): boolean
  /** One that is not `retired`; null when the cluster does not let us be idempotent. */
  producerId(retired: ProducerId | null): Promise<ProducerId | null>
  /** Finds and connects to the leader, which sends nothing yet; then the function sends. */
  leader(partition: number): Promise<Send>
  refresh(): Promise<void>
  /** The offset of the batch that matches, null when it is not there; throws when the log cannot tell. */
  readBack(lane: Lane, matches: (header: BatchHeader) => boolean): Promise<number | null>
  /** Null where no later run could go on. */
  journal: Witness | null
}

type Send = (batch: EncodedBatch, timeoutMs: number) => Promise<ProduceAnswer>

/** Where a later run reads what this one has sent; see Journal. */
export type Witness = {
  sending(sent: SentBatch): number
  acked(batch: number, offset: number): void
  absent(batch: number): void
}

/** Error codes that one record of a batch may have caused, and what is then wrong with it. */
const PERHAPS_ONE_RECORD: Readonly<Record<number, string>> = {
  10: 'it is larger than the topic allows',
  18: 'it is larger than a segment of the log',
  32: 'its timestamp is too far from now',
  87: 'the broker finds it invalid; on a compacted topic every record needs a key',
}

/** The sequence is not the one that the broker expects: what went before is in doubt. */
const SEQUENCE_ERRORS = [45, 46, 47, 59]

/**
 * The broker's own log may have the batch: it gave up waiting for the other replicas, or lost the partition, its leadership or its
 * disk while it waited (Kafka's DelayedProduce answers so what was appended before).
 */
const STORED_PERHAPS = [3, 6, 7, 20, 56]

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
  /** Stored where records had been acknowledged, which are gone. */
  | {kind: 'cut'; error: Error}

/**
 * Sends `batch` until its fate is known, the same bytes under the same sequence each time, at most for the delivery timeout.
 * Splits what the broker finds too large. A fate that stays unknown is looked up in the log, and ends the lane's producer id:
 * used again, its sequence would make the broker acknowledge and drop the next batch of the same length (rules.md, "An unknown
 * outcome ends the producer id"). A batch that repeats one of an earlier run goes under that one's identity, so that a request
 * of the earlier run that arrives even now is a duplicate.
 */
export async function deliver(batch: Batch, lane: Lane, link: Link): Promise<Delivery[]> {
  const {replay} = batch
  const repeats = replay !== null && replay.identity !== null && replay.count === batch.count && lane.identity !== null
  if (!repeats) return deliverBefore(link.now() + link.deliveryTimeoutMs, batch, lane, link)
  lane.identity = replay.identity
  lane.sequence = replay.sequence
  const deliveries = await deliverBefore(link.now() + link.deliveryTimeoutMs, batch, lane, link)
  if (lane.identity === replay.identity) retire(lane)
  return deliveries
}

async function deliverBefore(deadline: number, batch: Batch, lane: Lane, link: Link): Promise<Delivery[]> {
  const {journal} = link
  /** The header of what may be in the log without our knowing. */
  let doubt: BatchHeader | null = null
  /** Its number in the journal, while it stands there as sent. */
  let entry: number | null = null
  const absent = (): void => {
    if (entry !== null) journal!.absent(entry)
    entry = null
  }
  const acked = (baseOffset: number): Delivery[] => {
    if (entry !== null) journal!.acked(entry, baseOffset)
    lane.logEnd = baseOffset + batch.count
    return [{kind: 'acked', batch, baseOffset}]
  }
  for (let attempt = 1; ; attempt++) {
    const {answer, header} = await tryOnce(deadline, batch, lane, link, (sent) => {
      if (journal) entry ??= journal.sending(sent)
    })
    if (answer.kind === 'stored') {
      advance(lane, batch.count)
      return acked(answer.baseOffset)
    }
    if (doubt === null && answer.kind === 'divide') {
      absent()
      return divide(deadline, batch, lane, link, answer.error.message)
    }
    if (doubt === null && answer.kind === 'refused') {
      absent()
      return [{kind: 'unsent', batch, error: answer.error}]
    }
    if (answer.kind === 'cut') return [{kind: 'unknown', batch, error: answer.error}]
    if (answer.kind === 'confused' || (answer.kind === 'failed' && answer.doubtful)) doubt = header

    const over = link.now() >= deadline || link.stopping()
    const mayRepeat = answer.kind === 'failed' && lane.identity !== null && !over
    if (doubt !== null && !mayRepeat) {
      const found = await lookUp(doubt, lane, link)
      if (found instanceof Error) return [{kind: 'unknown', batch, error: found}]
      retire(lane)
      if (found !== null) return acked(found)
      absent()
      doubt = null
    }
    if (over) {
      absent()
      return [{kind: 'unsent', batch, error: answer.error}]
    }
    await link.sleep(Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (attempt - 1)))
    await link.refresh().catch(() => {})
  }
}

async function tryOnce(
  deadline: number,
  batch: Batch,
  lane: Lane,
  link: Link,
  announce: (sent: SentBatch) => void,
): Promise<{answer: Answer; header: BatchHeader | null}> {
  let encoded: EncodedBatch
  let send: Send
  try {
    if (lane.identity === undefined) lane.identity = await link.producerId(lane.retired)
    encoded = await encode(batch, lane, link)
    if (encoded.size <= link.maxBatchBytes) send = await link.leader(lane.partition)
  } catch (error) {
    return {
      answer: isFinal(error) ? {kind: 'refused', error} : {kind: 'failed', error: error as Error, doubtful: false},
      header: null,
    }
  }
  const header = readBatchHeader(encoded.bytes, encoded.start)
  if (encoded.size > link.maxBatchBytes) {
    return {
      answer: {kind: 'divide', error: new Error(tooLarge(encoded.size, link.maxBatchBytes))},
      header,
    }
  }
  try {
    announce(described(batch, header, lane))
    const timeoutMs = Math.max(1, Math.min(link.requestTimeoutMs, deadline - link.now()))
    return {answer: judge(await send!(encoded, timeoutMs), lane, link.topic), header}
  } catch (error) {
    return {answer: isFinal(error) ? {kind: 'refused', error} : {kind: 'failed', error: error as Error, doubtful: true}, header}
  }
}

const described = ({keyed, keyless, count}: Batch, header: BatchHeader, {partition, logEnd}: Lane): SentBatch => ({
  partition,
  producerId: header.producerId,
  producerEpoch: header.producerEpoch,
  sequence: header.baseSequence,
  count,
  keyed,
  keyless,
  logEnd,
  crc: header.crc,
  timestamp: header.baseTimestamp,
})

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
    // A broker that knows no sequences takes nothing for a duplicate, so this is where the batch stands.
    if (lane.identity === null) return {kind: 'cut', error: cutBelow(lane.partition, lane.logEnd, baseOffset)}
    return {kind: 'confused', error: new Error(`offset ${baseOffset} was acknowledged, which was written before`)}
  }
  const error = new BrokerError(errorCode, {api: 'Produce', topic, partition: lane.partition})
  if (SEQUENCE_ERRORS.includes(errorCode)) return {kind: 'confused', error}
  const reason = PERHAPS_ONE_RECORD[errorCode]
  if (reason) return {kind: 'divide', error: new Error(reason, {cause: error})}
  if (error.retriable) return {kind: 'failed', error, doubtful: STORED_PERHAPS.includes(errorCode)}
  return {kind: 'refused', error}
}

const ANONYMOUS = {producerId: -1, producerEpoch: -1, baseSequence: -1}

async function encode(batch: Batch, {identity, sequence}: Lane, {compression, compress}: Link): Promise<EncodedBatch> {
  const {writer} = batch
  const sender = identity ? {...identity, baseSequence: sequence} : ANONYMOUS
  if (compression === 'none') {
    const {length} = writer.finish(sender)
    return {bytes: writer.bytes, start: writer.start, size: length}
  }
  await batch.compressedBy(compress)
  const compressed = writer.finishCompressed(sender, compression)
  return {bytes: compressed.bytes, start: writer.headroom, size: compressed.batch.length}
}

/** The offset at which the log holds that batch, null when it does not, the error when the log cannot tell. */
async function lookUp(sent: BatchHeader, lane: Lane, link: Link): Promise<number | null | Error> {
  try {
    return await link.readBack(lane, (stored) => isSame(sent, stored))
  } catch (error) {
    return error as Error
  }
}

/** Halves under the same first sequence, in order; what comes after a half that failed is unsent. */
async function divide(deadline: number, batch: Batch, lane: Lane, link: Link, reason: string): Promise<Delivery[]> {
  if (batch.count === 1) return [{kind: 'rejected', batch, reason}]
  const [first, second] = batch.split(Math.ceil(batch.count / 2))
  const left = await deliverBefore(deadline, first, lane, link)
  const failed = left.find((delivery) => delivery.kind === 'unsent' || delivery.kind === 'unknown')
  if (failed) return [...left, {kind: 'unsent', batch: second, error: failed.error}]
  return [...left, ...(await deliverBefore(deadline, second, lane, link))]
}
