/** A record as the poller reads it from a partition. `timestamp` is epoch milliseconds. */
export type SourceRecord = {
  partition: number
  offset: number
  timestamp: number
  timestampType: 'CREATE_TIME' | 'LOG_APPEND_TIME'
  key: Buffer | null
  value: Buffer | null
  headers: readonly {key: Buffer; value: Buffer | null}[]
}

/** What a function gets for one record; key and value in base64, absent when the record's is null. */
type KafkaEventRecord = {
  topic: string
  partition: number
  offset: number
  timestamp: number
  timestampType: 'CREATE_TIME' | 'LOG_APPEND_TIME'
  key?: string
  value?: string
  /** One object with one member per header, so that order and duplicates stay; values are lists of unsigned bytes. */
  headers: Record<string, number[]>[]
}

export type KafkaEvent = {
  eventSource: 'aws:kafka'
  eventSourceArn: string
  bootstrapServers: string
  /** By topic and partition, as in "orders-0"; each list in the order of its partition. */
  records: Record<string, KafkaEventRecord[]>
}

/** Where the records of an event come from; `bootstrapServers` is a comma-separated list of HOST:PORT. */
export type EventSource = {topic: string; eventSourceArn: string; bootstrapServers: string}

/**
 * An event must be smaller than this, in bytes of its JSON.
 * Lambda's Invoke answers 413 `Request must be smaller than 6291456 bytes for the InvokeFunction operation`.
 */
export const PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024

/** The key of a partition's list in an event, and the `partition` of an item identifier. */
export const topicPartition = (topic: string, partition: number): string => `${topic}-${partition}`

/**
 * The event of an `aws:kafka` event-source mapping for `records`, which may mix partitions and keep their order.
 * Shape: docs.aws.amazon.com/lambda/latest/dg/with-msk.html (sample event), as of 2026-11-20. Not captured from AWS: that the value of
 * a tombstone is absent like a missing key, that a header's null value is an empty list, that header bytes are unsigned.
 */
export function kafkaEvent(source: EventSource, records: readonly SourceRecord[]): KafkaEvent {
  const byPartition: Record<string, KafkaEventRecord[]> = {}
  for (const record of records) {
    const name = topicPartition(source.topic, record.partition)
    byPartition[name] ??= []
    byPartition[name].push(eventRecord(source.topic, record))
  }
  return {
    eventSource: 'aws:kafka',
    eventSourceArn: source.eventSourceArn,
    bootstrapServers: source.bootstrapServers,
    records: byPartition,
  }
}

function eventRecord(topic: string, record: SourceRecord): KafkaEventRecord {
  const {partition, offset, timestamp, timestampType, key, value, headers} = record
  return {
    topic,
    partition,
    offset,
    timestamp,
    timestampType,
    ...(key ? {key: key.toString('base64')} : {}),
    ...(value ? {value: value.toString('base64')} : {}),
    headers: headers.map((header) => ({[header.key.toString()]: header.value ? [...header.value] : []})),
  }
}

/** The bytes of one record in the JSON of its event, without a comma; computed, so that nothing is encoded twice. */
export function encodedSize(topic: string, record: SourceRecord): number {
  const bare = Buffer.byteLength(JSON.stringify(eventRecord(topic, {...record, key: null, value: null, headers: []})))
  const key = record.key ? '"key":"",'.length + base64Size(record.key) : 0
  const value = record.value ? '"value":"",'.length + base64Size(record.value) : 0
  const headers = record.headers.reduce((bytes, header) => bytes + headerSize(header), 0)
  return bare + key + value + headers + Math.max(0, record.headers.length - 1)
}

const base64Size = (bytes: Buffer): number => 4 * Math.ceil(bytes.length / 3)

function headerSize({key, value}: {key: Buffer; value: Buffer | null}): number {
  let digits = 0
  for (const byte of value ?? []) digits += byte < 10 ? 1 : byte < 100 ? 2 : 3
  const commas = Math.max(0, (value?.length ?? 0) - 1)
  return Buffer.byteLength(JSON.stringify(key.toString())) + '{:[]}'.length + digits + commas
}

/** The growing size of an event while records are put into it. */
export class EventSize {
  readonly #topic: string
  readonly #partitions = new Set<number>()
  bytes: number

  constructor(source: EventSource) {
    this.#topic = source.topic
    this.bytes = Buffer.byteLength(JSON.stringify(kafkaEvent(source, [])))
  }

  /** The bytes of the event's JSON once a record of `partition` that takes `size` bytes is in it too. */
  with(partition: number, size: number): number {
    if (this.#partitions.has(partition)) return this.bytes + ','.length + size
    const list = Buffer.byteLength(JSON.stringify(topicPartition(this.#topic, partition))) + ':[]'.length
    return this.bytes + Math.min(this.#partitions.size, 1) + list + size
  }

  add(partition: number, size: number): void {
    this.bytes = this.with(partition, size)
    this.#partitions.add(partition)
  }
}
