import {checkFormat, placeInBucket, pointerTo} from './core/carry.ts'
import {large} from './large.ts'
import {answer, type BatchResponse, type KafkaEvent, type KafkaRecord, type Order, processBatch} from './lib/batch.ts'
import {type Deadline, deadlineOf} from './lib/deadline.ts'
import {deadLetterQueue} from './lib/dlq.ts'
import {log, metrics, placeOf} from './lib/log.ts'

export type ConsumerSettings = {
  format: 'bytes' | 'json'
  order: Order
  concurrency: number
  /** Of the dead letters. */
  queueUrl: string
  /** Name of the bucket for what SQS does not take. */
  bucket: string
  /** Whether the mapping reads which records failed. */
  reports: boolean
}

export type Context = {awsRequestId: string; getRemainingTimeInMillis(): number}

/** The handler of a topic whose records go to `deliver`, which throws PoisonError for one that will never be taken. */
export function consumer(
  {format, order, concurrency, queueUrl, bucket, reports}: ConsumerSettings,
  deliver: (record: KafkaRecord, deadline: Deadline) => Promise<void>,
) {
  const keep = large(bucket)
  const putAside = deadLetterQueue(
    queueUrl,
    undefined,
    keep && {
      keepLarge: async (letter) => pointerTo(letter, await keep(`letters/${placeInBucket(letter)}.json`, JSON.stringify(letter))),
    },
  )
  return async (event: KafkaEvent, context: Context): Promise<BatchResponse> => {
    log.appendKeys({requestId: context.awsRequestId})
    const deadline = deadlineOf(context)
    const started = Date.now()
    const {response, counts} = await processBatch(event, {
      order,
      concurrency,
      deadline,
      handle: async (record) => {
        checkFormat(record, format)
        await deliver(record, deadline)
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
        SinkLatency: Date.now() - started,
      },
      ['BatchLagMs', 'SinkLatency'],
    )
    return answer(response, {reports})
  }
}
