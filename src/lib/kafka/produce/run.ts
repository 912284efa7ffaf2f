import type {Compression} from '../../records/compression.js'
import {anyBroker, type Cluster} from '../cluster.js'
import {LATEST} from '../requests/list-offsets.js'
import {offsetsAt, readConfigs, requireTopic} from '../topics.js'
import {type Delivery, deliver} from './deliver.js'
import {type Portion, readLines, type Source} from './input.js'
import type {Lane} from './lane.js'
import {type Counts, Ledger, type Rejection} from './ledger.js'
import {type Line, LineTooLongError} from './lines.js'
import {linkTo} from './link.js'
import {Producer} from './producer.js'
import {BadLineError, type Item} from './records.js'

/** Kafka's own default, for when the topic's configuration may not be read. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588

const REQUEST_MS = 30_000

/** Input that pauses for this long is sent as far as it has come. */
const LINGER_MS = 50

/** How long what is under way may take once the run was stopped. */
const DRAIN_MS = 4_500

export type ParseLine = (line: Line, source: string, now: number) => Item

export type ProduceOptions = {
  topic: string
  inputs: readonly Source[]
  parse: ParseLine
  /** Whether the records have keys: many partitions are then written at once. */
  keyed: boolean
  compression: Compression
  deliveryTimeoutMs: number
  /** How long one attempt of a delivery may take; 30 s unless given. */
  requestTimeoutMs?: number
  /** Parse and place everything, send nothing. */
  dryRun: boolean
  /** Aborted by the first signal. */
  signal: AbortSignal
}

export type ProduceEvents = {
  onCarriageReturn(source: Source): void
  onNotIdempotent(): void
  /** After each portion of input: the counts so far, bytes read of all inputs, and of how many, if known. */
  onProgress(counts: Counts, bytesRead: number, totalBytes: number | null): void
}

/** A line that ended the run. */
type BadLine = {source: string; line: number; offset: number; reason: string}

export type ProduceReport = Counts & {
  rejections: readonly Rejection[]
  badLine: BadLine | null
  /** What ended the run early, if not a bad line or a signal. */
  failure: unknown
  /** Records by partition: acknowledged, or under `dryRun` placed. */
  partitions: Map<number, number>
  idempotent: boolean
}

/**
 * Produces every line of the inputs and accounts for each. Throws what kafkajs throws, BrokerError or SkkError for what fails
 * before the first record, and SkkError for an input that cannot be read; the rest is in the report.
 */
export async function produceLines(cluster: Cluster, options: ProduceOptions, events: ProduceEvents): Promise<ProduceReport> {
  const {topic, compression, deliveryTimeoutMs, requestTimeoutMs = REQUEST_MS, dryRun, signal, keyed} = options
  const ledger = new Ledger()
  const {lanes, maxBatchBytes} = await prepare(cluster, topic)
  const partitions = new Map(lanes.map(({partition}) => [partition, 0]))
  const count = (partition: number, records: number) => partitions.set(partition, partitions.get(partition)! + records)
  let idempotent = true
  const link = linkTo(cluster, {
    topic,
    compression,
    maxBatchBytes,
    deliveryTimeoutMs,
    requestTimeoutMs,
    stopping: () => signal.aborted,
    onNotIdempotent: () => {
      idempotent = false
      events.onNotIdempotent()
    },
  })
  const send = async (items: readonly Item[], lane: Lane): Promise<Delivery[]> => {
    if (dryRun) count(lane.partition, items.length)
    const deliveries = dryRun ? [] : await deliver(items, lane, link)
    for (const {kind, items: some} of deliveries) if (kind === 'acked') count(lane.partition, some.length)
    return deliveries
  }
  const producer = new Producer({lanes, keyed, maxBatchBytes, ledger, deliver: send})

  const {badLine, failure} = await feed(producer, ledger, lanes.length, options, events).then(
    (bad) => ({badLine: bad, failure: null}),
    (error: unknown) => ({badLine: null, failure: error}),
  )
  await drained(producer, signal)
  return {
    ...ledger.counts(),
    rejections: ledger.rejections,
    badLine,
    failure: producer.failure ?? failure,
    partitions,
    idempotent,
  }
}

async function prepare(cluster: Cluster, topic: string): Promise<{lanes: Lane[]; maxBatchBytes: number}> {
  const {partitions} = await requireTopic(cluster, topic)
  const ends = await offsetsAt(cluster, topic, partitions, LATEST)
  const configs = await readConfigs(await anyBroker(cluster), topic, ['max.message.bytes'])
  const lanes = partitions
    .map(({partition}): Lane => ({partition, identity: undefined, sequence: 0, logEnd: ends.get(partition) ?? 0}))
    .sort((a, b) => a.partition - b.partition)
  return {lanes, maxBatchBytes: Number(configs?.[0]?.value ?? DEFAULT_MAX_MESSAGE_BYTES)}
}

async function feed(
  producer: Producer,
  ledger: Ledger,
  partitions: number,
  options: ProduceOptions,
  events: ProduceEvents,
): Promise<BadLine | null> {
  const {inputs, parse, signal} = options
  const total = inputs.every(({bytes}) => bytes !== null) ? inputs.reduce((sum, {bytes}) => sum + bytes!, 0) : null
  try {
    for await (const {source, lines, bytesRead} of flushingPauses(readLines(inputs, events.onCarriageReturn, signal), producer)) {
      const now = Date.now()
      for (const line of lines) {
        if (producer.failure !== undefined || signal.aborted) return null
        ledger.read(1)
        const item = parsed(parse, line, source.name, now, partitions)
        if ('reason' in item) {
          ledger.rejected(item)
          return {...item, offset: line.offset}
        }
        const room = producer.add(item)
        if (room) await room
      }
      events.onProgress(ledger.counts(), bytesRead, total)
    }
    return null
  } catch (error) {
    if (!(error instanceof LineTooLongError)) throw error
    ledger.read(1)
    const rejection = {source: error.source, line: error.line, reason: error.message}
    ledger.rejected(rejection)
    return {...rejection, offset: error.offset}
  }
}

function parsed(parse: ParseLine, line: Line, source: string, now: number, partitions: number): Item | Rejection {
  try {
    const item = parse(line, source, now)
    if (item.partition === null || item.partition < partitions) return item
    return {source, line: line.number, reason: `it names partition ${item.partition}, and the topic has ${partitions}`}
  } catch (error) {
    if (!(error instanceof BadLineError)) throw error
    return {source, line: line.number, reason: error.message}
  }
}

/** Passes the portions on; whenever the next one is not there soon, what was gathered is sent. */
async function* flushingPauses(portions: AsyncGenerator<Portion>, producer: Producer): AsyncGenerator<Portion> {
  try {
    for (;;) {
      const linger = setTimeout(() => producer.flush(), LINGER_MS)
      const next = await portions.next().finally(() => clearTimeout(linger))
      if (next.done) return
      yield next.value
    }
  } finally {
    await portions.return(undefined)
  }
}

/** Waits for what is under way; once stopped, not for long. */
async function drained(producer: Producer, signal: AbortSignal): Promise<void> {
  const finished = producer.finish()
  if (signal.aborted) producer.stop()
  let timer: NodeJS.Timeout | undefined
  const hurry = new Promise<void>((resolve) => {
    const abandon = () => {
      producer.stop()
      timer = setTimeout(resolve, DRAIN_MS)
    }
    if (signal.aborted) abandon()
    else signal.addEventListener('abort', abandon, {once: true})
  })
  await Promise.race([finished, hurry.then(() => producer.abandon())])
  clearTimeout(timer)
}
