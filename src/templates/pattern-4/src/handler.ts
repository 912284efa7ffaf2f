import {setTimeout as sleep} from 'node:timers/promises'

import {GetSecretValueCommand, SecretsManagerClient} from '@aws-sdk/client-secrets-manager'

import {circuitBreaker} from './core/breaker.ts'
import {deliver} from './core/delivery.ts'
import {requestFor} from './core/request.ts'
import {cachedSecret} from './core/secret.ts'
import {send} from './http.ts'
import {answer, type BatchResponse, type KafkaEvent, processBatch} from './lib/batch.ts'
import {deadlineOf} from './lib/deadline.ts'
import {deadLetterQueue} from './lib/dlq.ts'
import {log, metrics, placeOf} from './lib/log.ts'
import {readSettings} from './settings.ts'

const settings = readSettings(process.env)
const {auth, breaker: limits, concurrency, maxAttempts, order, reports, timeoutMs} = settings
const breaker = circuitBreaker(limits)
const putAside = deadLetterQueue(settings.queueUrl)
const secret = cachedSecret(async () => {
  const {SecretString} = await new SecretsManagerClient({}).send(new GetSecretValueCommand({SecretId: settings.secretId}))
  return SecretString ?? ''
})
const authorizations = {
  none: undefined,
  bearer: (value: string) => `Bearer ${value}`,
  /** The secret is `user:password`. */
  basic: (value: string) => `Basic ${Buffer.from(value).toString('base64')}`,
}

type Context = {awsRequestId: string; getRemainingTimeInMillis(): number}

export async function handler(event: KafkaEvent, context: Context): Promise<BatchResponse> {
  log.appendKeys({requestId: context.awsRequestId})
  const deadline = deadlineOf(context)
  const common = {send, authorization: authorizations[auth], secret, breaker, deadline, timeoutMs, maxAttempts}
  const started = Date.now()
  const {response, counts} = await processBatch(event, {
    order,
    concurrency,
    deadline,
    handle: async (record) => {
      await deliver(requestFor(record, settings.request), {...common, sleep, random: Math.random, now: Date.now})
    },
    onPoison: async (record, error) => {
      log.warn('put aside', {...placeOf(record), reason: error.message})
      await putAside(record, error)
    },
    onFailure: (record, error) => log.error('will come again', {...placeOf(record), reason: String(error)}),
  })
  const oldest = Math.min(started, ...Object.values(event.records).map(([first]) => first?.timestamp ?? started))
  metrics(
    {
      RecordsIn: counts.in,
      RecordsOk: counts.ok,
      RecordsPoison: counts.poison,
      RecordsRetried: counts.left,
      BreakerOpen: breaker.isOpen(Date.now()) ? 1 : 0,
      BatchLagMs: started - oldest,
      SinkLatency: Date.now() - started,
    },
    ['BatchLagMs', 'SinkLatency'],
  )
  return answer(response, {reports})
}
