import type {BatchResponse, Counts, KafkaEvent, KafkaRecord} from '../lib/batch.ts'
import type {Deadline} from '../lib/deadline.ts'
import type {Written} from './sink.ts'

export type PartitionOptions = {
  deadline: Deadline
  /** Rows of a transaction at most. */
  batchRows: number
  maxRetries: number
  /** All records in one transaction, or an error and nothing of them. */
  write(records: readonly KafkaRecord[]): Promise<Written>
  mayPass(error: unknown): boolean
  /** Is told of the first of the records that will come again. */
  onFailure(record: KafkaRecord, error: unknown): void
  sleep(ms: number): Promise<unknown>
  random(): number
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 3000

/**
 * Writes the partitions of an event one after the other, each in transactions of at most `batchRows`. A partition stops at the first
 * that fails, the others go on. Returns the answer for Lambda.
 */
export async function writePartitions(
  {records: byPartition}: KafkaEvent,
  options: PartitionOptions,
): Promise<{response: BatchResponse; counts: Counts & {skipped: number}}> {
  const batchItemFailures: BatchResponse['batchItemFailures'] = []
  const counts = {in: 0, ok: 0, poison: 0, left: 0, skipped: 0}
  for (const [partition, records] of Object.entries(byPartition)) {
    counts.in += records.length
    for (let at = 0; at < records.length; at += options.batchRows) {
      const part = records.slice(at, at + options.batchRows)
      const written = await writePatiently(part, options)
      if (written === undefined) {
        counts.left += records.length - at
        batchItemFailures.push({itemIdentifier: {partition, offset: part[0]!.offset}})
        break
      }
      counts.ok += written.ok
      counts.poison += written.poison.length
      counts.skipped += written.skipped
    }
  }
  return {response: {batchItemFailures}, counts}
}

/** Undefined when they were not written. */
async function writePatiently(records: readonly KafkaRecord[], options: PartitionOptions): Promise<Written | undefined> {
  const {deadline, maxRetries, onFailure} = options
  for (let attempt = 1; ; attempt++) {
    try {
      if (deadline.passed()) throw new Error('no time left to write')
      return await options.write(records)
    } catch (error) {
      const pause = options.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1))
      if (!options.mayPass(error) || attempt > maxRetries || pause >= deadline.remainingMs()) {
        onFailure(records[0]!, error)
        return undefined
      }
      await options.sleep(pause)
    }
  }
}
