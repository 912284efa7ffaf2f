import {createHash} from 'node:crypto'

import {type KafkaRecord, PoisonError} from '../lib/batch.ts'

/** A field of a header table: a text, or bytes that are none, or several of one name. */
type Field = string | Buffer | number | boolean | Field[]

export type Publication = {
  exchange: string
  routingKey: string
  content: Buffer
  properties: {
    /** The same for the same record, so that consumers can tell a duplicate. */
    messageId: string
    /** Seconds since 1970. */
    timestamp: number
    headers: Record<string, Field>
  }
}

export type Routing = {
  exchange: string
  /** Of every message, or of those without what `from` wants. */
  routingKey: string
  from: 'fixed' | 'key' | 'topic'
}

/** Of a short text in AMQP. */
const LONGEST_BYTES = 255

/** The message of a record, byte for byte. Throws PoisonError when its key should be a routing key and cannot. */
export function publicationOf(record: KafkaRecord, routing: Routing): Publication {
  const {topic, partition, offset, timestamp, key, value} = record
  const place = {'kafka.topic': topic, 'kafka.partition': partition, 'kafka.offset': String(offset)}
  return {
    exchange: routing.exchange,
    routingKey: routingKeyOf(record, routing),
    content: Buffer.from(value ?? '', 'base64'),
    properties: {
      messageId: shortened(`${topic}-${partition}-${offset}`),
      timestamp: Math.floor(timestamp / 1000),
      headers: {
        ...headersOf(record),
        ...place,
        ...(key != null && {'kafka.key': fieldOf(Buffer.from(key, 'base64'))}),
        ...(value == null && {'kafka.tombstone': true}),
      },
    },
  }
}

function routingKeyOf({topic, key}: KafkaRecord, {routingKey, from}: Routing): string {
  if (from === 'topic') return topic
  if (from === 'fixed' || key == null) return routingKey
  const own = textOf(Buffer.from(key, 'base64'))
  if (own === undefined || Buffer.byteLength(own) > LONGEST_BYTES) throw new PoisonError('the key cannot be a routing key')
  return own
}

/** A table has each name once: what Kafka has twice is a list. */
function headersOf({headers}: KafkaRecord): Record<string, Field> {
  const found = new Map<string, Field[]>()
  for (const [name, bytes] of headers.flatMap((header) => Object.entries(header))) {
    const fields = found.get(name) ?? []
    fields.push(fieldOf(Buffer.from(bytes)))
    found.set(name, fields)
  }
  return Object.fromEntries([...found].map(([name, fields]) => [name, fields.length === 1 ? fields[0]! : fields]))
}

const fieldOf = (bytes: Buffer): string | Buffer => textOf(bytes) ?? bytes

function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
  } catch {
    return undefined
  }
}

const shortened = (id: string): string =>
  Buffer.byteLength(id) <= LONGEST_BYTES ? id : createHash('sha256').update(id).digest('hex')
