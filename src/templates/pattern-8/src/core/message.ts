import {type KafkaRecord, PoisonError} from '../lib/batch.ts'

/** A record, decoded. */
export type Message = {
  topic: string
  partition: number
  offset: number
  /** Milliseconds since 1970. */
  timestamp: number
  key: Buffer | null
  /** What the JSON says, or the bytes; null is a tombstone. */
  value: unknown
  /** In order, and with duplicates. */
  headers: [name: string, value: Buffer][]
}

export type Format = 'json' | 'bytes'

/**
 * What a record says. A tombstone is none of its value and passes as null. Throws PoisonError when the value is not in the format,
 * or lacks a member that it must have.
 */
export function decode(record: KafkaRecord, {format, required}: {format: Format; required: readonly string[]}): Message {
  const {topic, partition, offset, timestamp, key, value} = record
  const headers = record.headers.flatMap((header) =>
    Object.entries(header).map(([name, bytes]): [string, Buffer] => [name, Buffer.from(bytes)]),
  )
  const bytes = bytesOf(value)
  const decoded = bytes === null || format === 'bytes' ? bytes : json(bytes, required)
  return {topic, partition, offset, timestamp, key: bytesOf(key), value: decoded, headers}
}

const bytesOf = (base64: string | null | undefined): Buffer | null => (base64 == null ? null : Buffer.from(base64, 'base64'))

/** No error quotes the value: it would be in the log, and whoever reads that need not be allowed to read the topic. */
function json(bytes: Buffer, required: readonly string[]): unknown {
  const value = parsed(text(bytes))
  if (required.length === 0) return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new PoisonError('the value is no JSON object')
  const missing = required.filter((name) => !Object.hasOwn(value, name))
  if (missing.length > 0) throw new PoisonError(`the value lacks ${missing.join(', ')}`)
  return value
}

function text(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes)
  } catch (error) {
    throw new PoisonError('the value is not UTF-8', {cause: error})
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    throw new PoisonError('the value is not JSON', {cause: error})
  }
}
