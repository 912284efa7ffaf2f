import type {Access} from './core/access.ts'
import {readConfig} from './lib/config.ts'
import {type KafkaSettings, readKafkaSettings} from './lib/kafka.ts'

export type Settings = {
  kafka: KafkaSettings
  /** The only topics that there are for whoever asks. */
  topics: string[]
  /** In the paths and answers of version 3. */
  cluster: string
  access: Access
  /** ARN or name; empty unless access is by API key. */
  secretId: string
  /** Bytes, also after unpacking. */
  largestBody: number
}

/** Lambda's payload is 6 MB, and its answer needs room too. */
const LARGEST_BODY = 4_000_000

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Record<string, string | undefined>): Settings =>
  readConfig(env, (from) => {
    const access = from.oneOf('ACCESS', ['iam', 'jwt', 'api-key', 'public'])
    const topics = from.text('TOPICS').split(',')
    if (!topics.every((topic) => /^[\w.-]{1,249}$/.test(topic)))
      from.complain('TOPICS must be names of topics, separated by commas')
    return {
      kafka: readKafkaSettings(from, env),
      topics,
      cluster: from.text('CLUSTER_ID', 'local'),
      access,
      secretId: access === 'api-key' ? from.text('API_KEY_SECRET_ID') : '',
      largestBody: from.integer('MAX_BODY', {min: 1, max: LARGEST_BODY, or: 1_000_000}),
    }
  })
