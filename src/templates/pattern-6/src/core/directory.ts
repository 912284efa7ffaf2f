import {type Row, textOf, type ValueKind} from './row.ts'

export type DirectorySettings = {
  /** Before every directory. */
  prefix: string
  /** May hold {topic}, {partition}, {year}, {month}, {day} and {hour}. */
  pathFormat: string
  /** As in `Europe/Berlin`. */
  timeZone: string
  /** The member of a JSON value that has its time; empty for the record's own timestamp. */
  timeField: string
  value: ValueKind
}

/** Where a record belongs. A record that is refused stands apart, with the reason. */
export type Placed = {directory: string; refused?: string}

const ERRORS = 'errors'
const PLACEHOLDERS = ['topic', 'partition', 'year', 'month', 'day', 'hour']
/** The years that can be written with four digits, from the one in which Unix begins. */
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z')
const ISO_TIME = /^\d{4}-\d\d-\d\dT/

/** Tells the directory of a row, always the same for the same row. */
export function directories(settings: DirectorySettings): (row: Row) => Placed {
  const partsOf = clock(settings.timeZone)
  return (row) => {
    const time = timeOf(row, settings)
    if (typeof time === 'string') return {directory: `${ERRORS}/${row.topic}`, refused: time}
    const values: Record<string, string> = {topic: row.topic, partition: String(row.partition), ...partsOf(time)}
    const path = settings.pathFormat.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name]!)
    return {directory: settings.prefix === '' ? path : `${settings.prefix}/${path}`}
  }
}

/** The placeholders of a path format that there are not. */
export const unknownPlaceholders = (pathFormat: string): string[] =>
  [...pathFormat.matchAll(/\{([^}]*)\}?/g)].map(([, name]) => name!).filter((name) => !PLACEHOLDERS.includes(name))

/** The time, or why there is none. */
function timeOf({timestamp, value}: Row, {timeField, value: kind}: DirectorySettings): number | string {
  let time: unknown = timestamp
  if (value !== null && (kind === 'json' || timeField !== '')) {
    try {
      const parsed: unknown = JSON.parse(textOf(value))
      if (timeField !== '') time = memberOf(parsed, timeField)
    } catch {
      return 'the value is no JSON'
    }
    if (typeof time === 'string') time = ISO_TIME.test(time) ? Date.parse(time) : undefined
  }
  return typeof time === 'number' && time >= 0 && time <= LAST_TIME ? time : 'it has no usable time'
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined

/** Calendar and clock of a time zone. */
function clock(timeZone: string): (time: number) => Record<string, string> {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
  })
  return (time) => Object.fromEntries(format.formatToParts(time).map(({type, value}) => [type, value]))
}
