import {PoisonError} from '../lib/batch.ts'
import {identifier} from '../lib/postgres.ts'
import type {Change, InsertMode} from './change.ts'

/** A column's name and its type, as the catalog has them. */
export type Columns = ReadonlyMap<string, string>

export type Target = {
  /** As SQL has it, every part in quotes. */
  table: string
  insertMode: InsertMode
  offsetColumn: string
}

/** Of the rows that come with a statement, which of them is later; no column of a table may be called so. */
const NTH = identifier('_skk_nth')

/** Names come from records, and only those of real columns get into a statement. Throws PoisonError for another. */
export function refuseUnknownColumns({row}: Change, columns: Columns): void {
  const unknown = Object.keys(row).filter((name) => !columns.has(name))
  if (unknown.length > 0)
    throw new PoisonError(`the table has no column ${unknown.map((name) => JSON.stringify(name)).join(', ')}`)
}

/**
 * One statement for all changes of a run. Its only parameter is their rows as JSON, so that PostgreSQL itself reads every value as
 * the type of its column. Of several changes of one row the last is made: PostgreSQL refuses to touch a row twice.
 */
export function statementOf(run: readonly Change[], columns: Columns, target: Target): {text: string; values: [string]} {
  const [{kind, pk, row}] = run as [Change]
  // An INSERT that finds its key has to fail, also when it finds it in the same batch.
  const unique = kind === 'write' && target.insertMode === 'insert' ? [] : pk
  const rows = rowsOf(Object.keys(row), unique, columns)
  return {
    text: kind === 'delete' ? deletion(rows, pk, target) : writing(rows, Object.keys(row), pk, target),
    values: [JSON.stringify(run.map((change) => change.row))],
  }
}

function rowsOf(names: readonly string[], unique: readonly string[], columns: Columns): string {
  const typed = names.map((name) => `${identifier(name)} ${columns.get(name)}`).join(', ')
  const given = `ROWS FROM (json_to_recordset($1::json) AS (${typed})) WITH ORDINALITY AS given (${list(names)}, ${NTH})`
  if (unique.length === 0) return `(SELECT * FROM ${given} ORDER BY ${NTH})`
  return `(SELECT DISTINCT ON (${list(unique)}) * FROM ${given} ORDER BY ${list(unique)}, ${NTH} DESC)`
}

function writing(rows: string, names: readonly string[], pk: readonly string[], target: Target): string {
  const {table, insertMode, offsetColumn} = target
  const others = names.filter((name) => !pk.includes(name)).map(identifier)
  if (insertMode === 'update') {
    const set = (others.length > 0 ? others : pk.map(identifier)).map((name) => `${name} = new.${name}`).join(', ')
    return `UPDATE ${table} AS old SET ${set} FROM ${rows} AS new WHERE ${sameKey(pk)}${newer(offsetColumn, 'AND', 'old', 'new')}`
  }
  const insert = `INSERT INTO ${table} AS old (${list(names)}) SELECT ${list(names)} FROM ${rows} AS new`
  if (insertMode === 'insert') return insert
  const set = others.map((name) => `${name} = EXCLUDED.${name}`).join(', ')
  const action = others.length > 0 ? `UPDATE SET ${set}${newer(offsetColumn, 'WHERE', 'old', 'EXCLUDED')}` : 'NOTHING'
  return `${insert} ON CONFLICT (${list(pk)}) DO ${action}`
}

const deletion = (rows: string, pk: readonly string[], {table, offsetColumn}: Target): string =>
  `DELETE FROM ${table} AS old USING ${rows} AS new WHERE ${sameKey(pk)}${newer(offsetColumn, 'AND', 'old', 'new')}`

/** A change that is older than the row's last one is not made. */
function newer(offsetColumn: string, word: string, old: string, changed: string): string {
  const name = identifier(offsetColumn)
  return offsetColumn === '' ? '' : ` ${word} (${old}.${name} IS NULL OR ${old}.${name} < ${changed}.${name})`
}

const sameKey = (pk: readonly string[]): string =>
  pk.map((name) => `old.${identifier(name)} = new.${identifier(name)}`).join(' AND ')

const list = (names: readonly string[]): string => names.map(identifier).join(', ')
