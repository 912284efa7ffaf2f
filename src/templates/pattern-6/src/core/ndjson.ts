import {isUtf8} from 'node:buffer'

import {type Row, textOf, type ValueKind} from './row.ts'

/** The years that ISO 8601 writes with four digits. */
const FIRST_ISO_TIME = Date.parse('0000-01-01T00:00:00Z')
const LAST_ISO_TIME = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * A line for each record: `{topic, partition, offset, timestamp, key, value, headers}`. Bytes are text where they are UTF-8, and
 * `{"base64":"…"}` where they are not, so that `skk produce --format records` makes the same records of them again.
 */
export const ndjson = (rows: readonly Row[], value: ValueKind): string => rows.map((row) => `${lineOf(row, value)}\n`).join('')

function lineOf({topic, partition, offset, timestamp, key, value, headers}: Row, kind: ValueKind): string {
  const isIso = timestamp >= FIRST_ISO_TIME && timestamp <= LAST_ISO_TIME
  const time = isIso ? new Date(timestamp).toISOString() : timestamp
  const place = JSON.stringify({topic, partition, offset, timestamp: time, key: jsonOf(key)}).slice(0, -1)
  const written = kind === 'json' && value !== null ? onOneLine(textOf(value)) : JSON.stringify(jsonOf(value))
  return `${place},"value":${written},"headers":${JSON.stringify(headers.map(([name, bytes]) => [name, jsonOf(bytes)]))}}`
}

function jsonOf(bytes: Buffer | null): string | {base64: string} | null {
  if (bytes === null) return null
  return isUtf8(bytes) ? bytes.toString() : {base64: bytes.toString('base64')}
}

/** A JSON text as it is, with all digits of its numbers. In such a text a line can end between its parts only. */
const onOneLine = (json: string): string => json.replaceAll(/[\r\n]+/g, ' ')
