import {createHash} from 'node:crypto'

import type {KafkaRecord} from '../lib/batch.ts'

/** A message attribute, as SQS takes it. */
export type Attribute = {DataType: 'String'; StringValue: string} | {DataType: 'Binary'; BinaryValue: Buffer}

export type SqsMessage = {
  body: string
  attributes: Record<string, Attribute>
  /** Of a queue that keeps an order. */
  group: string
  /** The same for the same record, so that such a queue drops a duplicate within five minutes. */
  id: string
}

/** Of one message, by SQS. */
const MOST_ATTRIBUTES = 10
const LONGEST_GROUP = 128

/**
 * The message of a record. Bytes that are no text of SQS are base64 then, which the attribute `skk.encoding` says: `base64`, `empty`
 * or `tombstone`; a text is as it is.
 */
export function messageOf(record: KafkaRecord): SqsMessage {
  const {topic, partition, offset, timestamp, key, value} = record
  const id = `${topic}-${partition}-${offset}`
  const {body, encoding} = bodyOf(value)
  const own: Record<string, Attribute> = {
    'kafka.id': text(id),
    'kafka.timestamp': text(String(timestamp)),
    ...(key != null && key !== '' && {'kafka.key': attributeOf(Buffer.from(key, 'base64'))}),
    ...(encoding !== undefined && {'skk.encoding': text(encoding)}),
  }
  const headers = headersOf(record, MOST_ATTRIBUTES - Object.keys(own).length, own)
  return {body, attributes: {...headers, ...own}, group: groupOf(record), id: shortened(id)}
}

function bodyOf(base64: string | null | undefined): {body: string; encoding?: 'base64' | 'empty' | 'tombstone'} {
  // SQS takes no empty body.
  if (base64 == null) return {body: 'null', encoding: 'tombstone'}
  if (base64 === '') return {body: '-', encoding: 'empty'}
  const body = sqsText(Buffer.from(base64, 'base64'))
  return body === undefined ? {body: base64, encoding: 'base64'} : {body}
}

/** What SQS allows: the characters of XML 1.0. */
const ALLOWED = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]+$/u

/** The text of the bytes; undefined when they are none that SQS takes. */
function sqsText(bytes: Buffer): string | undefined {
  try {
    const decoded = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
    return ALLOWED.test(decoded) ? decoded : undefined
  } catch {
    return undefined
  }
}

const text = (StringValue: string): Attribute => ({DataType: 'String', StringValue})

function attributeOf(bytes: Buffer): Attribute {
  const decoded = sqsText(bytes)
  return decoded === undefined ? {DataType: 'Binary', BinaryValue: bytes} : text(decoded)
}

/** Each header as an attribute, if SQS can have all of them so; otherwise all in one, as JSON with base64. */
function headersOf({headers}: KafkaRecord, most: number, own: Record<string, Attribute>): Record<string, Attribute> {
  const all = headers.flatMap((header) => Object.entries(header)).map(([name, bytes]) => [name, Buffer.from(bytes)] as const)
  if (all.length === 0) return {}
  const names = new Set(all.map(([name]) => name))
  const fit =
    all.length <= most &&
    names.size === all.length &&
    all.every(([name, bytes]) => isAttributeName(name) && !Object.hasOwn(own, name) && bytes.length > 0)
  if (fit) return Object.fromEntries(all.map(([name, bytes]) => [name, attributeOf(bytes)]))
  return {'kafka.headers': text(JSON.stringify(all.map(([name, bytes]) => [name, bytes.toString('base64')])))}
}

const isAttributeName = (name: string): boolean =>
  /^[\w-]+(\.[\w-]+)*$/.test(name) && name.length <= 256 && !/^(aws|amazon)\./i.test(name) && !/^(kafka|skk)\./.test(name)

/** What stays in order in Kafka stays so in the queue: the records of a key, or those without one of a partition. */
export function groupOf({topic, partition, key}: KafkaRecord): string {
  if (key == null) return shortened(`${topic}-${partition}`)
  const decoded = Buffer.from(key, 'base64').toString()
  return /^[!-~]+$/.test(decoded) && decoded.length <= LONGEST_GROUP ? decoded : hashOf(key)
}

const shortened = (id: string): string => (id.length <= LONGEST_GROUP ? id : hashOf(id))

const hashOf = (id: string): string => createHash('sha256').update(id).digest('hex')

/** How many bytes SQS counts: body, and names, types and values of attributes. */
export function bytesOf({body, attributes}: SqsMessage): number {
  const sizes = Object.entries(attributes).map(([name, attribute]) => {
    const value = attribute.DataType === 'String' ? Buffer.byteLength(attribute.StringValue) : attribute.BinaryValue.length
    return Buffer.byteLength(name) + attribute.DataType.length + value
  })
  return sizes.reduce((sum, bytes) => sum + bytes, Buffer.byteLength(body))
}

/** The message in the place of one that is too large: where its record is, whole, as the event had it. */
export function pointerMessage({group, id, attributes}: SqsMessage, stored: {bucket: string; key: string}): SqsMessage {
  const {'kafka.id': own, 'kafka.timestamp': timestamp} = attributes
  return {
    body: JSON.stringify({stored}),
    attributes: {'kafka.id': own!, 'kafka.timestamp': timestamp!, 'skk.encoding': text('stored')},
    group,
    id,
  }
}
