import type {SinkSettings} from './core/sink.ts'
import {type Reader, readConfig} from './lib/config.ts'
import {type DatabaseSettings, readDatabaseSettings} from './lib/postgres.ts'

export type Settings = {
  database: DatabaseSettings
  sink: SinkSettings
  batchRows: number
  maxRetries: number
  queueUrl: string
  /** Whether the mapping reads which records failed. */
  reports: boolean
}

const KAFKA_PK = '__connect_topic,__connect_partition,__connect_offset'

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Record<string, string | undefined>): Settings =>
  readConfig(env, (from) => ({
    database: readDatabaseSettings(from, env),
    sink: readSink(from),
    batchRows: from.integer('BATCH_ROWS', {min: 1, max: 10_000, or: 3000}),
    maxRetries: from.integer('MAX_RETRIES', {min: 0, max: 1000, or: 10}),
    queueUrl: from.text('DLQ_URL', ''),
    reports: from.flag('REPORT_FAILURES', true),
  }))

function readSink(from: Reader): SinkSettings {
  const pkMode = from.oneOf('PK_MODE', ['none', 'kafka', 'record_key', 'record_value'], 'record_key')
  const guard = from.oneOf('GUARD', ['table', 'column', 'none'], 'table')
  const sink: SinkSettings = {
    tableFormat: from.text('TABLE_FORMAT', '{topic}'),
    insertMode: from.oneOf('INSERT_MODE', ['insert', 'upsert', 'update'], 'upsert'),
    pkMode,
    pkFields: names(from.text('PK_FIELDS', pkMode === 'kafka' ? KAFKA_PK : '')),
    keyFormat: from.oneOf('KEY_FORMAT', ['text', 'json'], 'text'),
    deletes: from.flag('DELETE_ENABLED', false),
    fields: names(from.text('FIELDS', '')),
    offsetsTable: guard === 'table' ? from.text('OFFSETS_TABLE', '_skk_offsets') : '',
    offsetColumn: guard === 'column' ? from.text('OFFSET_COLUMN', '_skk_offset') : '',
  }
  for (const complaint of contradictions(sink)) from.complain(complaint)
  return sink
}

function contradictions({insertMode, pkMode, pkFields, keyFormat, deletes, offsetColumn}: SinkSettings): string[] {
  return [
    ...(insertMode !== 'insert' && pkMode === 'none' ? ['INSERT_MODE upsert and update need a PK_MODE'] : []),
    ...(insertMode === 'insert' && offsetColumn !== '' ? ['GUARD=column needs INSERT_MODE upsert or update'] : []),
    ...(deletes && pkMode !== 'record_key' ? ['DELETE_ENABLED needs PK_MODE=record_key'] : []),
    ...(pkMode === 'record_key' && keyFormat === 'text' && pkFields.length !== 1
      ? ['PK_FIELDS must name one column where KEY_FORMAT is text']
      : []),
    ...(pkMode === 'kafka' && pkFields.length !== 3 ? ['PK_FIELDS must name three columns where PK_MODE is kafka'] : []),
  ]
}

const names = (text: string): string[] => text.split(',').filter((name) => name !== '')
