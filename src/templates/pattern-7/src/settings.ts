import type {ChangeSettings} from './core/change.ts'
import {type Reader, readConfig} from './lib/config.ts'
import {type KafkaSettings, readKafkaSettings} from './lib/kafka.ts'

export type Settings = {
  kafka: KafkaSettings
  change: ChangeSettings
  portionBytes: number
  /** Where records are kept that no topic takes; empty for none. */
  bucket: string
}

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Record<string, string | undefined>): Settings =>
  readConfig(env, (from) => ({
    kafka: readKafkaSettings(from, env),
    change: readChange(from),
    portionBytes: from.integer('BATCH_BYTES', {min: 1, max: 8_000_000, or: 900_000}),
    bucket: from.text('DEAD_LETTERS_BUCKET', ''),
  }))

function readChange(from: Reader): ChangeSettings {
  const topics = from.texts('TOPIC_MAP') ?? {}
  const names = Object.values(topics)
  if (!names.every((name) => /^[\w.-]{1,249}$/.test(name))) from.complain('TOPIC_MAP must have names of topics')
  // The key of a record says nothing about its table.
  if (new Set(names).size < names.length) from.complain('TOPIC_MAP must have another topic for each table')
  const envelope = from.flag('ENVELOPE', true)
  const tombstone = from.flag('TOMBSTONE', true)
  if (!envelope && !tombstone) from.complain('without ENVELOPE a delete needs TOMBSTONE=true')
  return {
    topics,
    format: from.oneOf('FORMAT', ['typed', 'plain'], 'typed'),
    envelope,
    tombstone,
    skipUnchanged: from.flag('SKIP_UNCHANGED', false),
  }
}
