import {placeholdersAreSafe, type RequestSettings} from './core/request.ts'
import type {Order} from './lib/batch.ts'
import {type Reader, readConfig} from './lib/config.ts'

export type Settings = {
  request: RequestSettings
  auth: 'none' | 'bearer' | 'basic'
  /** ARN or name. */
  secretId: string
  timeoutMs: number
  maxAttempts: number
  order: Order
  concurrency: number
  breaker: {failures: number; pauseMs: number}
  queueUrl: string
  /** Whether the mapping reads which records failed. */
  reports: boolean
}

/** What the environment says, with all its mistakes at once. Throws ConfigError. */
export const readSettings = (env: Record<string, string | undefined>): Settings =>
  readConfig(env, (from) => ({
    request: {
      endpoint: readEndpoint(from),
      method: from.oneOf('METHOD', ['POST', 'PUT', 'PATCH'], 'POST'),
      headers: from.texts('REQUEST_HEADERS', {}),
      body: from.oneOf('BODY', ['raw', 'json'], 'raw'),
    },
    auth: from.oneOf('AUTH', ['none', 'bearer', 'basic'], 'none'),
    secretId: readSecretId(from, env['AUTH'] ?? 'none'),
    timeoutMs: from.integer('TIMEOUT_MS', {min: 100, max: 300_000, or: 10_000}),
    maxAttempts: from.integer('MAX_ATTEMPTS', {min: 1, max: 100, or: 5}),
    order: from.oneOf('ORDER', ['partition', 'key', 'none'], 'partition'),
    concurrency: from.integer('CONCURRENCY', {min: 1, max: 256, or: 10}),
    breaker: {
      failures: from.integer('BREAKER_FAILURES', {min: 1, max: 10_000, or: 20}),
      pauseMs: from.integer('BREAKER_PAUSE_MS', {min: 100, max: 900_000, or: 30_000}),
    },
    queueUrl: from.text('DLQ_URL', ''),
    reports: from.flag('REPORT_FAILURES', true),
  }))

/** HTTPS, except on this machine; its host is one that is allowed, and no record can choose another. */
function readEndpoint(from: Reader): string {
  const endpoint = from.text('ENDPOINT_URL')
  const allowed = from.text('ALLOWED_HOSTS').split(',')
  if (endpoint === '') return endpoint
  if (!placeholdersAreSafe(endpoint)) {
    from.complain('ENDPOINT_URL may hold {topic}, {partition}, {offset} and {key}, and only after its host')
    return endpoint
  }
  const url = URL.parse(endpoint)
  if (url === null) from.complain('ENDPOINT_URL must be a URL')
  else if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.includes(url.hostname)))
    from.complain('ENDPOINT_URL must begin with https://')
  else if (!allowed.includes(url.hostname)) from.complain('ENDPOINT_URL has a host that is not in ALLOWED_HOSTS')
  return endpoint
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

const readSecretId = (from: Reader, auth: string): string =>
  auth === 'none' ? from.text('AUTH_SECRET_ID', '') : from.text('AUTH_SECRET_ID')
