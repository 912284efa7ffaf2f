import type {Target} from './core/incoming.ts'
import {keyOf} from './core/key.ts'
import {readConfig} from './lib/config.ts'
import {type KafkaSettings, readKafkaSettings} from './lib/kafka.ts'

export type Settings = {
  kafka: KafkaSettings
  target: Target
  queueUrl: string
  /** Name of the bucket for letters that SQS does not take. */
  bucket: string
}

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Record<string, string | undefined>): Settings =>
  readConfig(env, (from) => {
    const key = keyOf(from.text('KEY_FROM', 'auto'))
    if (!key) from.complain('KEY_FROM must be auto, none, message-id, attribute:NAME or json:JMESPATH')
    return {
      kafka: readKafkaSettings(from, env),
      target: {topic: from.text('TOPIC'), format: from.oneOf('FORMAT', ['bytes', 'json'], 'bytes'), keyOf: key ?? (() => null)},
      queueUrl: from.text('DLQ_URL', ''),
      bucket: from.text('LARGE_BUCKET', ''),
    }
  })
