import type {Deadline} from '../lib/deadline.ts'
import type {KafkaProducer} from '../lib/kafka.ts'
import {identifier, type Query, tableName} from '../lib/postgres.ts'
import {publish} from '../lib/publish.ts'
import {messageOfChange, type RowChange} from './message.ts'
import {lockAlone, type Pass} from './outbox.ts'

export type QuerySettings = {
  table: string
  topic: string
  keyColumn: string
  /** A timestamptz that every change of a row sets. */
  updatedColumn: string
  /** How long a transaction may take until it commits: rows that are younger are read again. */
  overlapMs: number
  watermarkTable: string
  deadTable: string
  batchRows: number
  envelope: boolean
}

/** The ids of what this sandbox has sent, with their times: within the overlap rows are found again and again. */
export type Sent = Map<string, number>

/** Where the next page begins: after this row, in the order of time and key. */
export type Cursor = {at: string; key: string}

type Found = {key: string; at: string; at_ms: number; row: string}

/**
 * Publishes the next page of rows that have changed, and moves the watermark behind what is stored, but never closer to now than the
 * overlap: a row whose transaction is not over yet has an older time than others that are seen. Returns the cursor of the next page.
 */
export async function relayPage(
  query: Query,
  producer: KafkaProducer,
  deadline: Deadline,
  settings: QuerySettings,
  sent: Sent,
  cursor?: Cursor,
): Promise<Pass & {cursor: Cursor}> {
  const {table, topic, batchRows} = settings
  const nothing = {rows: 0, published: 0, dead: 0, failures: []}
  if (!(await lockAlone(query, table))) return {busy: true, ...nothing, cursor: cursor ?? {at: '-infinity', key: ''}}
  const from = cursor ?? {at: await watermark(query, settings), key: ''}
  const rows = await changedRows(query, from, settings)
  const fresh = rows.map((row) => changeOf(row, settings)).filter(({id}) => !sent.has(id))
  const messages = fresh.map((change) => messageOfChange(change, topic, settings))
  const outcomes = fresh.length === 0 ? [] : await publish(messages, producer, deadline)
  const dead = fresh.filter((_, index) => outcomes[index] === 'too large')
  const failures = outcomes.filter((outcome) => outcome instanceof Error)
  const stop = fresh[outcomes.findIndex((outcome) => outcome instanceof Error)]?.id
  const end = rows.findIndex((row) => idOf(row) === stop)
  const last = (end === -1 ? rows : rows.slice(0, end)).at(-1)
  const next = last ? {at: last.at, key: last.key} : from
  await bury(query, dead, settings)
  // After the last page everything until now was seen.
  await moveWatermark(query, failures.length === 0 && rows.length < batchRows ? 'infinity' : next.at, settings)
  remember(
    fresh.filter((_, index) => !(outcomes[index] instanceof Error)),
    sent,
    settings,
  )
  const published = outcomes.filter((outcome) => outcome === 'stored').length
  return {busy: false, rows: rows.length, published, dead: dead.length, failures, cursor: next}
}

function remember(changes: readonly RowChange[], sent: Sent, {overlapMs}: QuerySettings): void {
  const latest = Math.max(0, ...changes.map(({atMs}) => atMs))
  for (const [id, atMs] of sent) if (atMs < latest - 2 * overlapMs) sent.delete(id)
  for (const {id, atMs} of changes) sent.set(id, atMs)
}

const idOf = ({key, at}: Found): string => `${key}@${at}`

function changeOf(found: Found, {table}: QuerySettings): RowChange {
  const {key, at_ms, row} = found
  const [name, schema = 'public'] = table.split('.').reverse() as [string, string?]
  return {op: 'r', key, before: null, after: row, id: idOf(found), schema, table: name, txId: null, atMs: at_ms}
}

async function watermark(query: Query, {watermarkTable, table}: QuerySettings): Promise<string> {
  const own = tableName(watermarkTable)
  await query(`INSERT INTO ${own} (source, watermark) VALUES ($1, '-infinity') ON CONFLICT DO NOTHING`, [table])
  const [row] = await query<{watermark: string}>(`SELECT watermark::text FROM ${own} WHERE source = $1`, [table])
  return row!.watermark
}

async function moveWatermark(query: Query, at: string, {watermarkTable, table, overlapMs}: QuerySettings): Promise<void> {
  const latest = `least($2::timestamptz, now() - make_interval(secs => $3::float8 / 1000))`
  const text = `UPDATE ${tableName(watermarkTable)} SET watermark = greatest(watermark, ${latest}) WHERE source = $1`
  await query(text, [table, at, overlapMs])
}

function changedRows(query: Query, {at, key}: Cursor, settings: QuerySettings): Promise<Found[]> {
  const [updated, id] = [identifier(settings.updatedColumn), `${identifier(settings.keyColumn)}::text`]
  const text = `SELECT ${id} AS key, ${updated}::text AS at, (extract(epoch FROM ${updated}) * 1000)::float8 AS at_ms, to_jsonb(t)::text AS row
    FROM ${tableName(settings.table)} AS t
    WHERE ${updated} >= $1::timestamptz AND (${updated}, ${id}) > ($1::timestamptz, $2) ORDER BY ${updated}, ${id} LIMIT $3`
  return query<Found>(text, [at, key, settings.batchRows])
}

/** The row itself stays where it is; what is kept is that this version of it was never published. */
async function bury(query: Query, dead: readonly RowChange[], {deadTable, table}: QuerySettings): Promise<void> {
  if (dead.length === 0) return
  const rows = dead.map(({key, id}) => ({
    source: table,
    key,
    at: id.slice(key.length + 1),
    reason: 'larger than max.message.bytes of the topic',
  }))
  const text = `INSERT INTO ${tableName(deadTable)} (source, key, at, reason)
    SELECT * FROM json_to_recordset($1::json) AS d (source text, key text, at timestamptz, reason text) ON CONFLICT DO NOTHING`
  await query(text, [JSON.stringify(rows)])
}
