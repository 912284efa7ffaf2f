import {setTimeout as sleep} from 'node:timers/promises'

import {attempt} from './core/attempts.ts'
import {attributesOf} from './core/letter.ts'
import {decode} from './core/message.ts'
import {largeLetters} from './large-letters.ts'
import {answer, type BatchResponse, type KafkaEvent, processBatch} from './lib/batch.ts'
import {deadlineOf} from './lib/deadline.ts'
import {deadLetterQueue} from './lib/dlq.ts'
import {log, metrics, placeOf} from './lib/log.ts'
import {readSettings} from './settings.ts'
import {work} from './work.ts'

const settings = readSettings(process.env)
const {concurrency, maxAttempts, order, reports} = settings
const putAside = deadLetterQueue(settings.queueUrl, undefined, {attributesOf, keepLarge: largeLetters(settings.bucket)})

type Context = {awsRequestId: string; getRemainingTimeInMillis(): number}

export async function handler(event: KafkaEvent, context: Context): Promise<BatchResponse> {
  log.appendKeys({requestId: context.awsRequestId})
  const deadline = deadlineOf(context)
  const signal = AbortSignal.timeout(Math.floor(deadline.remainingMs()))
  const started = Date.now()
  const {response, counts} = await processBatch(event, {
    order,
    concurrency,
    deadline,
    handle: async (record) => {
      const once = async () => work(decode(record, settings), {signal})
      await attempt(once, {maxAttempts, deadline, sleep, random: Math.random})
    },
    onPoison: async (record, error) => {
      await putAside(record, error)
      log.warn('put aside', {...placeOf(record), reason: error.message})
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
      BatchLagMs: started - oldest,
      WorkLatency: Date.now() - started,
    },
    ['BatchLagMs', 'WorkLatency'],
  )
  return answer(response, {reports})
}
