import {GetSecretValueCommand, SecretsManagerClient} from '@aws-sdk/client-secrets-manager'

import {gate} from './core/access.ts'
import {HttpError, type HttpEvent, type HttpResponse, respondError} from './core/http.ts'
import {deadlineOf} from './lib/deadline.ts'
import {kafkaProducer} from './lib/kafka.ts'
import {log, metrics} from './lib/log.ts'
import {service} from './service.ts'
import {readSettings} from './settings.ts'

const settings = readSettings(process.env)
const {access, cluster, largestBody, secretId, topics} = settings
const failures: unknown[] = []
const answer = service({
  topics,
  cluster,
  largestBody,
  producer: kafkaProducer(settings.kafka),
  now: Date.now,
  allow: gate(access, async () => {
    const {SecretString} = await new SecretsManagerClient({}).send(new GetSecretValueCommand({SecretId: secretId}))
    return SecretString ?? ''
  }),
  onFailure: (error) => failures.push(error),
})

type Context = {awsRequestId: string; getRemainingTimeInMillis(): number}

export async function handler(event: HttpEvent, context: Context): Promise<HttpResponse> {
  log.appendKeys({requestId: context.awsRequestId})
  failures.length = 0
  const started = Date.now()
  const response = await answer(event, deadlineOf(context)).catch((error) => {
    log.error('a bug, or a service that cannot be reached', error as Error)
    return respondError(new HttpError(500, 'the request could not be handled'))
  })
  const {statusCode} = response
  // One of them is enough: a broker that is away fails every record of a request in the same way.
  if (failures.length > 0) log.error('not stored', {failed: failures.length, status: statusCode, reason: String(failures[0])})
  metrics(
    {
      Requests: 1,
      RequestsOk: statusCode === 200 ? 1 : 0,
      KafkaErrors: failures.length > 0 && statusCode >= 500 ? 1 : 0,
      RequestLatency: Date.now() - started,
    },
    ['RequestLatency'],
  )
  return response
}
