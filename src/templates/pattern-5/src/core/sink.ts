import {type KafkaRecord, PoisonError} from '../lib/batch.ts'
import {identifier, isFaultOfRow, type Query, sqlStateOf, tableName} from '../lib/postgres.ts'
import {type Change, type ChangeSettings, changeOf, type InsertMode, runsOf} from './change.ts'
import {type Columns, refuseUnknownColumns, statementOf, type Target} from './statement.ts'

export type SinkSettings = ChangeSettings & {
  /** `schema.table` or `table`; `{topic}` is the record's topic. */
  tableFormat: string
  insertMode: InsertMode
  /** The table that keeps how far each partition was written; empty for none. */
  offsetsTable: string
}

export type Poison = {record: KafkaRecord; error: PoisonError}
export type Written = {poison: Poison[]; ok: number; skipped: number}

/**
 * Writes records of one partition, in the order of their offsets, inside the caller's transaction. Where offsets are kept, records
 * that were written before are skipped, and the partition's row is locked, so that whoever writes the same partition waits. A record
 * that the table refuses is undone alone and returned as poison.
 */
export async function writeRecords(records: readonly KafkaRecord[], query: Query, settings: SinkSettings): Promise<Written> {
  const {topic, partition, offset: last} = records.at(-1)!
  // A constraint that is checked at COMMIT would blame nobody.
  await query('SET CONSTRAINTS ALL IMMEDIATE')
  const from = await nextOffset(topic, partition, query, settings)
  const due = records.filter(({offset}) => offset >= from)
  const target = {table: tableOf(topic, settings), insertMode: settings.insertMode, offsetColumn: settings.offsetColumn}
  const columns = due.length === 0 ? new Map() : await columnsOf(target.table, query)
  const {changes, poison} = decode(due, columns, settings)
  for (const run of runsOf(changes)) poison.push(...(await apply(run, columns, target, query)))
  if (due.length > 0) await keepOffset(topic, partition, last + 1, query, settings)
  return {poison, ok: due.length - poison.length, skipped: records.length - due.length}
}

/** The dot between schema and table is the format's: a topic `a.b` is a table of that name. */
const tableOf = (topic: string, {tableFormat}: SinkSettings): string =>
  tableFormat
    .split('.')
    .map((part) => identifier(part.replaceAll('{topic}', topic)))
    .join('.')

async function nextOffset(topic: string, partition: number, query: Query, {offsetsTable}: SinkSettings): Promise<number> {
  if (offsetsTable === '') return 0
  const table = tableName(offsetsTable)
  await query(`INSERT INTO ${table} (topic, "partition", next_offset) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING`, [
    topic,
    partition,
  ])
  const locked = `SELECT next_offset FROM ${table} WHERE topic = $1 AND "partition" = $2 FOR UPDATE`
  const [row] = await query<{next_offset: string}>(locked, [topic, partition])
  return Number(row!.next_offset)
}

async function keepOffset(topic: string, partition: number, next: number, query: Query, settings: SinkSettings): Promise<void> {
  if (settings.offsetsTable === '') return
  const table = tableName(settings.offsetsTable)
  await query(`UPDATE ${table} SET next_offset = $3 WHERE topic = $1 AND "partition" = $2`, [topic, partition, next])
}

/** Read each time: a column that was just added is there for the next batch. */
async function columnsOf(table: string, query: Query): Promise<Columns> {
  const text = `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
    WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`
  const rows = await query<{name: string; type: string}>(text, [table])
  if (rows.length === 0) throw new Error(`there is no table ${table}`)
  return new Map(rows.map(({name, type}) => [name, type]))
}

function decode(records: readonly KafkaRecord[], columns: Columns, settings: SinkSettings) {
  const changes: Change[] = []
  const poison: Poison[] = []
  for (const record of records) {
    try {
      const change = changeOf(record, settings)
      refuseUnknownColumns(change, columns)
      changes.push(change)
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error
      poison.push({record, error})
    }
  }
  return {changes, poison}
}

/** In one statement if the table takes it; else in halves, first the first, until the row that is to blame is alone. */
async function apply(run: readonly Change[], columns: Columns, target: Target, query: Query): Promise<Poison[]> {
  const {text, values} = statementOf(run, columns, target)
  await query('SAVEPOINT run')
  try {
    await query(text, values)
    await query('RELEASE SAVEPOINT run')
    return []
  } catch (error) {
    if (!isFaultOfRow(error)) throw error
    await query('ROLLBACK TO SAVEPOINT run')
    await query('RELEASE SAVEPOINT run')
    if (run.length === 1) return [{record: run[0]!.record, error: poisonOf(error as Error)}]
    const middle = run.length >> 1
    const first = await apply(run.slice(0, middle), columns, target, query)
    return [...first, ...(await apply(run.slice(middle), columns, target, query))]
  }
}

const poisonOf = (error: Error): PoisonError => new PoisonError(`${sqlStateOf(error)}: ${error.message}`, {cause: error})
