import {
  type BatchHeader,
  type DecodedRecord,
  decodeBatch,
  HEADER_BYTES,
  isControl,
  isTransactional,
  readBatchHeader,
} from '../../records/batch.js'
import type {FetchAnswer} from '../requests/fetch.js'

/** The key of a transaction marker: version, then 0 for an abort, 1 for a commit. */
const ABORT = 0

/** The records of one fetched batch, and where the next one begins. */
export type DecodedBatch = {records: DecodedRecord[]; nextOffset: number}

/**
 * The batches of one partition's answer that are whole, checksums checked, without transaction markers and without what
 * belongs to aborted transactions (KIP-98; `aborted` is empty unless only committed records were asked for). A batch that is
 * dropped still tells where the next one begins. Throws RecordError.
 */
export async function* decodeBatches({records, aborted}: Pick<FetchAnswer, 'records' | 'aborted'>): AsyncGenerator<DecodedBatch> {
  const pending = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const abortedProducers = new Set<number>()
  for (let at = 0; at + HEADER_BYTES <= records.length; ) {
    const header = readBatchHeader(records, at)
    // The last batch of an answer may be cut off; an older format has no length of its own that could be trusted.
    if (header.magic === 2 && at + header.sizeInBytes > records.length) return
    const lastOffset = header.baseOffset + header.lastOffsetDelta
    while (pending[0] && pending[0].firstOffset <= lastOffset) abortedProducers.add(pending.shift()!.producerId)
    yield {records: await visible(records, at, header, abortedProducers), nextOffset: lastOffset + 1}
    at += header.sizeInBytes
  }
}

async function visible(bytes: Buffer, at: number, header: BatchHeader, abortedProducers: Set<number>): Promise<DecodedRecord[]> {
  if (isControl(header)) {
    const [marker] = await decodeBatch(bytes, at)
    if (marker?.key && marker.key.length >= 4 && marker.key.readInt16BE(2) === ABORT) abortedProducers.delete(header.producerId)
    return []
  }
  if (isTransactional(header) && abortedProducers.has(header.producerId)) return []
  return decodeBatch(bytes, at)
}
