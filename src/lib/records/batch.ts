import type {Compression} from './compression.js'
import {crc32c} from './crc32c.js'
import {RecordError} from './record-error.js'

/** One header of a record. Names and values are bytes: Kafka promises UTF-8 names but no broker checks it. */
export type Header = {key: Buffer; value: Buffer | null}

/** A record to be written. `timestamp` is epoch milliseconds; a null value is a tombstone. */
export type RecordInput = {key: Buffer | null; value: Buffer | null; headers: Header[]; timestamp: number}

export type DecodedRecord = RecordInput & {offset: number}

/** Size in bytes of a version 2 record batch up to its first record. */
export const HEADER_BYTES = 61

/** Size of `baseOffset` and `batchLength`, which `batchLength` does not count. */
export const LOG_OVERHEAD_BYTES = 12

/** Where the checksummed part starts: base offset and leader epoch lie before it, so a broker may set them without a new CRC. */
export const CRC_START = 21

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
const CODECS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

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

/** The `attributes` of a batch of plain records compressed with `codec`. */
export function attributesFor(codec: Compression): number {
  return CODECS.indexOf(codec)
}

/** Exact up to 2^53 in size, as every real offset, producer id and timestamp is; beyond that the nearest double. */
function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}

function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  bytes.writeUInt32BE(value >>> 0, at + 4)
}
