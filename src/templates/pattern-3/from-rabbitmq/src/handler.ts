import {forward} from './core/forward.ts'
import {recordOf} from './core/incoming.ts'
import {incoming, type RmqEvent} from './core/message.ts'
import {deadLetters} from './letters.ts'
import {deadlineOf} from './lib/deadline.ts'
import {kafkaProducer} from './lib/kafka.ts'
import {log, metrics} from './lib/log.ts'
import {publish} from './lib/publish.ts'
import {readSettings} from './settings.ts'

const settings = readSettings(process.env)
const producer = kafkaProducer(settings.kafka)
const putAside = deadLetters(settings.queueUrl, settings.bucket)

type Context = {awsRequestId: string; getRemainingTimeInMillis(): number}

/** Lambda acknowledges all messages of an event, or none. */
export async function handler(event: RmqEvent, context: Context): Promise<void> {
  log.appendKeys({requestId: context.awsRequestId})
  const deadline = deadlineOf(context)
  const started = Date.now()
  const {counts, failure} = await forward(event, {
    recordOf: (message) => recordOf(incoming(message), settings.target),
    publish: (records) => publish(records, producer, deadline),
    putAside: async (queued, error) => {
      await putAside(queued, error)
      const {messageId} = queued.message.basicProperties
      log.warn('put aside', {queue: queued.queue, messageId: messageId ?? '', reason: error.message})
    },
  })
  metrics(
    {
      RecordsIn: counts.in,
      RecordsOk: counts.ok,
      RecordsPoison: counts.poison,
      RecordsRetried: counts.left,
      SinkLatency: Date.now() - started,
    },
    ['SinkLatency'],
  )
  if (failure === undefined) return
  log.error('all will come again', {reason: String(failure)})
  throw failure
}
