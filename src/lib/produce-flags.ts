import {Flags, type Interfaces} from '@oclif/core'

import {durationFlag} from './base-command.js'
import {SkkError} from './errors.js'
import {keyValue} from './kafka/key-value.js'
import {csvOf} from './kafka/produce/csv.js'
import {generated} from './kafka/produce/generate.js'
import {type Source, sources} from './kafka/produce/input.js'
import {type JsonFormat, jsonParser, type Path} from './kafka/produce/json.js'
import {linesOf} from './kafka/produce/lines.js'
import type {Rate} from './kafka/produce/pace.js'
import type {ReadInputs} from './kafka/produce/portion.js'
import {rawOf} from './kafka/produce/raw.js'
import {envelopeOf, type Fixed, type LineFormat, lineOf, lineParser, recordParser} from './kafka/produce/records.js'
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
    options: ['lines', 'records', 'json', 'csv', 'raw'] as const,
    description:
      'a line is a value, or a record as `consume --json` prints it, or a value that is JSON; a row below a header is one; or a whole file',
    default: 'lines',
  })(),
  'key-separator': Flags.string({description: 'what stands between key and value; \\t is a tab', helpValue: '<text>'}),
  'missing-key': Flags.option({
    options: ['null'] as const,
    description: 'take a line without separator as a record without key',
    dependsOn: ['key-separator'],
  })(),
  'key-path': Flags.string({description: 'JMESPath of the key in JSON or CSV', helpValue: '<jmespath>'}),
  'timestamp-path': Flags.string({description: 'JMESPath of the time in JSON or CSV', helpValue: '<jmespath>'}),
  'header-path': Flags.string({
    description: 'header from JSON or CSV, once for each',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: '<name=jmespath>',
  }),
  generate: Flags.string({
    description: 'make lines instead of reading them, with {{counter}}, {{uuid}}, {{now}}, {{random A B C}} filled in',
    exclusive: ['file'],
    helpValue: '<template>',
  }),
  seed: Flags.integer({description: 'make the same lines as with this seed before', dependsOn: ['generate'], min: 0}),
  repeat: Flags.integer({description: 'read the files so many times', default: 1, min: 1, exclusive: ['generate']}),
  'null-value': Flags.string({description: 'value that means null, a tombstone', helpValue: '<text>'}),
  'empty-as-null': Flags.boolean({description: 'take an empty value as null, a tombstone', exclusive: ['null-value']}),
  key: Flags.string({description: 'key of every record', exclusive: ['key-separator']}),
  header: Flags.string({
    description: 'header of every record, once for each',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: '<key=value>',
  }),
  'id-header': Flags.string({
    description: 'header to add to every record, which says which one of the input it is: readers can tell repetitions by it',
    helpValue: '<name>',
  }),
  timestamp: Flags.string({description: 'time of every record, ISO 8601 or epoch milliseconds', helpValue: '<time>'}),
  partition: Flags.integer({description: 'partition of every record', min: 0}),
  'keep-partition': Flags.boolean({description: 'write each record to the partition that it names', exclusive: ['partition']}),
  limit: Flags.integer({description: 'read no more records than this', min: 0}),
  'on-error': Flags.option({
    options: ['stop', 'skip'] as const,
    description: 'what a line that is no record, or one that the topic does not take, means',
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

/** The flags that only some formats have a use for. */
const ONLY_FOR: Partial<Record<keyof InputFlags, readonly InputFlags['format'][]>> = {
  'key-separator': ['lines'],
  'missing-key': ['lines'],
  key: ['lines', 'raw'],
  'null-value': ['lines', 'raw'],
  'empty-as-null': ['lines', 'raw'],
  'keep-partition': ['records'],
  'key-path': ['json', 'csv'],
  'timestamp-path': ['json', 'csv'],
  'header-path': ['json', 'csv'],
}

/** The input format that the flags ask for. Throws SkkError (usage) for flags that do not go together. */
export async function inputFormat(flags: InputFlags): Promise<InputFormat> {
  refuse(flags)
  const {format, partition = null} = flags
  const fixed: Fixed = {headers: headersOf(flags), timestamp: timestampOf(flags), partition}
  if (format === 'records') {
    const read = linesOf(recordParser({...fixed, keepPartition: flags['keep-partition']}))
    return {read, lineOf: envelopeOf, keyed: partition === null}
  }
  if (format === 'json' || format === 'csv') {
    const paths = {...fixed, ...(await pathsOf(flags))}
    const read = format === 'json' ? linesOf(jsonParser(paths)) : csvOf(paths)
    return {read, lineOf: lineOf(PLAIN), keyed: partition === null && paths.keyPath !== null}
  }
  const nullValue = flags['empty-as-null'] ? '' : flags['null-value']
  const separator = flags['key-separator']
  if (separator === '') throw usage('the key separator is empty', 'Give `--key-separator` a text, such as : or \\t.')
  const lines = {
    ...fixed,
    keySeparator: separator === undefined ? null : Buffer.from(separator.replaceAll('\\t', '\t')),
    missingKeyIsNull: flags['missing-key'] === 'null',
    key: flags.key === undefined ? null : Buffer.from(flags.key),
    nullValue: nullValue === undefined ? null : Buffer.from(nullValue),
  }
  if (format === 'raw') return {read: rawOf(lines), lineOf: lineOf(lines), keyed: false}
  return {read: linesOf(lineParser(lines)), lineOf: lineOf(lines), keyed: partition === null && separator !== undefined}
}

const PLAIN: LineFormat = {headers: [], partition: null, keySeparator: null, missingKeyIsNull: false, key: null}

async function pathsOf(flags: InputFlags): Promise<Pick<JsonFormat, 'keyPath' | 'timestampPath' | 'headerPaths'>> {
  const {'key-path': key, 'timestamp-path': timestamp, 'header-path': headers = []} = flags
  return {
    keyPath: key === undefined ? null : await compilePath('--key-path', key),
    timestampPath: timestamp === undefined ? null : await compilePath('--timestamp-path', timestamp),
    headerPaths: await Promise.all(
      headers.map(async (text) => {
        const [name, path] = keyValue(text, '--header-path')
        return {name, path: await compilePath('--header-path', path)}
      }),
    ),
  }
}

async function compilePath(flag: string, expression: string): Promise<Path> {
  const {default: jmespath} = await import('jmespath')
  const refused = (error: unknown) =>
    usage(
      `cannot apply ${flag}: ${(error as Error).message}`,
      `Write a JMESPath expression, such as \`${flag}\` with customer.id.`,
    )
  try {
    ;(jmespath as unknown as {compile(expression: string): unknown}).compile(expression)
  } catch (error) {
    throw refused(error)
  }
  return (value) => {
    try {
      return jmespath.search(value, expression)
    } catch (error) {
      throw refused(error)
    }
  }
}

/** What the flags say to read. Throws SkkError (usage; local I/O for a file that is not there). */
export async function inputsOf({file, generate, seed, repeat}: InputFlags): Promise<Source[]> {
  if (generate !== undefined) return [generated(generate, seed ?? null)]
  const inputs = await sources(file ?? ['-'])
  if (repeat > 1 && inputs.some(({bytes}) => bytes === null)) {
    throw usage('standard input and pipes cannot be read several times', 'Keep the input in a file, and name it with `--file`.')
  }
  return inputs
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

function refuse(flags: InputFlags): void {
  if (flags['id-header'] === '') throw usage('the name of the header is empty', 'Give `--id-header` a name, such as id.')
  for (const [name, formats] of Object.entries(ONLY_FOR) as [keyof InputFlags, readonly string[]][]) {
    const given = flags[name] !== undefined && flags[name] !== false
    if (!given || formats.includes(flags.format)) continue
    throw usage(
      `--${name} does not go with --format ${flags.format}`,
      `Leave out \`--${name}\`, or choose \`--format ${formats[0]}\`.`,
    )
  }
}

const usage = (message: string, hint: string): SkkError => new SkkError(message, {code: 'USAGE', exit: 'usage', hint})
