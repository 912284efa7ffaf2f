import type {KafkaRecord} from '../lib/batch.ts'

/** A record, decoded. */
export type Row = {
  topic: string
  partition: number
  offset: number
  /** Milliseconds since 1970. */
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  /** In order, and with duplicates. */
  headers: [name: string, value: Buffer][]
}

/** What a value is: any bytes, or a JSON text. */
export type ValueKind = 'bytes' | 'json'

export const rowOf = ({topic, partition, offset, timestamp, key, value, headers}: KafkaRecord): Row => ({
  topic,
  partition,
  offset,
  timestamp,
  key: bytesOf(key),
  value: bytesOf(value),
  headers: headers.flatMap((header) =>
    Object.entries(header).map(([name, bytes]): [string, Buffer] => [name, Buffer.from(bytes)]),
  ),
})

const bytesOf = (base64: string | null | undefined): Buffer | null => (base64 == null ? null : Buffer.from(base64, 'base64'))

/** The text of a value, without a byte-order mark. Throws TypeError for what is no UTF-8. */
export const textOf = (value: Buffer): string => new TextDecoder('utf-8', {fatal: true}).decode(value)
