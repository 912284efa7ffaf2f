import {HttpError, type HttpResponse, respond} from './http.ts'
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

const MEMBERS = ['key', 'value', 'partition', 'headers', 'timestamp']

type Encode = (value: unknown, at: Place) => Buffer

/** How the REST Proxy's version 2 names its formats; `application/json` differs in keys, which have the bytes that others give them. */
const FORMATS: Record<string, {key: Encode; value: Encode}> = {
  'application/json': {key: (key, at) => (typeof key === 'string' ? textBytes(key, at) : jsonBytes(key, at)), value: jsonBytes},
  'application/vnd.kafka.json.v2+json': {key: jsonBytes, value: jsonBytes},
  'application/vnd.kafka.binary.v2+json': {key: bytesOf, value: bytesOf},
}

/** The records of a body, `{records: [{value, key?, partition?, headers?, timestamp?}]}`. Throws HttpError: 400, 413, 415. */
export function parseV2(read: () => unknown, mediaType: string, now: number): Wanted[] {
  if (!Object.hasOwn(FORMATS, mediaType))
    throw new HttpError(415, `the content type is none of ${Object.keys(FORMATS).join(', ')}`)
  const format = FORMATS[mediaType]!
  const {records} = membersOf(read(), ['records'], 'the body')
  return listOf(records, 'records').map((record, index) => {
    const at = `records[${index}]`
    const {key = null, value, partition, headers, timestamp} = membersOf(record, MEMBERS, at)
    if (value === undefined) throw new HttpError(400, `${at} has no value; null is a tombstone`)
    return {
      key: key === null ? null : format.key(key, `${at}.key`),
      value: value === null ? null : format.value(value, `${at}.value`),
      partition: partitionOf(partition, `${at}.partition`),
      headers: headersOf(headers, `${at}.headers`),
      timestamp: timestampOf(timestamp, now, `${at}.timestamp`),
    }
  })
}

/** Coordinates in the order of the records, or what went wrong with each. */
export function renderV2(outcomes: readonly Outcome[]): HttpResponse {
  const offsets = outcomes.map((outcome) =>
    outcome.stored
      ? {partition: outcome.partition, offset: Number(outcome.offset), error_code: null, error: null}
      : {partition: null, offset: null, error_code: outcome.error.code, error: outcome.error.message},
  )
  return respond(statusOf(outcomes), {offsets, key_schema_id: null, value_schema_id: null})
}
