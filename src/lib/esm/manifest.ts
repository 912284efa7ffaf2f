import type {MappingSettings, StartingPosition} from '../aws/mapping.js'
import {parseDuration} from '../duration.js'
import {isRecord, parseYaml, refuseUnknown, usage, wrong} from '../yaml-file.js'
import type {Wanted} from './plan.js'

/** A mapping of a file; `cluster` is a name or an ARN, and that of the context when it is left out. */
export type Declared = Omit<Wanted, 'eventSourceArn'> & {cluster?: string}

type Read = (value: unknown, where: string) => unknown

const text: Read = (value, where) => (typeof value === 'string' && value !== '' ? value : wrong(where, 'a text', value))
const integer: Read = (value, where) => (Number.isInteger(value) ? value : wrong(where, 'a whole number', value))
const flag: Read = (value, where) => (typeof value === 'boolean' ? value : wrong(where, 'true or false', value))
const texts: Read = (value, where) =>
  Array.isArray(value) ? value.map((one) => text(one, where)) : wrong(where, 'a list of texts', value)
/** Seconds, as a number or as a duration. */
const seconds: Read = (value, where) => (typeof value === 'string' ? parseDuration(value) / 1000 : integer(value, where))
/** A filter may be written as the JSON that AWS takes, or as YAML. */
const filters: Read = (value, where) =>
  Array.isArray(value)
    ? value.map((one) => (typeof one === 'string' ? one : isRecord(one) ? JSON.stringify(one) : wrong(where, 'a pattern', one)))
    : wrong(where, 'a list of patterns', value)
const tags: Read = (value, where) =>
  isRecord(value)
    ? Object.fromEntries(Object.entries(value).map(([key, one]) => [ownTag(key, where), String(one)]))
    : wrong(where, 'keys and values', value)
const position: Read = (value, where) => {
  const name = String(value).toUpperCase().replaceAll('-', '_')
  return ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'].includes(name)
    ? name
    : wrong(where, 'trim-horizon, latest or at-timestamp', value)
}
const time: Read = (value, where) => {
  const at =
    value instanceof Date
      ? value.getTime()
      : Date.parse(/Z$|[+-]\d\d:?\d\d$|^\d{4}-\d\d-\d\d$/i.test(String(value)) ? String(value) : `${value}Z`)
  return Number.isNaN(at) ? wrong(where, 'a time such as 2026-11-21T10:00:00Z', value) : new Date(at).toISOString()
}
const orNull =
  (read: Read): Read =>
  (value, where) =>
    value === null ? null : read(value, where)
const pollers: Read = (value, where) =>
  isRecord(value)
    ? readMembers(value, {min: integer, max: integer, group: text}, where)
    : wrong(where, 'min, max and group', value)

const MEMBERS = {
  function: text,
  topic: text,
  group: text,
  cluster: text,
  startingPosition: position,
  at: time,
  batchSize: integer,
  batchingWindow: seconds,
  filters,
  onFailure: orNull(text),
  pollers: orNull(pollers),
  maxRetries: integer,
  maxAge: seconds,
  bisect: flag,
  reportBatchItemFailures: flag,
  metrics: texts,
  logLevel: text,
  tags,
  enabled: flag,
} satisfies Record<string, Read>

type Members = {
  function?: string
  topic?: string
  group?: string
  cluster?: string
  startingPosition?: StartingPosition
  at?: string
  batchingWindow?: number
  maxAge?: number
  tags?: Record<string, string>
} & Omit<MappingSettings, 'batchingWindowSeconds' | 'maxAgeSeconds'>

/**
 * The mappings that a file of YAML declares: `defaults`, and `mappings` that each may say otherwise. Throws SkkError (usage) with the
 * place and the nearest name for a member that there is not.
 */
export async function readManifest(source: string, file: string): Promise<Declared[]> {
  const root = await parseYaml(source, file)
  if (root === null) return []
  if (!isRecord(root)) throw usage(`"${file}" must have "mappings"`, HINT)
  refuseUnknown(root, ['defaults', 'mappings'], `"${file}"`)
  const defaults = root.defaults == null ? {} : readMapping(root.defaults, `defaults in "${file}"`)
  const list = root.mappings ?? []
  if (!Array.isArray(list)) throw usage(`mappings in "${file}" must be a list`, HINT)
  return list.map((one, index) =>
    declared(defaults, readMapping(one, `mapping ${index + 1} in "${file}"`), `mapping ${index + 1} in "${file}"`),
  )
}

const readMapping = (value: unknown, where: string): Members =>
  isRecord(value) ? (readMembers(value, MEMBERS, where) as Members) : wrong(where, 'a mapping with function and topic', value)

function declared(defaults: Members, own: Members, where: string): Declared {
  const {function: name, topic, cluster} = {...defaults, ...own}
  const missing = [name === undefined && 'function', topic === undefined && 'topic'].filter(Boolean)
  if (name === undefined || topic === undefined) throw usage(`${where} has no ${missing.join(' and no ')}`, HINT)
  return {function: name, topic, ...(cluster !== undefined && {cluster}), ...detailsOf(defaults, own)}
}

/** What a mapping is like, whichever function and topic it is of. */
export type MappingDetails = Omit<Declared, 'function' | 'topic' | 'cluster'>

function detailsOf(defaults: Members, own: Members): MappingDetails {
  const {
    function: _function,
    topic: _topic,
    cluster: _cluster,
    group,
    startingPosition,
    at,
    batchingWindow,
    maxAge,
    tags: _tags,
    ...settings
  } = {...defaults, ...own}
  const begin = startingPosition ?? (at === undefined ? undefined : 'AT_TIMESTAMP')
  return {
    ...(group !== undefined && {group}),
    ...(begin !== undefined && {startingPosition: begin}),
    ...(at !== undefined && {startingTime: at}),
    settings: {
      ...settings,
      ...(batchingWindow !== undefined && {batchingWindowSeconds: batchingWindow}),
      ...(maxAge !== undefined && {maxAgeSeconds: maxAge}),
    },
    tags: {...defaults.tags, ...own.tags},
  }
}

/**
 * An entry of a manifest without its function, topic and cluster, which stand elsewhere: `value` is JSON. Throws SkkError (usage) with
 * the place and the nearest name for a member that there is not.
 */
export function readDetails(value: unknown, where: string): MappingDetails {
  const {function: _function, topic: _topic, cluster: _cluster, ...members} = MEMBERS
  return isRecord(value)
    ? detailsOf({}, readMembers(value, members, where) as Members)
    : wrong(where, 'an object such as {"batchSize": 100}', value)
}

function readMembers(value: Record<string, unknown>, members: Record<string, Read>, where: string): Record<string, unknown> {
  refuseUnknown(value, Object.keys(members), where)
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, members[key]!(one, `${key} of ${where}`)]))
}

function ownTag(key: string, where: string): string {
  if (/^(?:aws:|skk:)/.test(key)) throw usage(`tag "${key}" of ${where} is reserved`, 'Choose another key.')
  return key
}

const HINT = 'Write it as `mappings: [{function: orders, topic: orders}]`.'
