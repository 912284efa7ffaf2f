import type {Deadline} from '../lib/deadline.ts'
import type {KafkaProducer, Message} from '../lib/kafka.ts'
import {identifier, type Query, tableName} from '../lib/postgres.ts'
import {publish} from '../lib/publish.ts'
import {messageOfRow, type OutboxRow, type OutboxTopics} from './message.ts'

export type OutboxSettings = OutboxTopics & {
  table: string
  /** Rows that will never be published, with the reason. */
  deadTable: string
  /** `strict`: one relay at a time; `parallel`: several, and the order of an aggregate is kept only within each. */
  order: 'strict' | 'parallel'
  afterwards: 'mark' | 'delete'
  /** Further columns that become headers. */
  headerColumns: string[]
  batchRows: number
  batchBytes: number
  keepHours: number
}

/** What one pass has done. `busy`: another relay was at work, so that nothing was done. */
export type Pass = {busy: boolean; rows: number; published: number; dead: number; failures: Error[]}

/**
 * Publishes the next rows, inside the caller's transaction, which is held until Kafka has answered: a relay that dies has published
 * and not marked, and the next publishes again under the same `id`. A row is marked only when it is stored.
 */
export async function relayRows(
  query: Query,
  producer: KafkaProducer,
  deadline: Deadline,
  settings: OutboxSettings,
): Promise<Pass> {
  if (settings.order === 'strict' && !(await lockAlone(query, settings.table)))
    return {busy: true, rows: 0, published: 0, dead: 0, failures: []}
  const rows = await nextRows(query, settings)
  const dead: {id: string; reason: string}[] = []
  const sent: {row: OutboxRow; message: Message}[] = []
  for (const row of rows) {
    const message = messageOfRow(row, settings)
    if (message) sent.push({row, message})
    else dead.push({id: row.id, reason: `"${row.aggregatetype}" is not in AGGREGATES`})
  }
  const outcomes =
    sent.length === 0
      ? []
      : await publish(
          sent.map(({message}) => message),
          producer,
          deadline,
        )
  const published: string[] = []
  const failures: Error[] = []
  for (const [index, {row}] of sent.entries()) {
    const outcome = outcomes[index]!
    if (outcome === 'stored') published.push(row.id)
    else if (outcome === 'too large') dead.push({id: row.id, reason: 'larger than max.message.bytes of the topic'})
    else failures.push(outcome)
  }
  await finish(query, published, settings)
  await bury(query, dead, settings)
  return {busy: false, rows: rows.length, published: published.length, dead: dead.length, failures}
}

/** Whether this transaction is the only relay of the table; until its end nobody else is. */
export async function lockAlone(query: Query, table: string): Promise<boolean> {
  const [row] = await query<{alone: boolean}>('SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS alone', [
    `skk ${table}`,
  ])
  return row!.alone
}

/** In the order in which they were written, up to a number and to a size, at least one. */
async function nextRows(query: Query, settings: OutboxSettings): Promise<OutboxRow[]> {
  const {table, order, headerColumns, batchRows, batchBytes} = settings
  const pairs = headerColumns.flatMap((name) => [literal(name), `${identifier(name)}::text`])
  const text = `
    WITH claimed AS MATERIALIZED (
      SELECT seq, id::text, aggregatetype::text, aggregateid::text, type::text, payload::text AS payload,
        json_build_object(${pairs.join(', ')}) AS headers
      FROM ${tableName(table)} WHERE published_at IS NULL ORDER BY seq LIMIT $1 ${order === 'parallel' ? 'FOR UPDATE SKIP LOCKED' : ''}
    ), sized AS (
      SELECT *, sum(octet_length(coalesce(payload, ''))) OVER (ORDER BY seq) - octet_length(coalesce(payload, '')) AS before FROM claimed
    )
    SELECT id, aggregatetype, aggregateid, type, payload, headers FROM sized WHERE before < $2 ORDER BY seq`
  return query<OutboxRow>(text, [batchRows, batchBytes])
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

async function finish(query: Query, ids: readonly string[], {table, afterwards}: OutboxSettings): Promise<void> {
  if (ids.length === 0) return
  const change = afterwards === 'mark' ? `UPDATE ${tableName(table)} SET published_at = now()` : `DELETE FROM ${tableName(table)}`
  await query(`${change} WHERE id = ANY ($1::uuid[])`, [ids])
}

async function bury(query: Query, dead: readonly {id: string; reason: string}[], settings: OutboxSettings): Promise<void> {
  if (dead.length === 0) return
  const columns = 'id, aggregatetype, aggregateid, type, payload, created_at'
  const text = `
    WITH gone AS (
      DELETE FROM ${tableName(settings.table)} AS t USING json_to_recordset($1::json) AS d (id uuid, reason text)
      WHERE t.id = d.id RETURNING t.*, d.reason
    )
    INSERT INTO ${tableName(settings.deadTable)} (${columns}, reason) SELECT ${columns}, reason FROM gone`
  await query(text, [JSON.stringify(dead)])
}

/** Removes what was published long ago, some of it each time. */
export async function purge(query: Query, {table, afterwards, keepHours}: OutboxSettings): Promise<void> {
  if (afterwards === 'delete') return
  const old = `SELECT id FROM ${tableName(table)} WHERE published_at < now() - make_interval(hours => $1) LIMIT 10000`
  await query(`DELETE FROM ${tableName(table)} WHERE id IN (${old})`, [keepHours])
}

/** How many rows wait, counted to 100,000, and for how long the oldest does. */
export async function backlogOf(query: Query, {table}: OutboxSettings): Promise<{rows: number; oldestMs: number}> {
  const text = `SELECT count(*)::int AS rows, coalesce(extract(epoch FROM now() - min(created_at)) * 1000, 0)::float8 AS "oldestMs"
    FROM (SELECT created_at FROM ${tableName(table)} WHERE published_at IS NULL LIMIT 100000) AS waiting`
  const [backlog] = await query<{rows: number; oldestMs: number}>(text)
  return backlog!
}
