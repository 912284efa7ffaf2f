import {
  type BatchHeader,
  type DecodedRecord,
  HEADER_BYTES,
  isControl,
  isTransactional,
  openBatch,
  readBatchHeader,
  recordAt,
} from '../../records/batch.js'
import {forEachRecord} from '../../records/record.js'
import type {FetchAnswer} from '../requests/fetch.js'

/** The key of a transaction marker: version, then 0 for an abort, 1 for a commit. */
const ABORT = 0

/** One fetched batch, and where the next one begins. */
export type OpenBatch = {
  header: BatchHeader
  /** Its records, decompressed, for `forEachRecord`; null where none of them is to be seen. */
  section: Buffer | null
  nextOffset: number
}

/** The records of one fetched batch, and where the next one begins. */
export type DecodedBatch = {records: DecodedRecord[]; nextOffset: number}

/**
 * The batches of one partition's answer that are whole, checksums checked, without what transaction markers hold and without what
 * belongs to aborted transactions (KIP-98; `aborted` is empty unless only committed records were asked for). A batch that is
 * hidden still tells where the next one begins. Throws RecordError.
 */
export async function* openBatches({records, aborted}: Pick<FetchAnswer, 'records' | 'aborted'>): AsyncGenerator<OpenBatch> {
  const pending = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const abortedProducers = new Set<number>()
  for (const {at, header} of wholeBatches(records)) {
    const lastOffset = header.baseOffset + header.lastOffsetDelta
    while (pending[0] && pending[0].firstOffset <= lastOffset) abortedProducers.add(pending.shift()!.producerId)
    yield {header, section: await visible(records, at, header, abortedProducers), nextOffset: lastOffset + 1}
  }
}

/** The same, with their records as objects. */
export async function* decodeBatches(answer: Pick<FetchAnswer, 'records' | 'aborted'>): AsyncGenerator<DecodedBatch> {
  for await (const {header, section, nextOffset} of openBatches(answer)) {
    const records: DecodedRecord[] = []
    if (section) forEachRecord(section, header, (bounds) => records.push(recordAt(section, bounds)))
    yield {records, nextOffset}
  }
}

/** Where to go on after an answer's batches, by their headers only; `offset` when none is whole. */
export function offsetAfter(records: Buffer, offset: number): number {
  let next = offset
  for (const {header} of wholeBatches(records)) next = Math.max(next, header.baseOffset + header.lastOffsetDelta + 1)
  return next
}

/**
 * The last batch of an answer may be cut off, which ends it. One of an older format has no length that could be trusted, and is
 * the last one.
 */
function* wholeBatches(records: Buffer): Generator<{at: number; header: BatchHeader}> {
  for (let at = 0; at + HEADER_BYTES <= records.length; ) {
    const header = readBatchHeader(records, at)
    if (header.magic === 2 && at + header.sizeInBytes > records.length) return
    yield {at, header}
    if (header.magic !== 2 || header.sizeInBytes < HEADER_BYTES) return
    at += header.sizeInBytes
  }
}

async function visible(bytes: Buffer, at: number, header: BatchHeader, abortedProducers: Set<number>): Promise<Buffer | null> {
  const isMarker = isControl(header)
  if (!isMarker && isTransactional(header) && abortedProducers.has(header.producerId)) return null
  const {section} = await openBatch(bytes, at)
  if (!isMarker) return section
  forEachRecord(section, header, ({keyStart, keyEnd}) => {
    if (keyEnd - keyStart >= 4 && section.readInt16BE(keyStart + 2) === ABORT) abortedProducers.delete(header.producerId)
  })
  return null
}
