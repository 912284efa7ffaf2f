import {badRequest, HttpError} from './http.ts'
import {isObject} from './json.ts'

/** A record as it was asked for. */
export type Wanted = {
  partition: number | undefined
  key: Buffer | null
  value: Buffer | null
  /** In order, and with duplicates. */
  headers: [name: string, value: Buffer][]
  /** Milliseconds since 1970. */
  timestamp: number
}

/** What a member says, in the words of whoever asked: `records[3].partition`. */
export type Place = string

/** An object with no members but those named: a misspelt `value` would be a tombstone. Throws HttpError (400). */
export function membersOf(value: unknown, names: readonly string[], at: Place): Record<string, unknown> {
  if (!isObject(value)) throw badRequest(`${at} is not an object`)
  const unknown = Object.keys(value).find((name) => !names.includes(name))
  if (unknown !== undefined) throw badRequest(`${at} has a member that is none of ${names.join(', ')}`)
  return value
}

export function partitionOf(value: unknown, at: Place): number | undefined {
  if (value === undefined || value === null) return undefined
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31) return value as number
  throw badRequest(`${at} is not a partition`)
}

/** Milliseconds since 1970, or a time with its zone as ISO 8601 has it. Absent is now. */
export function timestampOf(value: unknown, now: number, at: Place): number {
  if (value === undefined || value === null) return now
  const time = typeof value === 'string' && ISO.test(value) ? Date.parse(value) : value
  if (Number.isSafeInteger(time) && (time as number) >= 0) return time as number
  throw badRequest(`${at} is neither milliseconds since 1970 nor a time such as 2026-11-20T10:00:00.123Z`)
}

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/

/** `[{name, value}]` with values in base64. */
export function headersOf(value: unknown, at: Place): [string, Buffer][] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw badRequest(`${at} is not a list`)
  return value.map((one, index) => {
    const here = `${at}[${index}]`
    const {name, value: data} = membersOf(one, ['name', 'value'], here)
    if (typeof name !== 'string' || !name.isWellFormed()) throw badRequest(`${here}.name is not a text`)
    return [name, bytesOf(data, `${here}.value`)]
  })
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

/** Buffer.from takes anything for base64 and leaves out what is none. */
export function bytesOf(value: unknown, at: Place): Buffer {
  if (typeof value !== 'string' || !BASE64.test(value)) throw badRequest(`${at} is not base64`)
  return Buffer.from(value, 'base64')
}

/** JSON as bytes. */
export function jsonBytes(value: unknown, at: Place): Buffer {
  try {
    return Buffer.from(JSON.stringify(value))
  } catch {
    throw badRequest(`${at} is nested too deeply`)
  }
}

/** Half of a surrogate pair has no bytes. */
export function textBytes(value: unknown, at: Place): Buffer {
  if (typeof value !== 'string' || !value.isWellFormed()) throw badRequest(`${at} is not a text`)
  return Buffer.from(value)
}

export const MOST_RECORDS = 1000

/** A list with at least one and at most 1,000 members. */
export function listOf(value: unknown, at: Place): unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw badRequest(`${at} is not a list with a record in it`)
  if (value.length > MOST_RECORDS) throw new HttpError(413, `${at} has more than ${MOST_RECORDS} records`)
  return value
}
