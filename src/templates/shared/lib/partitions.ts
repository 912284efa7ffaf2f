import type {BatchResponse, KafkaEvent, KafkaRecord} from './batch.ts'
import type {Deadline} from './deadline.ts'

export type PartitionOptions<Result> = {
  /** How many partitions are written at once. */
  concurrency: number
  deadline: Deadline
  /** All records of a partition, in the order of their offsets; an error means that all of them come again. */
  write(records: readonly KafkaRecord[]): Promise<Result>
  /** Is told of the first of the records that will come again. */
  onFailure(record: KafkaRecord, error: unknown): void
}

export type PartitionCounts = {in: number; ok: number; left: number}

/**
 * Writes what an event has of each partition as a whole, partitions side by side: where records have their effect together, as in
 * one file, there is no record to go on from. Returns the answer for Lambda, which names the first offset of each partition that
 * failed, and what `write` returned for the others.
 */
export async function processPartitions<Result>(
  event: KafkaEvent,
  options: PartitionOptions<Result>,
): Promise<{response: BatchResponse; counts: PartitionCounts; results: Result[]}> {
  const partitions = Object.entries(event.records).filter(([, records]) => records.length > 0)
  const batchItemFailures: BatchResponse['batchItemFailures'] = []
  const counts: PartitionCounts = {in: 0, ok: 0, left: 0}
  const results: Result[] = []

  const waiting = partitions.values()
  const worker = async () => {
    for (const [partition, records] of waiting) {
      counts.in += records.length
      const [first] = records as [KafkaRecord]
      try {
        if (options.deadline.passed()) throw new Error('no time left to write')
        results.push(await options.write(records))
        counts.ok += records.length
      } catch (error) {
        options.onFailure(first, error)
        counts.left += records.length
        batchItemFailures.push({itemIdentifier: {partition, offset: first.offset}})
      }
    }
  }
  await Promise.all(Array.from({length: Math.min(options.concurrency, partitions.length)}, worker))
  return {response: {batchItemFailures}, counts, results}
}
