import type {Message} from '../lib/kafka.ts'

/** A change of a row, with rows as the JSON that PostgreSQL wrote: no number has lost a digit. */
export type RowChange = {
  /** `r` is a row as it was found: whether it is new nobody knows. */
  op: 'c' | 'u' | 'd' | 'r'
  key: string
  before: string | null
  after: string | null
  /** The same for the same change, so that consumers can tell a duplicate. */
  id: string
  schema: string
  table: string
  /** Of the transaction, where it is known. */
  txId: string | null
  /** Milliseconds since 1970. */
  atMs: number
}

/** A message of a change: the row, null for one that is gone, or Debezium's envelope around both. */
export function messageOfChange(change: RowChange, topic: string, {envelope}: {envelope: boolean}): Message {
  const value = envelope ? enveloped(change) : change.after
  return {
    topic,
    key: Buffer.from(change.key),
    value: value === null ? null : Buffer.from(value),
    headers: {id: change.id, op: change.op},
  }
}

/** Rows go in as they are: a JSON text inside a JSON text. */
function enveloped({op, before, after, schema, table, txId, atMs}: RowChange): string {
  const source = JSON.stringify({connector: 'skk', schema, table, txId, ts_ms: atMs})
  return `{"before":${before ?? 'null'},"after":${after ?? 'null'},"source":${source},"op":"${op}","ts_ms":${atMs}}`
}

/** A row of the outbox, with its payload as PostgreSQL writes it. */
export type OutboxRow = {
  id: string
  aggregatetype: string
  aggregateid: string
  type: string
  payload: string | null
  /** Further columns, as texts. */
  headers: Record<string, string | null>
}

export type OutboxTopics = {prefix: string; aggregates: readonly string[]}

/** The message of a row, as Debezium's outbox router makes it; undefined when no topic is meant for it. */
export function messageOfRow(row: OutboxRow, {prefix, aggregates}: OutboxTopics): Message | undefined {
  if (!aggregates.includes(row.aggregatetype)) return undefined
  const more = Object.entries(row.headers).filter((entry): entry is [string, string] => entry[1] !== null)
  return {
    topic: `${prefix}${row.aggregatetype}`,
    key: Buffer.from(row.aggregateid),
    value: row.payload === null ? null : Buffer.from(row.payload),
    headers: {...Object.fromEntries(more), id: row.id, type: row.type},
  }
}
