import {SkkError} from '../../errors.js'
import type {Compression} from '../../records/compression.js'
import {check} from '../broker-error.js'
import {anyBroker, type Cluster} from '../cluster.js'
import {noLeader, throughElections} from '../elections.js'
import {partitionNotFound} from '../errors.js'
import {PREPARE_MS, patiently} from '../patience.js'
import {LATEST} from '../requests/list-offsets.js'
import {metadata, type TopicMetadata} from '../requests/metadata.js'
import type {Acks} from '../requests/produce.js'
import {offsetsAt, readConfigs, requireTopic} from '../topics.js'
import {Compressor} from './compressor.js'
import type {Coverage} from './coverage.js'
import {type Delivery, deliver} from './deliver.js'
import {type BadLine, feed} from './feed.js'
import {IdHeader, inputId} from './id-header.js'
import type {Source} from './input.js'
import {type Lane, newLane} from './lane.js'
import {type Counts, Ledger, type Rejection} from './ledger.js'
import {linkTo} from './link.js'
import {Meter} from './meter.js'
import {type OutcomeOptions, Outcomes} from './outcomes.js'
import type {Rate} from './pace.js'
import type {ReadEvents, ReadInputs} from './portion.js'
import {Producer} from './producer.js'
import type {ProduceProgress} from './progress-line.js'
import {readEarlierRuns} from './resume.js'
import {SizeLimit} from './size-limit.js'
import {openToken, type Token, type TokenOptions} from './token.js'

/** Kafka's own default, for when the topic's configuration may not be read. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588

const REQUEST_MS = 30_000

/** As often as a person can read it. */
const PROGRESS_MS = 100

/** How long what is under way may take once the run was stopped. */
const DRAIN_MS = 4_500

export type ProduceOptions = OutcomeOptions & {
  topic: string
  inputs: readonly Source[]
  read: ReadInputs
  /** How many times the inputs are read. */
  repeat: number
  /** The partition of every record, so that it has to exist; null for what keys, records and rotation choose. */
  partition: number | null
  /** Whether the records have keys: many partitions are then written at once. */
  keyed: boolean
  compression: Compression
  acks: Acks
  deliveryTimeoutMs: number
  /** How long one attempt of a delivery may take; 30 s unless given. */
  requestTimeoutMs?: number
  /** Parse and place everything, send nothing. */
  dryRun: boolean
  /** Name of a header that says which record of the input it is; null for none. */
  idHeader: string | null
  /** How many records to read at most. */
  limit: number
  /** Null for as fast as it goes. */
  rate: Rate | null
  /** From 0 to 1, for the partition of the first keyless records; Math.random unless given. */
  random?: () => number
  /** Whether a line that is no record, or one that the topic does not take, ends the run. */
  onBadLine: 'stop' | 'skip'
  /** Null for inputs that cannot be read again. */
  token: TokenOptions | null
  /** Aborted by the first signal. */
  signal: AbortSignal
}

export type ProduceEvents = ReadEvents & {
  onNotIdempotent(): void
  /** A resumed run waits so long for requests that are still on their way. */
  onWaiting(ms: number): void
  /** Before the first record, and every now and then as long as records are read or their outcomes are waited for. */
  onProgress(progress: ProduceProgress): void
}

export type ProduceReport = Counts & {
  rejections: readonly Rejection[]
  badLine: BadLine | null
  /** What ended the run early, if not a bad line or a signal. */
  failure: unknown
  /** By partition what was acknowledged, or under `dryRun` placed: records, and their bytes as they are sent. */
  partitions: Map<number, {records: number; bytes: number}>
  idempotent: boolean
  /** For how long the brokers asked for a pause, to keep a quota. */
  throttledMs: number
  /** Some encoded records, for an estimate; null when there were too few. */
  sample: Buffer | null
  /** Of the acknowledged records those that earlier runs have written. */
  resumed: number
  /** What an earlier run with the same token means: `none`, it was gone on with, or it had done everything already. */
  earlier: 'none' | 'unfinished' | 'done'
  /** Whether a later run can go on where this one ended. */
  resumable: boolean
}

/**
 * Produces every record of the inputs and accounts for each. Throws what kafkajs throws, BrokerError or SkkError for what fails
 * before the first record, and SkkError for a file that cannot be read or written; the rest is in the report.
 */
export async function produceRecords(cluster: Cluster, options: ProduceOptions, events: ProduceEvents): Promise<ProduceReport> {
  const {topic, deliveryTimeoutMs, random = Math.random} = options
  const destination = await patiently(cluster, Math.min(PREPARE_MS, deliveryTimeoutMs), () => prepare(cluster, topic))
  const partitions = destination.lanes.length
  if (options.partition !== null && options.partition >= partitions)
    throw partitionNotFound(topic, [options.partition], partitions)
  const firstPartition = Math.floor(random() * partitions)
  if (options.dryRun || options.token === null) return run(cluster, {...options, firstPartition}, events, destination, null)
  const to = {topic, clusterId: destination.clusterId, partitions, firstPartition}
  const token = await openToken(options.token, options.inputs, to)
  let done = token.found === 'done'
  try {
    if (done) return nothingToDo(destination)
    const report = await run(cluster, {...options, firstPartition: token.firstPartition}, events, destination, token)
    done = isDone(report, options.signal)
    return {...report, resumable: !done && !token.journal.isEmpty}
  } finally {
    token.close(done)
  }
}

const isDone = ({failure, badLine, unknown, unsent}: ProduceReport, signal: AbortSignal): boolean =>
  !failure && badLine === null && unknown === 0 && unsent === 0 && !signal.aborted

const nothingToDo = ({lanes}: Prepared): ProduceReport => ({
  ...new Ledger().counts(),
  rejections: [],
  badLine: null,
  failure: null,
  partitions: new Map(lanes.map(({partition}) => [partition, {records: 0, bytes: 0}])),
  idempotent: true,
  throttledMs: 0,
  sample: null,
  resumed: 0,
  earlier: 'done',
  resumable: false,
})

async function run(
  cluster: Cluster,
  options: ProduceOptions & {firstPartition: number},
  events: ProduceEvents,
  {lanes: all, maxBatchBytes}: Prepared,
  token: Token | null,
): Promise<ProduceReport> {
  const {dryRun, signal, requestTimeoutMs = REQUEST_MS} = options
  const lanes = token === null ? all : all.slice(0, token.partitions)
  const coverage = token?.found === 'unfinished' ? await earlierRuns(cluster, options, events, all, token) : null
  let idempotent = options.acks === 'all'
  const outcomes = new Outcomes(options, lanes)
  const compressor = new Compressor(options.compression)
  const {compress} = compressor
  const link = linkTo(cluster, {
    ...options,
    compress,
    maxBatchBytes,
    requestTimeoutMs,
    journal: token?.journal ?? null,
    stopping: () => signal.aborted,
    onThrottled: (ms) => {
      outcomes.throttledMs += ms
    },
    onNotIdempotent: () => {
      idempotent = false
      events.onNotIdempotent()
    },
  })
  const producer = new Producer({
    lanes,
    firstPartition: options.firstPartition,
    keyed: options.keyed,
    maxBatchBytes,
    deliver: async (batch, lane): Promise<Delivery[]> => {
      if (!dryRun) return deliver(batch, lane, link)
      outcomes.placed(batch, lane.partition)
      return []
    },
    onDelivered: (delivery, partition) => outcomes.delivered(delivery, partition),
  })
  const sizeLimit = new SizeLimit({maxBatchBytes, compression: options.compression, compress})
  signal.addEventListener('abort', () => producer.interrupt(), {once: true})
  const idHeader = options.idHeader === null ? null : new IdHeader(options.idHeader, await inputId(options.inputs))
  const meter = new Meter(outcomes, options)
  const tell = (): void => events.onProgress(meter.progress())
  tell()
  const telling = setInterval(tell, PROGRESS_MS).unref()
  const {badLine, failure, resumed} = await feed(producer, outcomes, coverage, {sizeLimit, idHeader, meter}, options, events)
  await drained(producer, signal)
  clearInterval(telling)
  await compressor.close()
  const unwritten = outcomes.close(producer.left())
  return {
    ...outcomes.ledger.counts(),
    rejections: outcomes.ledger.rejections,
    badLine: badLine ?? (options.onBadLine === 'stop' ? outcomes.refused : null),
    failure: producer.failure ?? failure ?? unwritten,
    partitions: outcomes.partitions,
    idempotent,
    throttledMs: outcomes.throttledMs,
    sample: outcomes.sample,
    resumed,
    earlier: coverage === null ? 'none' : 'unfinished',
    resumable: false,
  }
}

const earlierRuns = (
  cluster: Cluster,
  {topic}: ProduceOptions,
  {onWaiting}: ProduceEvents,
  lanes: readonly Lane[],
  {journal, journalPath}: Token,
): Promise<Coverage> => {
  const ends = new Map(lanes.map(({partition, logEnd}) => [partition, logEnd]))
  return readEarlierRuns(cluster, {topic, ends, journal, journalPath, onWaiting})
}

type Prepared = {lanes: Lane[]; maxBatchBytes: number; clusterId: string}

async function prepare(cluster: Cluster, topic: string): Promise<Prepared> {
  const partitions = await throughElections(cluster, async () => led(await requireTopic(cluster, topic)))
  const broker = await anyBroker(cluster)
  const [ends, configs, {clusterId}] = await Promise.all([
    offsetsAt(cluster, topic, partitions, LATEST),
    readConfigs(broker, topic, ['max.message.bytes']).catch(unknownApi),
    metadata(broker, [topic]),
  ])
  const lanes = partitions
    .map(({partition}) => newLane(partition, ends.get(partition)!))
    .sort((a, b) => a.partition - b.partition)
  return {lanes, maxBatchBytes: Number(configs?.[0]?.value ?? DEFAULT_MAX_MESSAGE_BYTES), clusterId: clusterId ?? ''}
}

/** Without the end of its log nothing could be said of what was sent to a partition. */
function led({name, errorCode, partitions}: TopicMetadata): TopicMetadata['partitions'] {
  check(errorCode, {api: 'Metadata', topic: name})
  const leaderless = partitions.find(({leader}) => leader < 0)
  if (leaderless) throw noLeader(name, leaderless.partition)
  return partitions
}

/** Some that speak Kafka's protocol have no configurations. */
function unknownApi(error: unknown): null {
  if (error instanceof SkkError && error.code === 'UNSUPPORTED') return null
  throw error
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
