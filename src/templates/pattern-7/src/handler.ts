import {aside} from './aside.ts'
import {messagesOf, type StreamEvent, type StreamRecord, tableOf} from './core/change.ts'
import {relay} from './core/relay.ts'
import {deadlineOf} from './lib/deadline.ts'
import {kafkaProducer} from './lib/kafka.ts'
import {log, metrics} from './lib/log.ts'
import {readSettings} from './settings.ts'

const settings = readSettings(process.env)
const {change, portionBytes} = settings
const producer = kafkaProducer(settings.kafka)
const keep = aside(settings.bucket)

type Context = {awsRequestId: string; getRemainingTimeInMillis(): number}

/** For a stream an identifier is the sequence number: all from the lowest on come again. */
export type StreamResponse = {batchItemFailures: {itemIdentifier: string}[]}

export async function handler(event: StreamEvent, context: Context): Promise<StreamResponse> {
  log.appendKeys({requestId: context.awsRequestId})
  const deadline = deadlineOf(context)
  const started = Date.now()
  const {counts, failure} = await relay(event.Records, {
    producer,
    deadline,
    portionBytes,
    messagesOf: (record) => messagesOf(record, change),
    putAside: async (record, error) => {
      await keep(record, error)
      log.warn('put aside', {...placeOf(record), reason: error.message})
    },
  })
  if (failure) log.error('will come again, with all after it', {...placeOf(failure.record), reason: String(failure.error)})
  const times = event.Records.map(({dynamodb}) => (dynamodb.ApproximateCreationDateTime ?? started / 1000) * 1000)
  metrics(
    {
      RecordsIn: counts.in,
      RecordsOk: counts.ok,
      RecordsPoison: counts.poison,
      RecordsRetried: counts.left,
      BatchLagMs: started - Math.min(started, ...times),
      SinkLatency: Date.now() - started,
    },
    ['BatchLagMs', 'SinkLatency'],
  )
  return {batchItemFailures: failure ? [{itemIdentifier: failure.record.dynamodb.SequenceNumber}] : []}
}

const placeOf = (record: StreamRecord) => ({table: tableOf(record), sequenceNumber: record.dynamodb.SequenceNumber})
