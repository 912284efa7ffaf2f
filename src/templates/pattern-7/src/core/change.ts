import type {Message} from '../lib/kafka.ts'
import {type Format, type Item, itemText} from './attribute.ts'

/** A record of a stream as Lambda's poller delivers it. */
export type StreamRecord = {
  eventID: string
  eventName: string
  /** Of the stream: `arn:…:table/NAME/stream/LABEL`. */
  eventSourceARN: string
  dynamodb: {
    /** Seconds since 1970. */
    ApproximateCreationDateTime?: number
    Keys: Item
    NewImage?: Item
    OldImage?: Item
    SequenceNumber: string
    StreamViewType: string
  }
  /** Who deleted, when that was DynamoDB itself. */
  userIdentity?: {type?: string; principalId?: string} | null
}

export type StreamEvent = {Records: StreamRecord[]}

export type ChangeSettings = {
  /** The topic of each table. */
  topics: Record<string, string>
  format: Format
  envelope: boolean
  tombstone: boolean
  /** Whether a change that changes nothing is left out. */
  skipUnchanged: boolean
}

type Op = 'c' | 'u' | 'd'

const OPS: Record<string, Op> = {INSERT: 'c', MODIFY: 'u', REMOVE: 'd'}

/**
 * The messages of a change, in their order: one, none for a change that changes nothing, two for a delete that is told and leaves a
 * tombstone. The key is that of the item, so that all changes of an item are in one partition. Throws PoisonError when the record is
 * at fault, and another error when the settings or the stream are.
 */
export function messagesOf(record: StreamRecord, settings: ChangeSettings): Message[] {
  const {envelope, format, skipUnchanged, tombstone, topics} = settings
  const table = tableOf(record)
  const topic = Object.hasOwn(topics, table) ? topics[table] : undefined
  if (topic === undefined) throw new Error(`table "${table}" has no topic in TOPIC_MAP`)
  const op = Object.hasOwn(OPS, record.eventName) ? OPS[record.eventName] : undefined
  if (op === undefined) throw new Error(`"${record.eventName}" is no event of a stream`)

  const {Keys, NewImage, OldImage, ApproximateCreationDateTime: seconds} = record.dynamodb
  requireImages(record, op, envelope)
  const [before, after] = [OldImage, NewImage].map((image) => (image ? itemText(image, format) : null)) as [Text, Text]
  if (op === 'u' && skipUnchanged && before === after) return []

  const message = {
    topic,
    key: Buffer.from(itemText(Keys, format)),
    headers: headersOf(record, op),
    ...(seconds !== undefined && {timestamp: Math.round(seconds * 1000)}),
  }
  const told = envelope ? enveloped(record, op, before, after) : after
  return [
    ...(told === null ? [] : [{...message, value: Buffer.from(told)}]),
    ...(op === 'd' && tombstone ? [{...message, value: null}] : []),
  ]
}

type Text = string | null

/** Empty for what is no ARN of a stream. */
export const tableOf = ({eventSourceARN}: StreamRecord): string => /:table\/([^/]+)\/stream\//.exec(eventSourceARN)?.[1] ?? ''

/** TTL deletes in DynamoDB's own name. */
export const isExpired = ({eventName, userIdentity}: StreamRecord): boolean =>
  eventName === 'REMOVE' && userIdentity?.type === 'Service' && userIdentity.principalId === 'dynamodb.amazonaws.com'

/** Without its images a change cannot be told: that is how the stream was made, and the fault of no record. */
function requireImages({dynamodb}: StreamRecord, op: Op, envelope: boolean): void {
  const lacks = (op !== 'd' && !dynamodb.NewImage) || (envelope && op !== 'c' && !dynamodb.OldImage)
  if (!lacks) return
  const needed = envelope ? 'NEW_AND_OLD_IMAGES' : 'NEW_IMAGE or NEW_AND_OLD_IMAGES'
  throw new Error(`the stream has ${dynamodb.StreamViewType} and needs ${needed}`)
}

const headersOf = (record: StreamRecord, op: Op): Record<string, string> => ({
  eventID: record.eventID,
  SequenceNumber: record.dynamodb.SequenceNumber,
  eventName: record.eventName,
  op,
  ...(isExpired(record) && {ttl: 'true'}),
})

/** As Debezium has it. Items go in as they are: a JSON text inside a JSON text. */
function enveloped(record: StreamRecord, op: Op, before: Text, after: Text): string {
  const {eventID, dynamodb} = record
  const ts_ms =
    dynamodb.ApproximateCreationDateTime === undefined ? null : Math.round(dynamodb.ApproximateCreationDateTime * 1000)
  const place = {table: tableOf(record), eventID, sequenceNumber: dynamodb.SequenceNumber}
  const source = JSON.stringify({connector: 'skk', ...place, ttl: isExpired(record), ts_ms})
  return `{"before":${before},"after":${after},"source":${source},"op":"${op}","ts_ms":${ts_ms}}`
}
