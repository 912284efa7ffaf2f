import {batchCrc, CODECS, CRC_AT, HEADER_BYTES, type Header, LOG_OVERHEAD_BYTES, writeBatchHeader} from './batch.js'
import type {Compression} from './compression.js'
import {sizeOfLength, sizeOfVarint, sizeOfVarlong, writeLength, writeVarint, writeVarlong} from './varint.js'

/**
 * One record as spans of bytes that lie elsewhere. The object is used over and over, so that a record costs no object of
 * its own. A null buffer is a null key, or a tombstone.
 */
export type RecordSpans = {
  key: Buffer | null
  keyStart: number
  keyEnd: number
  value: Buffer | null
  valueStart: number
  valueEnd: number
  /** As `encodeHeaders` makes them; null for none. */
  headers: Buffer | null
  headersStart: number
  headersEnd: number
  /** Epoch milliseconds; NaN for that of the batch. */
  timestamp: number
}

/** Who sends a batch: -1 in each without idempotence. */
export type BatchIdentity = {producerId: number; producerEpoch: number; baseSequence: number}

/** Length, attributes, two deltas, two lengths and the number of headers, each at its longest. */
const RECORD_OVERHEAD_BYTES = 36

/** No headers, as the one byte that says so. */
const NO_HEADERS = 0

/** From this length on the native copy is faster than a loop. */
const NATIVE_COPY_BYTES = 24

/** How many bytes `record` can take in a batch at most. */
export function largestSize(record: RecordSpans): number {
  const {key, keyStart, keyEnd, value, valueStart, valueEnd, headers, headersStart, headersEnd} = record
  return (
    RECORD_OVERHEAD_BYTES +
    (key === null ? 0 : keyEnd - keyStart) +
    (value === null ? 0 : valueEnd - valueStart) +
    (headers === null ? 0 : headersEnd - headersStart)
  )
}

/** The headers of a record as it carries them, their number first; null when there are none. */
export function encodeHeaders(headers: readonly Header[]): Buffer | null {
  if (headers.length === 0) return null
  let size = sizeOfVarint(headers.length)
  for (const {key, value} of headers) size += 10 + key.length + (value?.length ?? 0)
  const bytes = Buffer.allocUnsafe(size)
  let at = writeVarint(bytes, headers.length, 0)
  for (const {key, value} of headers) {
    at = copy(key, 0, key.length, bytes, writeVarint(bytes, key.length, at))
    at = value === null ? writeVarint(bytes, -1, at) : copy(value, 0, value.length, bytes, writeVarint(bytes, value.length, at))
  }
  return bytes.subarray(0, at)
}

/**
 * Writes records of one version 2 batch, one behind the other, into the bytes from `from` to `to` of a buffer, which are used again
 * for the next batch. `headroom` of them are left before the batch, for the request that will carry it. Records that lie elsewhere in
 * the same buffer are copied in a third of the time that it takes for those in another.
 */
export class BatchWriter {
  readonly bytes: Buffer
  readonly headroom: number
  /** Where the batch begins. */
  readonly start: number
  /** Where the next record goes. */
  at: number
  count = 0
  /** Epoch milliseconds. */
  baseTimestamp = 0
  private maxTimestamp = 0
  private readonly end: number
  /** What carries the batch when its records are compressed; used again, too. */
  private frame = Buffer.alloc(0)
  private compressedBytes = 0

  constructor(bytes: Buffer, headroom: number, from = 0, to = bytes.length) {
    this.bytes = bytes
    this.headroom = headroom
    this.start = from + headroom
    this.end = to
    this.at = this.start + HEADER_BYTES
  }

  /** Begins a new batch; `now` (epoch milliseconds) is the time of records that have none. */
  reset(now: number): void {
    this.at = this.start + HEADER_BYTES
    this.count = 0
    this.baseTimestamp = now
    this.maxTimestamp = now
  }

  /** Size of the batch so far, header included. */
  get size(): number {
    return this.at - this.start
  }

  /** The encoded records, without the header. */
  get section(): Buffer {
    return this.bytes.subarray(this.start + HEADER_BYTES, this.at)
  }

  /** Whether `record` has room; true only if `append` will not run over the end. */
  fits(record: RecordSpans): boolean {
    return this.at + largestSize(record) <= this.end
  }

  /** Appends a record that `fits`. Throws RecordError on a timestamp more than 2^52 ms from the first one's. */
  append(record: RecordSpans): void {
    const {key, value, headers, timestamp} = record
    const stamped = !Number.isNaN(timestamp)
    if (stamped && this.count === 0) {
      this.baseTimestamp = timestamp
      this.maxTimestamp = timestamp
    }
    const delta = stamped ? timestamp - this.baseTimestamp : 0
    if (stamped && timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
    const index = this.count++
    const keyLength = key === null ? -1 : record.keyEnd - record.keyStart
    const valueLength = value === null ? -1 : record.valueEnd - record.valueStart
    const size =
      1 +
      (delta === 0 ? 1 : sizeOfVarlong(delta)) +
      sizeOfLength(index) +
      (keyLength < 0 ? 1 : sizeOfLength(keyLength) + keyLength) +
      (valueLength < 0 ? 1 : sizeOfLength(valueLength) + valueLength) +
      (headers === null ? 1 : record.headersEnd - record.headersStart)

    const {bytes} = this
    let at = writeLength(bytes, size, this.at)
    bytes[at++] = 0 // attributes, of which no bit has a meaning yet
    if (delta === 0) bytes[at++] = 0
    else at = writeVarlong(bytes, delta, at)
    at = writeLength(bytes, index, at)
    at = writeLength(bytes, keyLength, at)
    if (key !== null) at = copy(key, record.keyStart, record.keyEnd, bytes, at)
    at = writeLength(bytes, valueLength, at)
    if (value !== null) at = copy(value, record.valueStart, record.valueEnd, bytes, at)
    if (headers === null) bytes[at++] = NO_HEADERS
    else at = copy(headers, record.headersStart, record.headersEnd, bytes, at)
    this.at = at
  }

  /** The whole batch, with its header and checksum: a view of `bytes`, valid until the next `append`, `finish` or `reset`. */
  finish(identity: BatchIdentity): Buffer {
    const batch = this.bytes.subarray(this.start, this.at)
    return sealed(batch, this.header(identity, batch.length, 'none'))
  }

  /** Takes what a codec made of `section`, for `finishCompressed`, by copying it. */
  takeCompressed(compressed: Buffer): void {
    const size = this.headroom + HEADER_BYTES + compressed.length
    // The next will be about as large.
    if (this.frame.length < size) this.frame = Buffer.allocUnsafeSlow(Math.ceil(size * 1.1))
    this.frame.set(compressed, this.headroom + HEADER_BYTES)
    this.compressedBytes = compressed.length
  }

  /** The same as `finish` with the records as `codec` made them: a view of other bytes, valid as long, behind the same headroom. */
  finishCompressed(identity: BatchIdentity, codec: Compression): {bytes: Buffer; batch: Buffer} {
    const bytes = this.frame
    const batch = bytes.subarray(this.headroom, this.headroom + HEADER_BYTES + this.compressedBytes)
    return {bytes, batch: sealed(batch, this.header(identity, batch.length, codec))}
  }

  private header(identity: BatchIdentity, sizeInBytes: number, codec: Compression) {
    return {
      baseOffset: 0,
      batchLength: sizeInBytes - LOG_OVERHEAD_BYTES,
      leaderEpoch: -1,
      magic: 2,
      crc: 0,
      attributes: CODECS.indexOf(codec),
      lastOffsetDelta: this.count - 1,
      baseTimestamp: this.baseTimestamp,
      maxTimestamp: this.maxTimestamp,
      ...identity,
      recordCount: this.count,
    }
  }
}

function sealed(batch: Buffer, header: Parameters<typeof writeBatchHeader>[1]): Buffer {
  writeBatchHeader(batch, header)
  batch.writeUInt32BE(batchCrc(batch, 0, batch.length), CRC_AT)
  return batch
}

function copy(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  const length = end - start
  if (length < NATIVE_COPY_BYTES) while (start < end) target[at++] = source[start++]!
  else {
    // Within one buffer it takes no view of the source, which costs more than the copy.
    if (source === target) target.copyWithin(at, start, end)
    else source.copy(target, at, start, end)
    at += length
  }
  return at
}
