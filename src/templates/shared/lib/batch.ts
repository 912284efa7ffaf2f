import type {Deadline} from './deadline.ts'

/** A record as Lambda's poller delivers it. */
export type KafkaRecord = {
  topic: string
  partition: number
  offset: number
  /** Milliseconds since 1970. */
  timestamp: number
  timestampType: string
  /** Base64; null or absent is a record without a key. */
  key?: string | null
  /** Base64; null or absent is a tombstone. */
  value?: string | null
  /** One member each, in order, with the bytes of its value. */
  headers: Record<string, number[]>[]
}

/** The records by `topic-partition`, in the order of their offsets. */
export type KafkaEvent = {eventSource: string; records: Record<string, KafkaRecord[]>}

/** For Kafka an identifier is an object: a text, as SQS has it, makes Lambda repeat the whole batch. */
export type BatchResponse = {batchItemFailures: {itemIdentifier: {partition: string; offset: number}}[]}

export type Counts = {in: number; ok: number; poison: number; left: number}

/** What has to stay in order: the records of a partition, those of a key, or nothing. */
export type Order = 'partition' | 'key' | 'none'

/** The record itself is at fault and will always be: it goes to the dead letters, and its partition goes on. */
export class PoisonError extends Error {
  override readonly name = 'PoisonError'
}

export type BatchOptions = {
  order: Order
  /** How many records are worked on at once. */
  concurrency: number
  deadline: Deadline
  handle(record: KafkaRecord): Promise<void>
  /** Keeps a poison record somewhere; if that fails the record counts as failed, and Lambda brings it again. */
  onPoison(record: KafkaRecord, error: PoisonError): Promise<void>
  /** Is told of a record that will come again. */
  onFailure(record: KafkaRecord, error: unknown): void
}

/** `stopAt` is the lowest offset that was not done: all from there on come again, so that nothing above it is begun. */
type Partition = {name: string; stopAt: number}
type Lane = {partition: Partition; records: KafkaRecord[]}

/**
 * Handles the records of an event: those of a lane one after the other, lanes side by side. The first failure of a partition stops
 * it, the others go on. Returns the answer for Lambda, which names for each stopped partition the offset to go on from.
 */
export async function processBatch(event: KafkaEvent, options: BatchOptions): Promise<{response: BatchResponse; counts: Counts}> {
  const partitions = Object.keys(event.records).map((name): Partition => ({name, stopAt: Number.POSITIVE_INFINITY}))
  const lanes = partitions.flatMap((partition) => lanesOf(partition, event.records[partition.name] ?? [], options.order))
  const counts: Counts = {in: 0, ok: 0, poison: 0, left: 0}
  counts.in = lanes.reduce((sum, {records}) => sum + records.length, 0)

  const waiting = lanes.values()
  const worker = async () => {
    for (const lane of waiting) await runLane(lane, options, counts)
  }
  await Promise.all(Array.from({length: Math.min(options.concurrency, lanes.length)}, worker))

  counts.left = counts.in - counts.ok - counts.poison
  const stopped = partitions.filter(({stopAt}) => stopAt !== Number.POSITIVE_INFINITY)
  const response = {batchItemFailures: stopped.map(({name, stopAt}) => ({itemIdentifier: {partition: name, offset: stopAt}}))}
  return {response, counts}
}

/**
 * The answer of the handler. A mapping that does not read reports (`ReportBatchItemFailures`) takes any answer for success: there
 * the whole batch has to fail when a part of it did.
 */
export function answer(response: BatchResponse, {reports}: {reports: boolean}): BatchResponse {
  if (reports || response.batchItemFailures.length === 0) return response
  const where = response.batchItemFailures.map(({itemIdentifier: {partition, offset}}) => `${partition} at ${offset}`)
  throw new Error(`not everything was done: ${where.join(', ')}`)
}

function lanesOf(partition: Partition, records: KafkaRecord[], order: Order): Lane[] {
  const byName = new Map<string, KafkaRecord[]>()
  for (const record of records) {
    const name = laneOf(record, order)
    const lane = byName.get(name)
    if (lane) lane.push(record)
    else byName.set(name, [record])
  }
  return [...byName.values()].map((lane) => ({partition, records: lane}))
}

/** Records without a key are in no order with each other. */
function laneOf({key, offset}: KafkaRecord, order: Order): string {
  if (order === 'partition') return ''
  return order === 'key' && key != null ? `key ${key}` : `offset ${offset}`
}

async function runLane({partition, records}: Lane, options: BatchOptions, counts: Counts): Promise<void> {
  for (const record of records) {
    if (record.offset > partition.stopAt) return
    if (options.deadline.passed()) return stop(partition, record)
    try {
      counts[await handled(record, options)]++
    } catch (error) {
      options.onFailure(record, error)
      return stop(partition, record)
    }
  }
}

async function handled(record: KafkaRecord, {handle, onPoison}: BatchOptions): Promise<'ok' | 'poison'> {
  try {
    await handle(record)
    return 'ok'
  } catch (error) {
    if (!(error instanceof PoisonError)) throw error
    await onPoison(record, error)
    return 'poison'
  }
}

function stop(partition: Partition, {offset}: KafkaRecord): void {
  partition.stopAt = Math.min(partition.stopAt, offset)
}
