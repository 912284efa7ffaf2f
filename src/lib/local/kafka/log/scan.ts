import {type BatchHeader, HEADER_BYTES, readBatchHeader} from '../../../records/batch.js'
import {readFully} from './files.js'

/** `bytes` is the whole batch, or its header alone; valid until the next step of the scan. */
export type ScannedBatch = {header: BatchHeader; position: number; bytes: Buffer}

/** Large enough that a few megabytes of batch are seldom read twice, small enough for the processor's cache. */
const CHUNK_BYTES = {headers: 256 * 1024, batches: 4 * 1024 * 1024}

/**
 * Walks the batches of a segment in `[from, to)`, in steps of what one read brought. Ends early at bytes that cannot be a
 * batch: another magic, a length below a header's or beyond `to`, a negative count. Checksums are the caller's business.
 */
export async function* scanBatches(
  descriptor: number,
  from: number,
  to: number,
  part: 'headers' | 'batches',
): AsyncGenerator<ScannedBatch[], void> {
  let buffer = Buffer.allocUnsafe(Math.max(0, Math.min(CHUNK_BYTES[part], to - from)))
  let position = from
  while (position + HEADER_BYTES <= to) {
    const wanted = buffer.subarray(0, Math.min(buffer.length, to - position))
    const filled = await readFully(descriptor, wanted, position)
    const {batches, end, next} = wholeBatches(wanted.subarray(0, filled), position, to, part)
    if (batches.length > 0) yield batches
    position = end
    if (next === 'bad' || filled < wanted.length) return
    if (batches.length === 0) buffer = Buffer.allocUnsafe(Math.min(next, to - position))
  }
}

type Step = {
  batches: ScannedBatch[] /** Where the next step begins. */
  end: number /** How many bytes it needs at least. */
  next: number | 'bad'
}

function wholeBatches(bytes: Buffer, position: number, to: number, part: 'headers' | 'batches'): Step {
  const batches: ScannedBatch[] = []
  let at = 0
  while (at + HEADER_BYTES <= bytes.length) {
    const header = readBatchHeader(bytes, at)
    if (!isPossible(header, to - position - at)) return {batches, end: position + at, next: 'bad'}
    const needed = part === 'headers' ? HEADER_BYTES : header.sizeInBytes
    if (at + needed > bytes.length) return {batches, end: position + at, next: needed}
    batches.push({header, position: position + at, bytes: bytes.subarray(at, at + needed)})
    at += header.sizeInBytes
  }
  return {batches, end: position + at, next: HEADER_BYTES}
}

const isPossible = ({magic, sizeInBytes, baseOffset, lastOffsetDelta, recordCount}: BatchHeader, room: number): boolean =>
  magic === 2 && sizeInBytes >= HEADER_BYTES && sizeInBytes <= room && baseOffset >= 0 && lastOffsetDelta >= 0 && recordCount >= 0
