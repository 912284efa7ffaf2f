import {isUtf8} from 'node:buffer'
import type {Header} from './batch.js'
import {
  accept,
  acceptNull,
  EnvelopeError,
  errorAt,
  escapeUnsafe,
  expectCharacter,
  type JsonLine,
  peek,
  quoted,
  readInteger,
  readString,
  unexpected,
} from './json-line.js'

export {EnvelopeError}

/** A record with where it came from. `timestamp` is epoch milliseconds. */
export type Envelope = {
  topic?: string
  partition?: number
  offset?: number
  timestamp?: number
  key: Buffer | null
  value: Buffer | null
  headers: Header[]
}

/** What of an envelope makes a record. Its topic and offset are checked and dropped: they never route. */
export type EnvelopeRecord = Omit<Envelope, 'topic' | 'offset'>

/** The years that ISO 8601 writes with four digits, 0000 to 9999, in epoch milliseconds. */
const FIRST_ISO_TIME = -62_167_219_200_000
const LAST_ISO_TIME = 253_402_300_799_999

const LARGEST_PARTITION = 2 ** 31 - 1
const BYTES = 'a string, null or {"base64": "…"}'

/**
 * The record as one line of JSON without a newline: valid JSON for any bytes, and `readEnvelope` gives the same bytes
 * back. Bytes that are not UTF-8 are `{"base64":"…"}`; a timestamp outside the years 0000 to 9999 is the number.
 */
export function writeEnvelope({topic, partition, offset, timestamp, key, value, headers}: Envelope): Buffer {
  const members: string[] = []
  if (topic !== undefined) members.push(`"topic":${JSON.stringify(topic)}`)
  if (partition !== undefined) members.push(`"partition":${partition}`)
  if (offset !== undefined) members.push(`"offset":${offset}`)
  if (timestamp !== undefined) members.push(`"timestamp":${timestampJson(timestamp)}`)
  const headersJson = headers.map((header) => `[${bytesJson(header.key)},${bytesJson(header.value)}]`)
  members.push(`"key":${bytesJson(key)}`, `"value":${bytesJson(value)}`, `"headers":[${headersJson.join(',')}]`)
  return Buffer.from(escapeUnsafe(`{${members.join(',')}}`))
}

/** An ISO 8601 time as a JSON string, or the number where it has more than four digits of a year. */
export function timestampJson(timestamp: number): string {
  const isIso = timestamp >= FIRST_ISO_TIME && timestamp <= LAST_ISO_TIME
  return isIso ? `"${new Date(timestamp).toISOString()}"` : String(timestamp)
}

function bytesJson(bytes: Buffer | null): string {
  if (bytes === null) return 'null'
  return isUtf8(bytes) ? JSON.stringify(bytes.toString()) : `{"base64":"${bytes.toString('base64')}"}`
}

/**
 * Reads one line as an envelope. Keys, values and headers may be views of `line`. Throws EnvelopeError on anything that is
 * not exactly an envelope: no valid JSON or UTF-8, an unknown or duplicate member, no `value`, half of a surrogate pair,
 * base64 that is not the standard padded form, a number that would not be exact.
 */
export function readEnvelope(line: Buffer): EnvelopeRecord {
  const json: JsonLine = {bytes: line, at: 0}
  if (!isUtf8(line)) throw errorAt(json, firstInvalidByte(line), 'bytes that are not UTF-8 (write them as {"base64": "…"})')
  const members = readMembers(json)
  if (members.value === undefined) throw errorAt(json, json.at, 'the record has no member "value" (null is a tombstone)')
  const {key = null, value, headers = [], timestamp, partition} = members
  return {
    key,
    value,
    headers,
    ...(timestamp === undefined ? {} : {timestamp}),
    ...(partition === undefined ? {} : {partition}),
  }
}

function firstInvalidByte(line: Buffer): number {
  const repaired = Buffer.from(line.toString())
  return line.findIndex((byte, at) => byte !== repaired[at])
}

type Members = {
  topic?: Buffer
  partition?: number
  offset?: number
  timestamp?: number
  key?: Buffer | null
  value?: Buffer | null
  headers?: Header[]
}

function readMembers(json: JsonLine): Members {
  const members: Members = {}
  expectCharacter(json, '{')
  if (!accept(json, '}')) {
    do readMember(json, members)
    while (accept(json, ','))
    expectCharacter(json, '}')
  }
  if (peek(json) >= 0) throw unexpected(json, 'the end of the line')
  return members
}

function readMember(json: JsonLine, members: Members): void {
  const {name, at} = readName(json)
  if (Object.hasOwn(members, name)) throw errorAt(json, at, `duplicate member ${quoted(name)}`)
  switch (name) {
    case 'key':
      members.key = readNullable(json)
      break
    case 'value':
      members.value = readNullable(json)
      break
    case 'headers':
      members.headers = readHeaders(json)
      break
    case 'timestamp':
      members.timestamp = readTimestamp(json)
      break
    case 'partition':
      members.partition = readInteger(json, 0, LARGEST_PARTITION)
      break
    case 'offset':
      members.offset = readInteger(json, 0, Number.MAX_SAFE_INTEGER)
      break
    case 'topic':
      members.topic = readString(json)
      break
    default:
      throw errorAt(json, at, `unknown member ${quoted(name)}`)
  }
}

function readName(json: JsonLine): {name: string; at: number} {
  peek(json)
  const {at} = json
  const name = readString(json, 'a member name').toString()
  expectCharacter(json, ':')
  return {name, at}
}

function readNullable(json: JsonLine): Buffer | null {
  return acceptNull(json) ? null : readBytes(json, BYTES)
}

function readBytes(json: JsonLine, wanted: string): Buffer {
  if (!accept(json, '{')) return readString(json, wanted)
  const {name, at} = readName(json)
  if (name !== 'base64') throw errorAt(json, at, `unknown member ${quoted(name)} where only "base64" can be`)
  peek(json)
  const start = json.at
  const text = readString(json, 'a base64 string').toString()
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw errorAt(json, start, 'not base64 in its standard, padded form')
  expectCharacter(json, '}')
  return bytes
}

function readHeaders(json: JsonLine): Header[] {
  const headers: Header[] = []
  expectCharacter(json, '[')
  if (accept(json, ']')) return headers
  do {
    expectCharacter(json, '[')
    const key = readBytes(json, 'a header name (a string or {"base64": "…"})')
    expectCharacter(json, ',')
    headers.push({key, value: readNullable(json)})
    expectCharacter(json, ']')
  } while (accept(json, ','))
  expectCharacter(json, ']')
  return headers
}

function readTimestamp(json: JsonLine): number {
  if (peek(json) !== 0x22) return readInteger(json, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  const start = json.at
  const text = readString(json).toString()
  const timestamp = parseIsoTime(text)
  if (timestamp === null) {
    throw errorAt(json, start, `${quoted(text)} is no ISO 8601 time of at most milliseconds, such as 2026-11-20T10:00:00.123Z,`)
  }
  return timestamp
}

const ISO_TIME = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(?:Z|([+-])(\d\d):([0-5]\d))?$/

/** Epoch milliseconds of a time whose zone is UTC unless it says so, or null if there is no such time. */
export function parseIsoTime(text: string): number | null {
  const match = ISO_TIME.exec(text)
  if (match === null) return null
  const [, date, minutes, seconds = '00', fraction = '', sign, offsetHours = '0', offsetMinutes = '0'] = match
  const utc = `${date}T${minutes}:${seconds}.${fraction.padEnd(3, '0')}Z`
  const time = Date.parse(utc)
  // Date.parse takes 30 February for 2 March, and 24:00 for the next day.
  if (Number.isNaN(time) || new Date(time).toISOString() !== utc || Number(offsetHours) > 23) return null
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000
  return sign === '-' ? time + offset : time - offset
}
