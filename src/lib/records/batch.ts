import {type Compression, compress, decompress, MAX_DECOMPRESSED_BYTES} from './compression.js'
import {crc32c} from './crc32c.js'
import {forEachRecord, type RecordBounds, readHeaders, sizeOfRecords, writeRecords} from './record.js'
import {RecordError} from './record-error.js'

/** One header of a record. Names and values are bytes: Kafka promises UTF-8 names but no broker checks it. */
export type Header = {key: Buffer; value: Buffer | null}

/** A record to be written. `timestamp` is epoch milliseconds; a null value is a tombstone. */
export type RecordInput = {key: Buffer | null; value: Buffer | null; headers: Header[]; timestamp: number}

export type DecodedRecord = RecordInput & {offset: number}

export type EncodeOptions = {compression?: Compression; producerId?: number; producerEpoch?: number; baseSequence?: number}

/** Size in bytes of a version 2 record batch up to its first record. */
export const HEADER_BYTES = 61

/** Size of `baseOffset` and `batchLength`, which `batchLength` does not count. */
export const LOG_OVERHEAD_BYTES = 12

/** Where the checksum stands in a batch. */
export const CRC_AT = 17

/** Where the checksummed part starts: base offset and leader epoch lie before it, so a broker may set them without a new CRC. */
const CRC_START = 21

/**
 * The header of a version 2 record batch, field by field as on the wire (Apache Kafka's documentation, "Record Batch").
 * Timestamps are epoch milliseconds. Without an idempotent producer, `producerId`, `producerEpoch` and `baseSequence`
 * are -1.
 */
export type BatchHeader = {
  baseOffset: number
  /** Bytes after this field: the size of the whole batch less 12. */
  batchLength: number
  leaderEpoch: number
  magic: number
  crc: number
  attributes: number
  lastOffsetDelta: number
  baseTimestamp: number
  maxTimestamp: number
  producerId: number
  producerEpoch: number
  baseSequence: number
  recordCount: number
  /** The whole batch with this header: `batchLength` and 12. */
  sizeInBytes: number
}

/** In the order of the three lowest bits of `attributes`. */
export const CODECS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

const COMPRESSION_MASK = 0x07
const LOG_APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

/**
 * Reads the 61 header bytes at `at`, and judges none of them: check `magic`, then `sizeInBytes` against what is there,
 * then `crcMatches`. Throws RangeError when fewer than 61 bytes are left.
 */
export function readBatchHeader(bytes: Buffer, at = 0): BatchHeader {
  const batchLength = bytes.readInt32BE(at + 8)
  return {
    baseOffset: readInt64(bytes, at),
    batchLength,
    leaderEpoch: bytes.readInt32BE(at + 12),
    magic: bytes.readInt8(at + 16),
    crc: bytes.readUInt32BE(at + 17),
    attributes: bytes.readInt16BE(at + 21),
    lastOffsetDelta: bytes.readInt32BE(at + 23),
    baseTimestamp: readInt64(bytes, at + 27),
    maxTimestamp: readInt64(bytes, at + 35),
    producerId: readInt64(bytes, at + 43),
    producerEpoch: bytes.readInt16BE(at + 51),
    baseSequence: bytes.readInt32BE(at + 53),
    recordCount: bytes.readInt32BE(at + 57),
    sizeInBytes: batchLength + LOG_OVERHEAD_BYTES,
  }
}

/** Writes every field of `header` except `sizeInBytes` to the 61 bytes at `at`. */
export function writeBatchHeader(bytes: Buffer, header: Omit<BatchHeader, 'sizeInBytes'>, at = 0): void {
  writeInt64(bytes, header.baseOffset, at)
  bytes.writeInt32BE(header.batchLength, at + 8)
  bytes.writeInt32BE(header.leaderEpoch, at + 12)
  bytes.writeInt8(header.magic, at + 16)
  bytes.writeUInt32BE(header.crc, at + 17)
  bytes.writeInt16BE(header.attributes, at + 21)
  bytes.writeInt32BE(header.lastOffsetDelta, at + 23)
  writeInt64(bytes, header.baseTimestamp, at + 27)
  writeInt64(bytes, header.maxTimestamp, at + 35)
  writeInt64(bytes, header.producerId, at + 43)
  bytes.writeInt16BE(header.producerEpoch, at + 51)
  bytes.writeInt32BE(header.baseSequence, at + 53)
  bytes.writeInt32BE(header.recordCount, at + 57)
}

/** The checksum that the batch of `sizeInBytes` bytes at `at` should carry. */
export function batchCrc(bytes: Buffer, at: number, sizeInBytes: number): number {
  return crc32c(bytes, at + CRC_START, at + sizeInBytes)
}

/** Whether the batch at `at`, whose header is `header`, is there as a whole and has the checksum that it carries. */
export function crcMatches(bytes: Buffer, at: number, header: BatchHeader): boolean {
  const {sizeInBytes} = header
  if (sizeInBytes < HEADER_BYTES || at + sizeInBytes > bytes.length) return false
  return batchCrc(bytes, at, sizeInBytes) === header.crc
}

/** The codec of the batch's records. Throws RecordError on one that Kafka does not define. */
export function compressionOf(header: Pick<BatchHeader, 'attributes'>): Compression {
  const id = header.attributes & COMPRESSION_MASK
  const codec = CODECS[id]
  if (codec === undefined) throw new RecordError(`unknown compression codec ${id}`)
  return codec
}

/** Whether the batch was written inside a transaction. */
export function isTransactional(header: Pick<BatchHeader, 'attributes'>): boolean {
  return (header.attributes & TRANSACTIONAL) !== 0
}

/** Whether the batch holds a transaction marker, which no consumer shows, instead of records. */
export function isControl(header: Pick<BatchHeader, 'attributes'>): boolean {
  return (header.attributes & CONTROL) !== 0
}

/** Who stamped the records. With LogAppendTime every record's time is the batch's `maxTimestamp`. */
export function timestampType(header: Pick<BatchHeader, 'attributes'>): 'CreateTime' | 'LogAppendTime' {
  return (header.attributes & LOG_APPEND_TIME) === 0 ? 'CreateTime' : 'LogAppendTime'
}

/**
 * Encodes `records` as one version 2 batch, as a producer sends it: offsets from 0, leader epoch -1, base timestamp that
 * of the first record. The producer fields are -1 unless given. Throws RecordError on an empty batch, and on timestamps
 * that are no safe integers or lie more than 2^52 ms apart.
 */
export async function encodeBatch(records: readonly RecordInput[], options: EncodeOptions = {}): Promise<Buffer> {
  const {compression = 'none', producerId = -1, producerEpoch = -1, baseSequence = -1} = options
  const {baseTimestamp, maxTimestamp} = timestampRange(records)
  const batch = await encodeSection(records, baseTimestamp, compression)
  const header = {
    baseOffset: 0,
    batchLength: batch.length - LOG_OVERHEAD_BYTES,
    leaderEpoch: -1,
    magic: 2,
    crc: 0,
    attributes: CODECS.indexOf(compression),
    lastOffsetDelta: records.length - 1,
    baseTimestamp,
    maxTimestamp,
    producerId,
    producerEpoch,
    baseSequence,
    recordCount: records.length,
  }
  writeBatchHeader(batch, header)
  batch.writeUInt32BE(batchCrc(batch, 0, batch.length), CRC_AT)
  return batch
}

function timestampRange(records: readonly RecordInput[]): {baseTimestamp: number; maxTimestamp: number} {
  const baseTimestamp = records[0]?.timestamp
  if (baseTimestamp === undefined) throw new RecordError('a batch needs a record')
  let maxTimestamp = baseTimestamp
  for (const {timestamp} of records) {
    if (!Number.isSafeInteger(timestamp)) throw new RecordError(`${timestamp} is no timestamp in whole milliseconds`)
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
  }
  return {baseTimestamp, maxTimestamp}
}

/** The encoded records after 61 bytes that are left for the header. */
async function encodeSection(records: readonly RecordInput[], baseTimestamp: number, codec: Compression): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + sizeOfRecords(records, baseTimestamp))
  writeRecords(bytes, records, baseTimestamp, HEADER_BYTES)
  if (codec === 'none') return bytes
  return Buffer.concat([bytes.subarray(0, HEADER_BYTES), await compress(codec, bytes.subarray(HEADER_BYTES))])
}

/**
 * The header and the decompressed records section of the version 2 batch at `at`, checksum included, for `forEachRecord`. An
 * uncompressed section is a view of `bytes`. Throws RecordError on anything malformed, cut off, of another magic, or that
 * decompresses to more than `maxBytes` (128 MiB).
 */
export async function openBatch(
  bytes: Buffer,
  at = 0,
  {maxBytes = MAX_DECOMPRESSED_BYTES} = {},
): Promise<{header: BatchHeader; section: Buffer}> {
  const header = readCheckedHeader(bytes, at)
  const encoded = bytes.subarray(at + HEADER_BYTES, at + header.sizeInBytes)
  return {header, section: await decompress(compressionOf(header), encoded, maxBytes)}
}

/**
 * Decodes the version 2 batch at `at`, checksum included. Offsets are the batch's base offset plus each record's delta.
 * Keys, values and headers are views of `bytes`, or of the decompressed records. The records of a control batch are
 * markers: ask `isControl` first. Throws RecordError as `openBatch` does.
 */
export async function decodeBatch(bytes: Buffer, at = 0, options: {maxBytes?: number} = {}): Promise<DecodedRecord[]> {
  const {header, section} = await openBatch(bytes, at, options)
  const records: DecodedRecord[] = []
  forEachRecord(section, header, (bounds) => records.push(recordAt(section, bounds)))
  return records
}

/** The record at `bounds` as an object; its bytes are views of `section`. */
export function recordAt(section: Buffer, bounds: RecordBounds): DecodedRecord {
  return {
    offset: bounds.offset,
    timestamp: bounds.timestamp,
    key: bounds.keyStart < 0 ? null : section.subarray(bounds.keyStart, bounds.keyEnd),
    value: bounds.valueStart < 0 ? null : section.subarray(bounds.valueStart, bounds.valueEnd),
    headers: readHeaders(section, bounds),
  }
}

function readCheckedHeader(bytes: Buffer, at: number): BatchHeader {
  const left = bytes.length - at
  if (left < HEADER_BYTES) throw new RecordError(`a batch of ${left} bytes is shorter than its header`)
  const header = readBatchHeader(bytes, at)
  if (header.magic !== 2) throw new RecordError(`a batch of magic ${header.magic}, where only 2 is known`)
  if (header.sizeInBytes < HEADER_BYTES || header.sizeInBytes > left) {
    throw new RecordError(`a batch of ${header.sizeInBytes} bytes where ${left} are left`)
  }
  if (!crcMatches(bytes, at, header)) throw new RecordError(`the batch at offset ${header.baseOffset} has a wrong checksum`)
  return header
}

/** Exact up to 2^53 in size, as every real offset, producer id and timestamp is; beyond that the nearest double. */
function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}

function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  bytes.writeUInt32BE(value >>> 0, at + 4)
}
