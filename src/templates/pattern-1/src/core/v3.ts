import {badRequest, HttpError, type HttpResponse, respond, respondError} from './http.ts'
import {type Outcome, statusOf} from './outcome.ts'
import {
  bytesOf,
  headersOf,
  jsonBytes,
  listOf,
  membersOf,
  type Place,
  partitionOf,
  textBytes,
  timestampOf,
  type Wanted,
} from './record.ts'

const MEMBERS = ['partition_id', 'headers', 'key', 'value', 'timestamp']
const TYPES = {BINARY: bytesOf, JSON: jsonBytes, STRING: textBytes}
const LONGEST_ID = 80

type Type = keyof typeof TYPES
type Sized = {type: Type; size: number} | undefined
export type V3Record = Wanted & {keyType: Type | undefined; valueType: Type | undefined}
/** A record of a batch, or why it is none. */
export type Entry = {id: string} & ({record: V3Record} | {error: HttpError})

/** The record of a request for one. Throws HttpError (400, 415). */
export function parseV3(read: () => unknown, mediaType: string, now: number): V3Record {
  requireJson(mediaType)
  return recordOf(membersOf(read(), MEMBERS, 'the body'), now, 'the body')
}

/**
 * The entries of a batch. One that is no record fails alone; without ids nobody could tell which. Throws HttpError: 400, 413, 415.
 */
export function parseV3Batch(read: () => unknown, mediaType: string, now: number): Entry[] {
  requireJson(mediaType)
  const {entries} = membersOf(read(), ['entries'], 'the body')
  const seen = new Set<string>()
  return listOf(entries, 'entries').map((entry, index) => {
    const at = `entries[${index}]`
    const {id, ...record} = membersOf(entry, ['id', ...MEMBERS], at)
    if (typeof id !== 'string' || id === '' || id.length > LONGEST_ID || !id.isWellFormed())
      throw badRequest(`${at}.id is not a text of 1 to ${LONGEST_ID} characters`)
    if (seen.has(id)) throw badRequest(`${at}.id is that of another entry`)
    seen.add(id)
    try {
      return {id, record: recordOf(record, now, at)}
    } catch (error) {
      if (error instanceof HttpError) return {id, error}
      throw error
    }
  })
}

function requireJson(mediaType: string): void {
  if (mediaType !== 'application/json') throw new HttpError(415, 'the content type is not application/json')
}

function recordOf({partition_id, headers, key, value, timestamp}: Record<string, unknown>, now: number, at: Place): V3Record {
  if (value === undefined) throw badRequest(`${at} has no value; null is a tombstone`)
  const [keyData, valueData] = [dataOf(key, `${at}.key`), dataOf(value, `${at}.value`)]
  return {
    partition: partitionOf(partition_id, `${at}.partition_id`),
    headers: headersOf(headers, `${at}.headers`),
    key: keyData.bytes,
    keyType: keyData.type,
    value: valueData.bytes,
    valueType: valueData.type,
    timestamp: timestampOf(timestamp, now, `${at}.timestamp`),
  }
}

/** `{type: BINARY | JSON | STRING, data}`; data that is null has no bytes. */
function dataOf(value: unknown, at: Place): {bytes: Buffer | null; type: Type | undefined} {
  if (value === undefined || value === null) return {bytes: null, type: undefined}
  const {type, data} = membersOf(value, ['type', 'data'], at)
  if (typeof type !== 'string' || !Object.hasOwn(TYPES, type))
    throw badRequest(`${at}.type is none of ${Object.keys(TYPES).join(', ')}`)
  if (data === undefined) throw badRequest(`${at} has no data`)
  return {bytes: data === null ? null : TYPES[type as Type](data, `${at}.data`), type: type as Type}
}

type Stored = Extract<Outcome, {stored: true}>

function resultOf(
  {keyType, valueType, key, value, timestamp}: V3Record,
  outcome: Stored,
  where: {cluster: string; topic: string},
) {
  const sized = (type: Type | undefined, bytes: Buffer | null): Sized => type && {type, size: bytes?.length ?? 0}
  return {
    cluster_id: where.cluster,
    topic_name: where.topic,
    partition_id: outcome.partition,
    offset: Number(outcome.offset),
    timestamp: timeOf(timestamp),
    key: sized(keyType, key),
    value: sized(valueType, value),
  }
}

/** ISO 8601 as far as it goes; the years after 275,760 are a number. */
const timeOf = (timestamp: number): string | number => (timestamp > 8.64e15 ? timestamp : new Date(timestamp).toISOString())

export function renderV3(record: V3Record, outcome: Outcome, where: {cluster: string; topic: string}): HttpResponse {
  if (!outcome.stored) return respondError(outcome.error)
  return respond(200, {error_code: 200, ...resultOf(record, outcome, where)})
}

/** `outcomes` has one for each entry. */
export function renderV3Batch(
  entries: readonly Entry[],
  outcomes: readonly Outcome[],
  where: {cluster: string; topic: string},
): HttpResponse {
  const results = entries.map((entry, index) => ({entry, outcome: outcomes[index]!}))
  const successes = results.flatMap(({entry, outcome}) =>
    outcome.stored && 'record' in entry ? [{id: entry.id, ...resultOf(entry.record, outcome, where)}] : [],
  )
  const failures = results.flatMap(({entry, outcome}) =>
    outcome.stored ? [] : [{id: entry.id, error_code: outcome.error.code, message: outcome.error.message}],
  )
  return respond(statusOf(outcomes), {successes, failures})
}
