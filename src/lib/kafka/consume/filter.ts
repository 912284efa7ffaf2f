import {SkkError} from '../../errors.js'
import {compileFilter, FilterError, type Message, messageOf} from '../../lambda/filter.js'
import {type Json, JsonNumber} from '../../lambda/json.js'
import {type RecordBounds, readHeaders} from '../../records/record.js'
import {isoTime} from './template.js'

/** Whether a record is to be written. The bounds are good for the call only. */
export type RecordFilter = (section: Buffer, bounds: RecordBounds, partition: number) => boolean

const MEMBERS = ['value', 'key', 'headers', 'partition', 'offset', 'timestamp']

const keyAt = (section: Buffer, {keyStart, keyEnd}: RecordBounds): Buffer | null =>
  keyStart < 0 ? null : section.subarray(keyStart, keyEnd)
const valueAt = (section: Buffer, {valueStart, valueEnd}: RecordBounds): Buffer | null =>
  valueStart < 0 ? null : section.subarray(valueStart, valueEnd)

/** All of them have to let a record through; null when there are none. */
export function allOf(filters: readonly (RecordFilter | null)[]): RecordFilter | null {
  const given = filters.filter((filter) => filter !== null)
  return given.length === 0 ? null : (...record) => given.every((filter) => filter(...record))
}

/**
 * Records that match any of the patterns, in the language of a mapping's filters, and by the same code. Beside `value` they may speak of
 * `key` (in the same way), `headers` (by name; one of several values is enough), `partition` and `offset` (numbers) and `timestamp` (its
 * ISO 8601 text). Throws SkkError (usage).
 */
export function where(patterns: readonly string[]): RecordFilter | null {
  if (patterns.length === 0) return null
  const filters = patterns.map(compiled)
  return (section, bounds, partition) => {
    const known = new Map<string, Message>()
    const member = (name: string): Message => {
      const message = known.get(name) ?? memberOf(name, section, bounds, partition)
      known.set(name, message)
      return message
    }
    return filters.some((filter) => filter.matches(member))
  }
}

function compiled(pattern: string) {
  try {
    return compileFilter(pattern, MEMBERS)
  } catch (cause) {
    if (!(cause instanceof FilterError)) throw cause
    throw new SkkError(`cannot apply --where: ${cause.message}`, {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Write a filter pattern as for an event-source mapping, such as \'{"value":{"status":["failed"]}}\'.',
      cause,
    })
  }
}

function memberOf(name: string, section: Buffer, bounds: RecordBounds, partition: number): Message {
  switch (name) {
    case 'value':
      return messageOf(valueAt(section, bounds))
    case 'key':
      return messageOf(keyAt(section, bounds))
    case 'headers':
      return {kind: 'json', json: headersJson(section, bounds)}
    case 'partition':
      return {kind: 'leaf', leaf: new JsonNumber(String(partition))}
    case 'offset':
      return {kind: 'leaf', leaf: new JsonNumber(String(bounds.offset))}
    default:
      return {kind: 'leaf', leaf: isoTime(bounds.timestamp)}
  }
}

/** Each name with its values in order. */
function headersJson(section: Buffer, bounds: RecordBounds): Json {
  const names = new Map<string, Json[]>()
  for (const {key, value} of readHeaders(section, bounds)) {
    const name = key.toString()
    names.set(name, [...(names.get(name) ?? []), value?.toString() ?? null])
  }
  return names
}

/** Records whose key or value the expression (RE2: linear in time, whatever it is) is found in. Throws SkkError (usage). */
export async function grep(expression: string | undefined): Promise<RecordFilter | null> {
  if (expression === undefined) return null
  const {RE2JS} = await import('re2js')
  let pattern: ReturnType<typeof RE2JS.compile>
  try {
    pattern = RE2JS.compile(expression)
  } catch (cause) {
    throw new SkkError(`cannot apply --grep: ${(cause as Error).message}`, {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Write a regular expression of RE2, such as --grep "timeout|refused"; (?i) at its beginning ignores case.',
      cause,
    })
  }
  const found = (bytes: Buffer | null): boolean => bytes !== null && pattern.test(bytes.toString())
  return (section, bounds) => found(valueAt(section, bounds)) || found(keyAt(section, bounds))
}
