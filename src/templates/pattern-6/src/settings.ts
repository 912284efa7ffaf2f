import {type DirectorySettings, unknownPlaceholders} from './core/directory.ts'
import type {FormatSettings} from './core/format.ts'
import {type Reader, readConfig} from './lib/config.ts'

export type Settings = {
  bucket: string
  format: FormatSettings
  directories: DirectorySettings
  /** Whether tombstones are left out. */
  skipNulls: boolean
  /** Of exactly once; empty for at least once. */
  table: string
  claimMs: number
  concurrency: number
  /** Whether the mapping reads which records failed. */
  reports: boolean
}

const PATH_FORMAT = '{topic}/year={year}/month={month}/day={day}/hour={hour}'
/** Characters that need no escape anywhere, in parts that are not empty. */
const PATH = /^[\w.=-]+(\/[\w.=-]+)*$/

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Record<string, string | undefined>): Settings =>
  readConfig(env, (from) => {
    const value = from.oneOf('VALUE', ['bytes', 'json'], 'bytes')
    const delivery = from.oneOf('DELIVERY', ['at-least-once', 'exactly-once'], 'at-least-once')
    return {
      bucket: from.text('BUCKET'),
      format: {
        format: from.oneOf('FORMAT', ['ndjson', 'parquet'], 'ndjson'),
        compression: from.oneOf('COMPRESSION', ['gzip', 'zstd', 'none'], 'gzip'),
        value,
      },
      directories: {
        prefix: readPrefix(from),
        pathFormat: readPathFormat(from),
        timeZone: readTimeZone(from),
        timeField: from.text('TIME_FIELD', ''),
        value,
      },
      skipNulls: from.oneOf('NULL_VALUES', ['write', 'skip'], 'write') === 'skip',
      table: delivery === 'exactly-once' ? from.text('WATERMARK_TABLE') : '',
      claimMs: from.integer('CLAIM_SECONDS', {min: 1, max: 900, or: 20}) * 1000,
      concurrency: from.integer('CONCURRENCY', {min: 1, max: 256, or: 10}),
      reports: from.flag('REPORT_FAILURES', true),
    }
  })

function readPrefix(from: Reader): string {
  const prefix = from.text('PREFIX', 'topics')
  if (!PATH.test(prefix)) from.complain('PREFIX must be a path such as lake/topics')
  // Records that cannot be placed are there.
  if (prefix.split('/')[0] === 'errors') from.complain('PREFIX must not begin with errors')
  return prefix
}

function readPathFormat(from: Reader): string {
  const pathFormat = from.text('PATH_FORMAT', PATH_FORMAT)
  if (unknownPlaceholders(pathFormat).length > 0 || !PATH.test(pathFormat.replaceAll(/\{\w+\}/g, 'x')))
    from.complain('PATH_FORMAT must be a path with {topic}, {partition}, {year}, {month}, {day} and {hour}')
  return pathFormat
}

function readTimeZone(from: Reader): string {
  const timeZone = from.text('TIME_ZONE', 'UTC')
  try {
    return new Intl.DateTimeFormat('en-US', {timeZone}).resolvedOptions().timeZone
  } catch {
    from.complain('TIME_ZONE must be a time zone such as Europe/Berlin')
    return 'UTC'
  }
}
