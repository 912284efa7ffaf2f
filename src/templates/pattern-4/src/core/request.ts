import {type KafkaRecord, PoisonError} from '../lib/batch.ts'

export type RequestSettings = {
  /** May hold {topic}, {partition}, {offset} and {key} in its path and query. */
  endpoint: string
  method: 'POST' | 'PUT' | 'PATCH'
  headers: Record<string, string>
  body: 'raw' | 'json'
}

export type Request = {url: string; method: string; headers: Record<string, string>; body: Buffer}

/**
 * The request for a record. The idempotency key is the record's place, the same at each attempt and after each redelivery, so that
 * the endpoint can tell a duplicate. Throws PoisonError for a record without a key when the address needs one.
 */
export function requestFor(record: KafkaRecord, {endpoint, method, headers, body}: RequestSettings): Request {
  const {topic, partition, offset} = record
  const own = {
    'content-type': body === 'json' ? 'application/json' : 'application/octet-stream',
    ...lowerCased(headers),
    'idempotency-key': `${topic}-${partition}-${offset}`,
    ...(record.value == null && {'kafka-tombstone': 'true'}),
  }
  return {url: urlFor(record, endpoint), method, headers: own, body: body === 'json' ? jsonBody(record) : bytesOf(record.value)}
}

/** Placeholders stand in the path and the query only, so that no record chooses the host. */
export function placeholdersAreSafe(endpoint: string): boolean {
  const authority = /^[a-z]+:\/\/([^/?#]*)/i.exec(endpoint)?.[1]
  return authority !== undefined && !/[{}@]/.test(authority) && unknownPlaceholders(endpoint).length === 0
}

const unknownPlaceholders = (endpoint: string): string[] =>
  [...endpoint.matchAll(/\{([^}]*)\}/g)].map(([, name]) => name!).filter((name) => !PLACEHOLDERS.includes(name))

const PLACEHOLDERS = ['topic', 'partition', 'offset', 'key']

function urlFor({topic, partition, offset, key}: KafkaRecord, endpoint: string): string {
  if (key == null && endpoint.includes('{key}')) throw new PoisonError('the record has no key for the address')
  const values: Record<string, string> = {topic, partition: String(partition), offset: String(offset), key: text(key)}
  return endpoint.replaceAll(/\{(\w+)\}/g, (_, name: string) => segment(values[name]!))
}

/** One segment of a path: ".." would be another path, in every spelling of it. */
function segment(value: string): string {
  if (/^\.{1,2}$/.test(value)) throw new PoisonError('the key cannot stand in the address')
  return encodeURIComponent(value)
}

/** The record as JSON: text where the bytes are UTF-8, else {"base64": "…"}; null is null. */
function jsonBody({topic, partition, offset, timestamp, key, value, headers}: KafkaRecord): Buffer {
  const named = headers.flatMap((header) => Object.entries(header).map(([name, bytes]) => [name, readable(Buffer.from(bytes))]))
  return Buffer.from(
    JSON.stringify({topic, partition, offset, timestamp, key: decoded(key), value: decoded(value), headers: named}),
  )
}

const decoded = (base64: string | null | undefined) => (base64 == null ? null : readable(bytesOf(base64)))

function readable(bytes: Buffer): string | {base64: string} {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
  } catch {
    return {base64: bytes.toString('base64')}
  }
}

const bytesOf = (base64: string | null | undefined): Buffer => Buffer.from(base64 ?? '', 'base64')

const text = (base64: string | null | undefined): string => bytesOf(base64).toString()

const lowerCased = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
