import {type KafkaRecord, PoisonError} from '../lib/batch.ts'
import {parseExactly} from './json.ts'

export type InsertMode = 'insert' | 'upsert' | 'update'
export type PkMode = 'none' | 'kafka' | 'record_key' | 'record_value'

export type ChangeSettings = {
  pkMode: PkMode
  /** Columns of the primary key; empty where the key or the value says which. */
  pkFields: string[]
  keyFormat: 'text' | 'json'
  /** Whether a record without a value deletes its row. */
  deletes: boolean
  /** The fields of the value that are written; empty for all. */
  fields: string[]
  /** The column that keeps the offset of a row's last change; empty for none. */
  offsetColumn: string
}

type Row = Record<string, unknown>

/** What a record does to the table. */
export type Change = {
  kind: 'write' | 'delete'
  record: KafkaRecord
  /** The columns of the primary key, all in `row`. */
  pk: string[]
  /** By column. */
  row: Row
}

/** Throws PoisonError for a record that can be no change of the table, whatever the table is. */
export function changeOf(record: KafkaRecord, settings: ChangeSettings): Change {
  const guard: Row = settings.offsetColumn === '' ? {} : {[settings.offsetColumn]: record.offset}
  if (record.value == null) {
    if (!settings.deletes) throw new PoisonError('the record has no value, and DELETE_ENABLED is not set')
    const key = keyOf(record, {}, settings)
    return {kind: 'delete', record, pk: Object.keys(key), row: {...key, ...guard}}
  }
  const value = objectOf(decoded('value', record.value), 'value')
  const key = keyOf(record, value, settings)
  const row = {...picked(value, settings.fields), ...key, ...guard}
  if (Object.keys(row).length === 0) throw new PoisonError('the record has no field to write')
  return {kind: 'write', record, pk: Object.keys(key), row}
}

function keyOf(record: KafkaRecord, value: Row, settings: ChangeSettings): Row {
  const {pkMode, pkFields} = settings
  if (pkMode === 'none') return {}
  if (pkMode === 'record_value') return fieldsOf(value, pkFields, 'value')
  if (pkMode === 'record_key') return fromKey(record, settings)
  const place = [record.topic, record.partition, record.offset]
  return Object.fromEntries(pkFields.map((name, index) => [name, place[index]]))
}

function fromKey({key}: KafkaRecord, {pkFields, keyFormat}: ChangeSettings): Row {
  if (key == null) throw new PoisonError('the record has no key')
  const only = pkFields.length === 1 ? pkFields[0] : undefined
  if (keyFormat === 'text') return {[only!]: textOf('key', key)}
  const parsed = decoded('key', key)
  if (only !== undefined && (parsed === null || typeof parsed !== 'object')) return {[only]: parsed}
  return fieldsOf(objectOf(parsed, 'key'), pkFields, 'key')
}

/** The fields of that name, all of them if no name is given. A key has to be whole. */
function fieldsOf(object: Row, names: string[], what: string): Row {
  const wanted = names.length === 0 ? Object.keys(object) : names
  const missing = wanted.filter((name) => !Object.hasOwn(object, name))
  if (missing.length > 0 || wanted.length === 0)
    throw new PoisonError(`the ${what} lacks ${missing.length === 0 ? 'fields' : missing.map((name) => `"${name}"`).join(', ')}`)
  return picked(object, wanted)
}

const picked = (object: Row, names: string[]): Row =>
  Object.fromEntries(Object.entries(object).filter(([name]) => names.length === 0 || names.includes(name)))

function decoded(what: string, base64: string): unknown {
  const text = textOf(what, base64)
  try {
    return parseExactly(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new PoisonError(`the ${what} is no JSON`)
  }
}

function textOf(what: string, base64: string): string {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(Buffer.from(base64, 'base64'))
  } catch {
    throw new PoisonError(`the ${what} is no UTF-8`)
  }
}

function objectOf(value: unknown, what: string): Row {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value) && !isNumber(value)
  if (!isObject) throw new PoisonError(`the ${what} is no JSON object`)
  return value as Row
}

/** A number that kept its digits is an object, too. */
const isNumber = (value: object): boolean => Object.getPrototypeOf(value) === null

/** Changes that one statement can make together, in their order: of one kind, with the same columns. */
export function runsOf(changes: readonly Change[]): Change[][] {
  const runs: Change[][] = []
  let shape: string | undefined
  for (const change of changes) {
    const own = JSON.stringify([change.kind, Object.keys(change.row).sort()])
    if (own === shape) runs.at(-1)!.push(change)
    else runs.push([change])
    shape = own
  }
  return runs
}
