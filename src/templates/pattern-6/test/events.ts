import {readFileSync} from 'node:fs'
import {gunzipSync} from 'node:zlib'

import type {KafkaEvent, KafkaRecord} from '../src/lib/batch.ts'

export const HOUR = 3_600_000
export const TEN_O_CLOCK = Date.parse('2026-11-20T10:00:00Z')

export const read = (name: string): KafkaEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

const base64 = (text: string): string => Buffer.from(text).toString('base64')

export const record = (offset: number, given: Partial<KafkaRecord> = {}): KafkaRecord => ({
  topic: 'orders',
  partition: 0,
  offset,
  timestamp: TEN_O_CLOCK,
  timestampType: 'CREATE_TIME',
  key: base64(`k${offset}`),
  value: base64(`{"n":${offset}}`),
  headers: [],
  ...given,
})

export const eventOf = (...records: KafkaRecord[]): KafkaEvent => ({eventSource: 'aws:kafka', records: {'orders-0': records}})

/** The lines of files, each with its file. */
export function linesOf(objects: ReadonlyMap<string, Buffer>): {key: string; line: any}[] {
  return [...objects].sort().flatMap(([key, bytes]) =>
    gunzipSync(bytes)
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => ({key, line: JSON.parse(line)})),
  )
}
