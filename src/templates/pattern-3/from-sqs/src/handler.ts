import {forward, type SqsResponse} from './core/forward.ts'
import {recordOf} from './core/incoming.ts'
import {incoming, type SqsEvent} from './core/message.ts'
import {deadLetters} from './letters.ts'
import {deadlineOf} from './lib/deadline.ts'
import {kafkaProducer} from './lib/kafka.ts'
import {log, metrics} from './lib/log.ts'
import {publish} from './lib/publish.ts'
import {readSettings} from './settings.ts'

const settings = readSettings(process.env)
const producer = kafkaProducer(settings.kafka)
const putAside = deadLetters(settings.queueUrl)

type Context = {awsRequestId: string; getRemainingTimeInMillis(): number}

export async function handler({Records}: SqsEvent, context: Context): Promise<SqsResponse> {
  log.appendKeys({requestId: context.awsRequestId})
  const deadline = deadlineOf(context)
  const started = Date.now()
  const {response, counts} = await forward(Records, {
    recordOf: (message) => recordOf(incoming(message, settings), settings.target),
    publish: (records) => publish(records, producer, deadline),
    putAside: async (message, error) => {
      await putAside(message, error)
      log.warn('put aside', {messageId: message.messageId, reason: error.message})
    },
    onFailure: ({messageId}, error) => log.error('will come again', {messageId, reason: String(error)}),
  })
  const oldest = Math.min(started, ...Records.map(({attributes}) => Number(attributes['SentTimestamp'] ?? started)))
  metrics(
    {
      RecordsIn: counts.in,
      RecordsOk: counts.ok,
      RecordsPoison: counts.poison,
      RecordsRetried: counts.left,
      BatchLagMs: started - oldest,
      SinkLatency: Date.now() - started,
    },
    ['BatchLagMs', 'SinkLatency'],
  )
  return response
}
