import {type BatchHeader, type Header, type RecordInput, timestampType} from './batch.js'
import {RecordError} from './record-error.js'
import {type Cursor, readVarint, readVarlong, sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong} from './varint.js'

/** Where the parts of one record lie in the records section of its batch. A start of -1 is null. */
export type RecordBounds = {
  offset: number
  /** Epoch milliseconds; the batch's `maxTimestamp` under LogAppendTime. */
  timestamp: number
  keyStart: number
  keyEnd: number
  valueStart: number
  valueEnd: number
  /** Where the number of headers stands; `readHeaders` goes on from here. */
  headersStart: number
  end: number
}

/** What of a batch's header its records need. */
type RecordsHeader = Pick<BatchHeader, 'baseOffset' | 'baseTimestamp' | 'maxTimestamp' | 'recordCount' | 'attributes'>

/** A record without key, value and headers: its length, attributes, two deltas, two lengths and the number of headers. */
const SMALLEST_RECORD_BYTES = 7

/**
 * Calls `visit` for each record of a batch, in order. `section` is everything after the batch's header, decompressed.
 * `bounds` is one object used over and over: copy what is to be kept. Throws RecordError on the first record that does
 * not hold together, and when the section is not used up by exactly `recordCount` records.
 */
export function forEachRecord(section: Buffer, header: RecordsHeader, visit: (bounds: RecordBounds) => void): void {
  const {baseOffset, baseTimestamp, maxTimestamp, recordCount} = header
  if (recordCount < 0 || recordCount * SMALLEST_RECORD_BYTES > section.length) {
    throw new RecordError(`${recordCount} records do not fit into ${section.length} bytes`)
  }
  const appendTime = timestampType(header) === 'LogAppendTime'
  const cursor: Cursor = {bytes: section, at: 0, end: section.length}
  const bounds: RecordBounds = {
    offset: 0,
    timestamp: 0,
    keyStart: 0,
    keyEnd: 0,
    valueStart: 0,
    valueEnd: 0,
    headersStart: 0,
    end: 0,
  }
  for (let i = 0; i < recordCount; i++) {
    const length = readVarint(cursor)
    const end = cursor.at + length
    if (length < SMALLEST_RECORD_BYTES - 1 || end > cursor.end) {
      throw new RecordError(`record ${i} has ${length} bytes where ${cursor.end - cursor.at} are left`)
    }
    cursor.at++ // attributes, of which no bit has a meaning yet
    const timestampDelta = readVarlong(cursor)
    bounds.timestamp = appendTime ? maxTimestamp : baseTimestamp + timestampDelta
    if (!Number.isSafeInteger(bounds.timestamp)) throw new RecordError(`record ${i} has a timestamp beyond 2^53`)
    bounds.offset = baseOffset + readVarint(cursor)
    const keyLength = readLength(cursor, end)
    bounds.keyStart = keyLength < 0 ? -1 : cursor.at
    bounds.keyEnd = keyLength < 0 ? -1 : cursor.at + keyLength
    cursor.at += Math.max(keyLength, 0)
    const valueLength = readLength(cursor, end)
    bounds.valueStart = valueLength < 0 ? -1 : cursor.at
    bounds.valueEnd = valueLength < 0 ? -1 : cursor.at + valueLength
    cursor.at += Math.max(valueLength, 0)
    bounds.headersStart = cursor.at
    bounds.end = end
    visit(bounds)
    cursor.at = end
  }
  if (cursor.at !== section.length) throw new RecordError(`${section.length - cursor.at} bytes follow the last record`)
}

/** The headers of the record at `bounds`; names and values are views of `section`. Throws RecordError on malformed ones. */
export function readHeaders(section: Buffer, bounds: RecordBounds): Header[] {
  const cursor: Cursor = {bytes: section, at: bounds.headersStart, end: bounds.end}
  const count = readVarint(cursor)
  if (count < 0 || count * 2 > cursor.end - cursor.at) {
    throw new RecordError(`${count} headers do not fit into ${cursor.end - cursor.at} bytes`)
  }
  const headers: Header[] = []
  for (let i = 0; i < count; i++) {
    const key = readBytes(cursor)
    if (key === null) throw new RecordError('a header has no name')
    headers.push({key, value: readBytes(cursor)})
  }
  if (cursor.at !== cursor.end) throw new RecordError(`${cursor.end - cursor.at} bytes follow the last header`)
  return headers
}

/** Bytes that `records` take as a records section, with deltas from the first record's offset and `baseTimestamp`. */
export function sizeOfRecords(records: readonly RecordInput[], baseTimestamp: number): number {
  let size = 0
  records.forEach((record, offsetDelta) => {
    const body = sizeOfRecordBody(record, offsetDelta, baseTimestamp)
    size += sizeOfVarint(body) + body
  })
  return size
}

/** Writes `records` as a records section at `at`, and returns where it ends. */
export function writeRecords(bytes: Buffer, records: readonly RecordInput[], baseTimestamp: number, at: number): number {
  records.forEach((record, offsetDelta) => {
    at = writeVarint(bytes, sizeOfRecordBody(record, offsetDelta, baseTimestamp), at)
    bytes[at++] = 0
    at = writeVarlong(bytes, record.timestamp - baseTimestamp, at)
    at = writeVarint(bytes, offsetDelta, at)
    at = writeBytes(bytes, record.key, at)
    at = writeBytes(bytes, record.value, at)
    at = writeVarint(bytes, record.headers.length, at)
    for (const header of record.headers) {
      at = writeBytes(bytes, header.key, at)
      at = writeBytes(bytes, header.value, at)
    }
  })
  return at
}

function sizeOfRecordBody(record: RecordInput, offsetDelta: number, baseTimestamp: number): number {
  let size = 1 + sizeOfVarlong(record.timestamp - baseTimestamp) + sizeOfVarint(offsetDelta)
  size += sizeOfBytes(record.key) + sizeOfBytes(record.value) + sizeOfVarint(record.headers.length)
  for (const header of record.headers) size += sizeOfBytes(header.key) + sizeOfBytes(header.value)
  return size
}

/** A length that fits before `end`, or -1 for null. */
function readLength(cursor: Cursor, end: number): number {
  const length = readVarint(cursor)
  if (length < -1 || cursor.at + length > end) {
    throw new RecordError(`a length of ${length} where ${end - cursor.at} bytes are left`)
  }
  return length
}

function readBytes(cursor: Cursor): Buffer | null {
  const length = readLength(cursor, cursor.end)
  if (length < 0) return null
  cursor.at += length
  return cursor.bytes.subarray(cursor.at - length, cursor.at)
}

function sizeOfBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length
}

function writeBytes(target: Buffer, bytes: Buffer | null, at: number): number {
  if (bytes === null) return writeVarint(target, -1, at)
  const start = writeVarint(target, bytes.length, at)
  target.set(bytes, start)
  return start + bytes.length
}
