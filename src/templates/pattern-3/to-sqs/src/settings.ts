import type {ConsumerSettings} from './consumer.ts'
import {readConfig} from './lib/config.ts'

/** `targetUrl` is the queue that is filled. */
export type Settings = ConsumerSettings & {targetUrl: string}

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Record<string, string | undefined>): Settings =>
  readConfig(env, (from) => {
    const targetUrl = from.text('QUEUE_URL')
    // A queue without an order has none to keep.
    const order = targetUrl.endsWith('.fifo') ? 'key' : 'none'
    return {
      targetUrl,
      format: from.oneOf('FORMAT', ['bytes', 'json'], 'bytes'),
      order: from.oneOf('ORDER', ['partition', 'key', 'none'], order),
      concurrency: from.integer('CONCURRENCY', {min: 1, max: 1000, or: 50}),
      queueUrl: from.text('DLQ_URL', ''),
      bucket: from.text('LARGE_BUCKET', ''),
      reports: from.flag('REPORT_FAILURES', true),
    }
  })
