import type {Header, RecordInput} from '../../records/batch.js'
import {EnvelopeError, readEnvelope} from '../../records/envelope.js'
import type {Line} from './lines.js'

/** A record as it was read, not yet placed. */
export type Item = RecordInput & {
  /** Where the user chose it: `--partition`, or the envelope's under `--keep-partition`. */
  partition: number | null
  line: number
  source: string
}

/** A line that is no record. */
export class BadLineError extends Error {
  override readonly name = 'BadLineError'
}

export type LineFormat = {
  /** Cuts a line into key and value at its first occurrence. */
  keySeparator: Buffer | null
  /** Accept a line without separator, as a record without key. */
  missingKeyIsNull: boolean
  key: Buffer | null
  headers: readonly Header[]
  partition: number | null
}

export type RecordFormat = {headers: readonly Header[]; partition: number | null; keepPartition: boolean}

/** Lines as values, stamped with `now` (epoch ms). The parser throws BadLineError. */
export function lineParser({keySeparator, missingKeyIsNull, key, headers, partition}: LineFormat) {
  return ({bytes, number: line}: Line, source: string, now: number): Item => {
    const rest = {headers: [...headers], timestamp: now, partition, line, source}
    if (keySeparator === null) return {key, value: bytes, ...rest}
    const at = bytes.indexOf(keySeparator)
    if (at >= 0) return {key: bytes.subarray(0, at), value: bytes.subarray(at + keySeparator.length), ...rest}
    if (missingKeyIsNull) return {key: null, value: bytes, ...rest}
    throw new BadLineError(`it has no "${keySeparator}", so no key`)
  }
}

/** Lines as envelopes (product.md, "The record envelope"). The parser throws BadLineError. */
export function recordParser({headers, partition, keepPartition}: RecordFormat) {
  return ({bytes, number: line}: Line, source: string, now: number): Item => {
    const envelope = strictEnvelope(bytes)
    return {
      key: envelope.key,
      value: envelope.value,
      headers: [...envelope.headers, ...headers],
      timestamp: envelope.timestamp ?? now,
      partition: partition ?? (keepPartition ? (envelope.partition ?? null) : null),
      line,
      source,
    }
  }
}

function strictEnvelope(bytes: Buffer): ReturnType<typeof readEnvelope> {
  try {
    return readEnvelope(bytes)
  } catch (error) {
    if (error instanceof EnvelopeError) throw new BadLineError(error.message)
    throw error
  }
}
