import {randomUUID} from 'node:crypto'
import {mkdir, rename, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {kafkaEvent, type SourceRecord} from '../../lambda/event.js'
import type {GivenUp} from '../../lambda/mapping.js'
import {encodeBatch, readBatchHeader} from '../../records/batch.js'
import {partitionForKey} from '../../records/murmur2.js'
import type {Broker} from '../kafka/broker.js'

/** A destination by its parts: `kafka://topic`, or an ARN of one of three services. */
export type OnFailure = {service: 'kafka' | 'sqs' | 'sns' | 's3'; name: string}

/** Names as AWS has them; none of them can be a path. */
const DESTINATIONS: [OnFailure['service'], RegExp][] = [
  ['kafka', /^kafka:\/\/([a-zA-Z0-9._-]{1,249})$/],
  ['sqs', /^arn:aws:sqs:[a-z0-9-]+:\d{12}:([a-zA-Z0-9_-]{1,80}(?:\.fifo)?)$/],
  ['sns', /^arn:aws:sns:[a-z0-9-]+:\d{12}:([a-zA-Z0-9_-]{1,256}(?:\.fifo)?)$/],
  ['s3', /^arn:aws:s3:::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$/],
]

/** Undefined for what is no destination. */
export function parseOnFailure(text: string): OnFailure | undefined {
  for (const [service, pattern] of DESTINATIONS) {
    const name = pattern.exec(text)?.[1]
    if (name !== undefined && name !== '.' && name !== '..') return {service, name}
  }
  return undefined
}

export type Delivered = {functionArn: string; executedVersion: string}

/**
 * Lambda's invocation record for records that were given up. Shape: docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html
 * as of 2026-11-20; the event is in it for S3 and Kafka only.
 */
function invocationRecord(givenUp: GivenUp, {functionArn, executedVersion}: Delivered, now: number) {
  const {condition, approximateInvokeCount, lastInvocation, event, payloadSize, records} = givenUp
  const [first] = records
  return {
    requestContext: {requestId: lastInvocation?.requestId ?? randomUUID(), functionArn, condition, approximateInvokeCount},
    ...(lastInvocation && {
      responseContext: {statusCode: 200, executedVersion, ...(!lastInvocation.ok && {functionError: 'Unhandled'})},
    }),
    version: '1.0',
    timestamp: new Date(now).toISOString(),
    KafkaBatchInfo: {
      batchSize: records.length,
      eventSourceArn: event.eventSourceArn,
      bootstrapServers: event.bootstrapServers,
      payloadSize,
      ...(first && {recordInfo: {offset: String(first.offset), timestamp: new Date(first.timestamp).toISOString()}}),
    },
  }
}

/** Writes the record as a file below `dir`, one directory for each queue, topic and bucket; S3's holds the event too. */
export async function deliverToFile(
  dir: string,
  {service, name}: OnFailure,
  givenUp: GivenUp,
  delivered: Delivered,
): Promise<void> {
  const now = Date.now()
  const record = invocationRecord(givenUp, delivered, now)
  const text = JSON.stringify(service === 's3' ? {...record, payload: JSON.stringify(givenUp.event)} : record)
  const target = join(dir, service, encodeURIComponent(name))
  const file = join(target, `${new Date(now).toISOString().replaceAll(':', '.')}-${randomUUID()}.json`)
  await mkdir(target, {recursive: true, mode: 0o700})
  // Whoever watches the directory finds whole files only.
  await writeFile(`${file}.tmp`, `${text}\n`, {mode: 0o600})
  await rename(`${file}.tmp`, file)
}

/** Appends one record for each that was given up, with its key and its event: together they might be larger than a record may be. */
export async function deliverToTopic(broker: Broker, name: string, givenUp: GivenUp, delivered: Delivered): Promise<void> {
  const topic = broker.topics.get(name)
  if (!topic) throw new Error(`the topic "${name}" of the on-failure destination does not exist`)
  const now = Date.now()
  for (const record of givenUp.records) {
    const count = topic.partitions.length
    const partition = record.key ? partitionForKey(record.key, count) : record.offset % count
    const value = Buffer.from(JSON.stringify(singleRecord(givenUp, record, delivered, now)))
    const batch = await encodeBatch([{key: record.key, value, headers: [], timestamp: now}])
    const maxBytes = Number(broker.configOf(topic, 'max.message.bytes'))
    if (batch.length > maxBytes)
      throw new Error(`a record for the topic "${name}" has ${batch.length} bytes, more than its ${maxBytes}`)
    await topic.partitions[partition]!.append(batch, readBatchHeader(batch))
  }
}

function singleRecord(givenUp: GivenUp, record: SourceRecord, delivered: Delivered, now: number) {
  const {eventSourceArn, bootstrapServers, records} = givenUp.event
  const topic = Object.values(records)[0]?.[0]?.topic ?? ''
  const event = kafkaEvent({eventSourceArn, bootstrapServers, topic}, [record])
  return {...invocationRecord({...givenUp, records: [record]}, delivered, now), payload: event}
}
