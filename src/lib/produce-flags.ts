import {Flags, type Interfaces} from '@oclif/core'

import {durationFlag} from './base-command.js'
import {SkkError} from './errors.js'
import {keyValue} from './kafka/key-value.js'
import {linesOf} from './kafka/produce/lines.js'
import type {Rate} from './kafka/produce/pace.js'
import type {ReadInputs} from './kafka/produce/portion.js'
import {envelopeOf, type Fixed, lineOf, lineParser, recordParser} from './kafka/produce/records.js'
import type {Header, RecordInput} from './records/batch.js'
import {parseIsoTime} from './records/envelope.js'

const DELIVERY_TIMEOUT_MS = 120_000

/** What of `skk produce` says how its input is read. */
export const inputFlags = {
  file: Flags.string({
    char: 'f',
    description: 'file or directory to read, once for each; - is standard input, which is also the default; .gz is unzipped',
    multiple: true,
    multipleNonGreedy: true,
  }),
  format: Flags.option({
    options: ['lines', 'records'] as const,
    description: 'a line is a value, or a record as `consume --json` prints it',
    default: 'lines',
  })(),
  'key-separator': Flags.string({description: 'what stands between key and value; \\t is a tab', helpValue: '<text>'}),
  'missing-key': Flags.option({
    options: ['null'] as const,
    description: 'take a line without separator as a record without key',
    dependsOn: ['key-separator'],
  })(),
  'null-value': Flags.string({description: 'value that means null, a tombstone', helpValue: '<text>'}),
  'empty-as-null': Flags.boolean({description: 'take an empty value as null, a tombstone', exclusive: ['null-value']}),
  key: Flags.string({description: 'key of every record', exclusive: ['key-separator']}),
  header: Flags.string({
    description: 'header of every record, once for each',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: '<key=value>',
  }),
  timestamp: Flags.string({description: 'time of every record, ISO 8601 or epoch milliseconds', helpValue: '<time>'}),
  partition: Flags.integer({description: 'partition of every record', min: 0}),
  'keep-partition': Flags.boolean({description: 'write each record to the partition that it names', exclusive: ['partition']}),
  limit: Flags.integer({description: 'read no more records than this', min: 0}),
  'on-error': Flags.option({
    options: ['stop', 'skip'] as const,
    description: 'what a line that is no record means',
    default: 'stop',
  })(),
  rejects: Flags.string({description: 'file for the lines that were rejected', helpValue: '<file>'}),
  report: Flags.string({description: 'file for what became of each record, as JSON Lines', helpValue: '<file>'}),
}

/** Such as 1000/s or 2.5 MB/s. */
const rateFlag = Flags.custom<Rate>({parse: async (text) => parseRate(text), helpValue: '<N/s|N MB/s>'})

/** What of `skk produce` says how the records are sent. */
export const sendingFlags = {
  compression: Flags.option({
    options: ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const,
    description: 'codec of the batches',
    default: 'none',
  })(),
  acks: Flags.option({
    options: ['all', '1'] as const,
    description: 'who has to have a record: all replicas in sync, or only the leader, which is not idempotent',
    default: 'all',
  })(),
  'delivery-timeout': durationFlag({
    description: 'how long a record may wait to be acknowledged',
    default: DELIVERY_TIMEOUT_MS,
  }),
  rate: rateFlag({description: 'send no faster than this'}),
}

/** What of `skk produce` says whether an earlier run is gone on with. */
export const resumeFlags = {
  resume: Flags.boolean({description: 'go on where an earlier run over the same files ended', exclusive: ['restart']}),
  restart: Flags.boolean({description: 'forget an earlier run that did not finish, and send everything'}),
  'resume-file': Flags.string({
    description: 'where to keep what a later run needs to go on, if not beside the first file',
    helpValue: '<file>',
  }),
}

export type InputFlags = Interfaces.InferredFlags<typeof inputFlags>

/** How the input is read, and how a record is written as a line again. */
export type InputFormat = {
  read: ReadInputs
  lineOf(record: RecordInput): Buffer
  /** Whether the records have keys. */
  keyed: boolean
}

/** The input format that the flags ask for. Throws SkkError (usage) for flags that do not go together. */
export function inputFormat(flags: InputFlags): InputFormat {
  const {format, partition = null} = flags
  const fixed: Fixed = {headers: headersOf(flags), timestamp: timestampOf(flags), partition}
  if (format === 'records') {
    refuse(flags, ['key', 'key-separator', 'null-value', 'empty-as-null'])
    const read = linesOf(recordParser({...fixed, keepPartition: flags['keep-partition']}))
    return {read, lineOf: envelopeOf, keyed: partition === null}
  }
  refuse(flags, ['keep-partition'])
  const separator = flags['key-separator']
  if (separator === '') throw usage('the key separator is empty', 'Give `--key-separator` a text, such as : or \\t.')
  const nullValue = flags['empty-as-null'] ? '' : flags['null-value']
  const lines = {
    ...fixed,
    keySeparator: separator === undefined ? null : Buffer.from(separator.replaceAll('\\t', '\t')),
    missingKeyIsNull: flags['missing-key'] === 'null',
    key: flags.key === undefined ? null : Buffer.from(flags.key),
    nullValue: nullValue === undefined ? null : Buffer.from(nullValue),
  }
  return {read: linesOf(lineParser(lines)), lineOf: lineOf(lines), keyed: partition === null && separator !== undefined}
}

/** What decides which records the input holds and where they go; a run is resumed only under the same. */
export function settingsOf(flags: InputFlags & {compression: string; acks: string}): Record<string, unknown> {
  const {file: _file, 'on-error': _onError, rejects: _rejects, report: _report, ...rest} = flags
  const names = [...Object.keys(inputFlags), 'compression', 'acks'] as (keyof typeof rest)[]
  return Object.fromEntries(names.filter((name) => rest[name] !== undefined).map((name) => [name, rest[name]]))
}

function headersOf({header = []}: InputFlags): Header[] {
  return header.map((text) => {
    const [name, value] = keyValue(text, '--header')
    return {key: Buffer.from(name), value: Buffer.from(value)}
  })
}

function timestampOf({timestamp}: InputFlags): number | null {
  if (timestamp === undefined) return null
  const time = /^\d+$/.test(timestamp) ? Number(timestamp) : parseIsoTime(timestamp)
  if (time !== null && Number.isSafeInteger(time)) return time
  throw usage(`"${timestamp}" is no time`, 'Write `--timestamp` as 2026-11-20T10:00:00.123Z, or as epoch milliseconds.')
}

const UNITS = {'': 1, B: 1, KB: 1e3, MB: 1e6} as const

function parseRate(text: string): Rate {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?(B|KB|MB)?\/s$/.exec(text) ?? []
  const perSecond = Number(number) * UNITS[unit as keyof typeof UNITS]
  if (perSecond > 0) return {unit: unit === '' ? 'records' : 'bytes', perSecond}
  throw usage(`"${text}" is no rate`, 'Write `--rate` as 1000/s for records, or as 2.5MB/s for bytes.')
}

function refuse(flags: InputFlags, names: readonly (keyof InputFlags)[]): void {
  const given = names.find((name) => flags[name] !== undefined && flags[name] !== false)
  if (given === undefined) return
  throw usage(`--${given} does not go with --format ${flags.format}`, `Leave out \`--${given}\`, or choose another \`--format\`.`)
}

const usage = (message: string, hint: string): SkkError => new SkkError(message, {code: 'USAGE', exit: 'usage', hint})
