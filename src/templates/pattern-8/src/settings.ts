import type {Format} from './core/message.ts'
import type {Order} from './lib/batch.ts'
import {readConfig} from './lib/config.ts'

export type Settings = {
  format: Format
  /** Members that a JSON object must have. */
  required: string[]
  order: Order
  concurrency: number
  maxAttempts: number
  queueUrl: string
  /** Name of the bucket for letters that SQS does not take. */
  bucket: string
  /** Whether the mapping reads which records failed. */
  reports: boolean
}

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Record<string, string | undefined>): Settings =>
  readConfig(env, (from) => {
    const format = from.oneOf('FORMAT', ['json', 'bytes'], 'json')
    const required = from.text('REQUIRED', '').split(',').filter(Boolean)
    if (format === 'bytes' && required.length > 0) from.complain('REQUIRED needs FORMAT=json')
    return {
      format,
      required,
      order: from.oneOf('ORDER', ['partition', 'key', 'none'], 'partition'),
      concurrency: from.integer('CONCURRENCY', {min: 1, max: 256, or: 10}),
      maxAttempts: from.integer('MAX_ATTEMPTS', {min: 1, max: 100, or: 3}),
      queueUrl: from.text('DLQ_URL', ''),
      bucket: from.text('LARGE_LETTERS_BUCKET', ''),
      reports: from.flag('REPORT_FAILURES', true),
    }
  })
