import type {Target} from './core/incoming.ts'
import {keyOf} from './core/key.ts'
import {readConfig} from './lib/config.ts'
import {type KafkaSettings, readKafkaSettings} from './lib/kafka.ts'

export type Settings = {
  kafka: KafkaSettings
  target: Target
  /** Whether every body is base64; otherwise the attribute of a message says so. */
  base64: boolean
  queueUrl: string
}

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Record<string, string | undefined>): Settings =>
  readConfig(env, (from) => {
    const key = keyOf(from.text('KEY_FROM', 'auto'))
    if (!key) from.complain('KEY_FROM must be auto, none, group, message-id, attribute:NAME or json:JMESPATH')
    return {
      kafka: readKafkaSettings(from, env),
      target: {topic: from.text('TOPIC'), format: from.oneOf('FORMAT', ['bytes', 'json'], 'bytes'), keyOf: key ?? (() => null)},
      base64: from.oneOf('BODY', ['text', 'base64'], 'text') === 'base64',
      queueUrl: from.text('DLQ_URL', ''),
    }
  })
