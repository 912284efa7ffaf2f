import type {AmqpSettings} from './amqp.ts'
import type {ConsumerSettings} from './consumer.ts'
import type {Routing} from './core/publication.ts'
import {type Reader, readConfig} from './lib/config.ts'

export type Settings = ConsumerSettings & {amqp: AmqpSettings; routing: Routing; maxAttempts: number}

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Record<string, string | undefined>): Settings =>
  readConfig(env, (from) => ({
    amqp: readAmqp(from),
    routing: {
      exchange: from.text('EXCHANGE', ''),
      routingKey: from.text('ROUTING_KEY', ''),
      from: from.oneOf('ROUTING_KEY_FROM', ['fixed', 'key', 'topic'], 'fixed'),
    },
    maxAttempts: from.integer('MAX_ATTEMPTS', {min: 1, max: 100, or: 12}),
    format: from.oneOf('FORMAT', ['bytes', 'json'], 'bytes'),
    order: from.oneOf('ORDER', ['partition', 'key', 'none'], 'partition'),
    concurrency: from.integer('CONCURRENCY', {min: 1, max: 1000, or: 50}),
    queueUrl: from.text('DLQ_URL', ''),
    bucket: from.text('LARGE_BUCKET', ''),
    reports: from.flag('REPORT_FAILURES', true),
  }))

/** Without TLS, and as RabbitMQ's own user, only on this machine. */
function readAmqp(from: Reader): AmqpSettings {
  const host = from.text('AMQP_HOST')
  const onThisMachine = ['localhost', '127.0.0.1', '::1'].includes(host)
  const tls = from.flag('AMQP_TLS', !onThisMachine)
  const auth = from.oneOf('AMQP_AUTH', ['secret', 'guest'], onThisMachine ? 'guest' : 'secret')
  if (host !== '' && !onThisMachine && (auth === 'guest' || !tls))
    from.complain('AMQP_AUTH=guest and AMQP_TLS=false are for this machine only')
  return {
    host,
    port: from.integer('AMQP_PORT', {min: 1, max: 65_535, or: tls ? 5671 : 5672}),
    vhost: from.text('AMQP_VHOST', '/'),
    tls,
    auth,
    secretId: auth === 'secret' ? from.text('AMQP_SECRET_ID') : from.text('AMQP_SECRET_ID', ''),
  }
}
