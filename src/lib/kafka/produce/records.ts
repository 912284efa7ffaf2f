import type {Header, RecordInput} from '../../records/batch.js'
import {encodeHeaders} from '../../records/batch-writer.js'
import {EnvelopeError, readEnvelope, writeEnvelope} from '../../records/envelope.js'
import {EnvelopeScanner} from '../../records/envelope-scanner.js'
import type {ParseLine} from './lines.js'
import type {PlacedRecord} from './placed-record.js'
import {BadLineError} from './portion.js'

/** What is the same for every record. */
export type Fixed = {
  headers: readonly Header[]
  /** Epoch milliseconds, instead of that of the record, or of now. */
  timestamp?: number | null
  /** Null for the one that the record asks for, if any, or its key. */
  partition: number | null
}

export type LineFormat = Fixed & {
  /** Cuts a line into key and value at its first occurrence. */
  keySeparator: Buffer | null
  /** Accept a line without separator, as a record without key. */
  missingKeyIsNull: boolean
  key: Buffer | null
  /** A value of exactly these bytes is a tombstone. */
  nullValue?: Buffer | null
}

export type RecordFormat = Fixed & {keepPartition: boolean}

/** Lines as values. */
export function lineParser({
  keySeparator,
  missingKeyIsNull,
  key,
  nullValue = null,
  headers,
  timestamp,
  partition,
}: LineFormat): ParseLine {
  const encodedHeaders = encodeHeaders(headers)
  const keyLength = key?.length ?? 0
  return (bytes, start, end, record) => {
    setHeaders(record, encodedHeaders)
    record.timestamp = timestamp ?? Number.NaN
    record.partition = partition ?? -1
    record.key = key
    record.keyStart = 0
    record.keyEnd = keyLength
    record.value = bytes
    record.valueStart = start
    record.valueEnd = end
    if (keySeparator !== null) {
      const at = indexOf(keySeparator, bytes, start, end)
      if (at < 0 && !missingKeyIsNull) throw new BadLineError(`it has no "${keySeparator}", so no key`)
      record.key = at < 0 ? null : bytes
      record.keyStart = start
      record.keyEnd = at
      if (at >= 0) record.valueStart = at + keySeparator.length
    }
    if (nullValue !== null && isSame(nullValue, bytes, record.valueStart, end)) record.value = null
  }
}

/** The first place of `wanted` in `bytes[start, end)`, or -1: `Buffer.indexOf` alone would go on to the next lines. */
function indexOf(wanted: Buffer, bytes: Buffer, start: number, end: number): number {
  if (wanted.length > 1) {
    const at = bytes.subarray(start, end).indexOf(wanted)
    return at < 0 ? -1 : start + at
  }
  const byte = wanted[0]
  for (let at = start; at < end; at++) if (bytes[at] === byte) return at
  return -1
}

const isSame = (wanted: Buffer, bytes: Buffer, start: number, end: number): boolean =>
  wanted.length === end - start && wanted.compare(bytes, start, end) === 0

/** Gives a record headers that `encodeHeaders` made. */
export function setHeaders(record: PlacedRecord, encoded: Buffer | null): void {
  record.headers = encoded
  record.headersStart = 0
  record.headersEnd = encoded?.length ?? 0
}

/** The line that `lineParser` makes that record of. */
export function lineOf({keySeparator, nullValue}: LineFormat): (record: RecordInput) => Buffer {
  return ({key, value}) => {
    const text = value ?? nullValue ?? Buffer.alloc(0)
    return keySeparator === null || key === null ? text : Buffer.concat([key, keySeparator, text])
  }
}

/** A line that `recordParser` makes that record of. */
export const envelopeOf = (record: RecordInput): Buffer => writeEnvelope(record)

/** Lines as envelopes (product.md, "The record envelope"). */
export function recordParser({headers, timestamp = null, partition, keepPartition}: RecordFormat): ParseLine {
  const scanner = new EnvelopeScanner()
  return (bytes, start, end, record, spare) => {
    if (headers.length === 0 && scanner.scan(bytes, start, end, record, spare)) {
      if (timestamp !== null) record.timestamp = timestamp
      record.partition = partition ?? (keepPartition ? scanner.partition : -1)
      return
    }
    const envelope = strictEnvelope(bytes.subarray(start, end))
    record.key = envelope.key
    record.keyStart = 0
    record.keyEnd = envelope.key?.length ?? 0
    record.value = envelope.value
    record.valueStart = 0
    record.valueEnd = envelope.value?.length ?? 0
    setHeaders(record, encodeHeaders(headers.length === 0 ? envelope.headers : [...envelope.headers, ...headers]))
    record.timestamp = timestamp ?? envelope.timestamp ?? Number.NaN
    record.partition = partition ?? (keepPartition ? (envelope.partition ?? -1) : -1)
  }
}

function strictEnvelope(line: Buffer): ReturnType<typeof readEnvelope> {
  try {
    return readEnvelope(line)
  } catch (error) {
    if (error instanceof EnvelopeError) throw new BadLineError(error.message)
    throw error
  }
}
