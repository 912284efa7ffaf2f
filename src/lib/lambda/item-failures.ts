import {type SourceRecord, topicPartition} from './event.js'

/**
 * The records that a function with `ReportBatchItemFailures` did not process: per partition, those from the lowest reported offset on.
 * All of them when the answer is malformed: no object, an identifier that is a string, or one that names no record of the batch.
 * None for an empty answer, or an empty or missing list.
 *
 * The answer is `{"batchItemFailures":[{"itemIdentifier":{"partition":"orders-0","offset":42}}]}`.
 * Sources: docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html and aws-powertools/powertools-lambda-python#7941, as of
 * 2026-11-20. Not verified: that an answer that is neither null nor an object fails the batch.
 */
export function failedRecords(topic: string, records: readonly SourceRecord[], answer: unknown): readonly SourceRecord[] {
  if (answer === null || answer === undefined || answer === '') return []
  if (typeof answer !== 'object' || Array.isArray(answer)) return records
  const failures = (answer as {batchItemFailures?: unknown}).batchItemFailures ?? []
  if (!Array.isArray(failures)) return records
  if (failures.length === 0) return []

  const offsets = offsetsByPartition(topic, records)
  const lowest = new Map<string, number>()
  for (const failure of failures) {
    const {partition, offset} = identifierOf(failure)
    if (!offsets.get(partition)?.has(offset)) return records
    lowest.set(partition, Math.min(offset, lowest.get(partition) ?? offset))
  }
  return records.filter((record) => record.offset >= (lowest.get(topicPartition(topic, record.partition)) ?? Infinity))
}

function offsetsByPartition(topic: string, records: readonly SourceRecord[]): Map<string, Set<number>> {
  const offsets = new Map<string, Set<number>>()
  for (const record of records) {
    const partition = topicPartition(topic, record.partition)
    const known = offsets.get(partition)
    if (known) known.add(record.offset)
    else offsets.set(partition, new Set([record.offset]))
  }
  return offsets
}

/** What a failure names; of something else, what no batch holds. */
function identifierOf(failure: unknown): {partition: string; offset: number} {
  const identifier = (failure as {itemIdentifier?: {partition?: unknown; offset?: unknown}} | null)?.itemIdentifier
  const {partition, offset} = identifier ?? {}
  if (typeof partition !== 'string' || typeof offset !== 'number') return {partition: '', offset: -1}
  return {partition, offset}
}
