import type {OutboxSettings} from './core/outbox.ts'
import type {QuerySettings} from './core/query.ts'
import {type Reader, readConfig} from './lib/config.ts'
import {type KafkaSettings, readKafkaSettings} from './lib/kafka.ts'
import {type DatabaseSettings, readDatabaseSettings} from './lib/postgres.ts'

type Relay = {database: DatabaseSettings; loopMs: number; pollMs: number}

export type Settings = {kafka: KafkaSettings} & (
  | ({mode: 'outbox'; outbox: OutboxSettings} & Relay)
  | ({mode: 'query'; table: QuerySettings} & Relay)
  | {mode: 'invoke'; topic: string; keyColumn: string; envelope: boolean}
)

type Environment = Record<string, string | undefined>

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Environment): Settings =>
  readConfig(env, (from): Settings => {
    const kafka = readKafkaSettings(from, env)
    const mode = from.oneOf('MODE', ['outbox', 'query', 'invoke'], 'outbox')
    if (mode === 'invoke') {
      const change = {topic: from.text('TOPIC'), keyColumn: from.text('KEY_COLUMN', 'id'), envelope: from.flag('ENVELOPE', false)}
      return {mode, kafka, ...change}
    }
    const relay = {kafka, ...readRelay(from, env)}
    return mode === 'query' ? {mode, ...relay, table: readQuery(from)} : {mode, ...relay, outbox: readOutbox(from)}
  })

const readRelay = (from: Reader, env: Environment): Relay => ({
  database: readDatabaseSettings(from, env),
  loopMs: from.integer('LOOP_MS', {min: 0, max: 900_000, or: 0}),
  pollMs: from.integer('POLL_MS', {min: 10, max: 60_000, or: 1000}),
})

const readOutbox = (from: Reader): OutboxSettings => ({
  table: from.text('OUTBOX_TABLE', 'outbox'),
  deadTable: from.text('DEAD_TABLE', 'outbox_dead'),
  prefix: from.text('TOPIC_PREFIX', 'outbox.event.'),
  aggregates: names(from.text('AGGREGATES')),
  order: from.oneOf('ORDER', ['strict', 'parallel'], 'strict'),
  afterwards: from.oneOf('AFTERWARDS', ['mark', 'delete'], 'mark'),
  headerColumns: names(from.text('HEADER_COLUMNS', '')),
  batchRows: from.integer('BATCH_ROWS', {min: 1, max: 10_000, or: 500}),
  batchBytes: from.integer('BATCH_BYTES', {min: 1, max: 8_000_000, or: 900_000}),
  keepHours: from.integer('KEEP_HOURS', {min: 1, max: 87_600, or: 72}),
})

const readQuery = (from: Reader): QuerySettings => ({
  table: from.text('QUERY_TABLE'),
  topic: from.text('TOPIC'),
  keyColumn: from.text('KEY_COLUMN', 'id'),
  updatedColumn: from.text('UPDATED_COLUMN', 'updated_at'),
  overlapMs: from.integer('OVERLAP_MS', {min: 0, max: 86_400_000, or: 60_000}),
  watermarkTable: from.text('WATERMARK_TABLE', '_skk_watermarks'),
  deadTable: from.text('DEAD_TABLE', '_skk_dead'),
  batchRows: from.integer('BATCH_ROWS', {min: 1, max: 10_000, or: 500}),
  envelope: from.flag('ENVELOPE', false),
})

const names = (text: string): string[] => text.split(',').filter((name) => name !== '')
