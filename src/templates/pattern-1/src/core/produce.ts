import type {Deadline} from '../lib/deadline.ts'
import type {KafkaProducer, Message} from '../lib/kafka.ts'
import {badRequest, HttpError} from './http.ts'
import {httpErrorOf, type Outcome} from './outcome.ts'
import type {Wanted} from './record.ts'

export type ProduceOptions = {
  topic: string
  producer: KafkaProducer
  deadline: Deadline
  /** What `Idempotency-Key` said. */
  idempotencyKey: string | undefined
  /** Is told of what Kafka did not take. */
  onFailure(error: unknown): void
}

/** Stores records and tells of each what became of it, in their order. An HttpError in the place of a record is its outcome. */
export async function produce(wanted: readonly (Wanted | HttpError)[], options: ProduceOptions): Promise<Outcome[]> {
  const records = wanted.filter((one) => !(one instanceof HttpError))
  const keyOf = (index: number) => markOf(options.idempotencyKey, index, wanted.length)
  const messages = wanted.flatMap((one, index) => (one instanceof HttpError ? [] : [messageOf(one, options.topic, keyOf(index))]))
  const results = records.length === 0 ? [] : await options.producer.send(messages, options.deadline)
  const settled = results.map((result): Outcome => {
    if (result.status === 'fulfilled') return {stored: true, partition: result.value.partition, offset: result.value.offset}
    options.onFailure(result.reason)
    return {stored: false, error: httpErrorOf(result.reason)}
  })
  const inOrder = settled.values()
  return wanted.map((one) => (one instanceof HttpError ? {stored: false, error: one} : inOrder.next().value!))
}

/** Several records of one request are several: each has its own mark. */
const markOf = (key: string | undefined, index: number, of: number): string | undefined =>
  key === undefined || of === 1 ? key : `${key}/${index}`

function messageOf({partition, key, value, headers, timestamp}: Wanted, topic: string, mark: string | undefined): Message {
  const all = [...headers, ...(mark === undefined ? [] : [['idempotency-key', Buffer.from(mark)] as [string, Buffer]])]
  return {topic, key, value, timestamp, headers: grouped(all), ...(partition !== undefined && {partition})}
}

/** kafkajs has headers by name, so that those of one name come together. */
function grouped(headers: readonly [string, Buffer][]): Record<string, Buffer[]> {
  const byName = new Map<string, Buffer[]>()
  for (const [name, value] of headers) byName.set(name, [...(byName.get(name) ?? []), value])
  return Object.fromEntries(byName)
}

/** The value of `Idempotency-Key`. Throws HttpError (400) when it could not stand in a header of a record. */
export function idempotencyKeyOf(header: string | undefined): string | undefined {
  if (header === undefined || /^[\x21-\x7e]{1,255}$/.test(header)) return header
  throw badRequest('Idempotency-Key is not 1 to 255 characters of ASCII without blanks')
}
