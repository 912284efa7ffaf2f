import {readFile} from 'node:fs/promises'

import {SkkError} from '../errors.js'
import type {KafkaEvent, SourceRecord} from '../lambda/event.js'

/** The events of a file: one JSON object, or one per line as `--record` writes them. Throws SkkError (local I/O) with the line. */
export async function readEvents(file: string): Promise<KafkaEvent[]> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new SkkError(`cannot read "${file}": ${cause.message}`, {code: 'REPLAY_UNREADABLE', exit: 'localIo', cause})
  })
  const whole = parsed(text)
  if (isEvent(whole)) return [whole]
  const lines = text.split('\n').map((line, index) => ({line, number: index + 1}))
  return lines
    .filter(({line}) => line.trim() !== '')
    .map(({line, number}) => {
      const event = parsed(line)
      if (isEvent(event)) return event
      throw new SkkError(`"${file}", line ${number}, is no event of a Kafka mapping`, {
        code: 'REPLAY_UNREADABLE',
        exit: 'localIo',
        hint: 'Make such a file with `skk dev --record events.jsonl`.',
      })
    })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isEvent(value: unknown): value is KafkaEvent {
  const records = (value as {records?: unknown} | undefined | null)?.records
  return typeof records === 'object' && records !== null && Object.values(records).every(Array.isArray)
}

/** The records of an event as a poller knew them, in the order of the event. */
export const recordsOf = (event: KafkaEvent): SourceRecord[] =>
  Object.values(event.records)
    .flat()
    .map(({partition, offset, timestamp, timestampType, key, value, headers}) => ({
      partition,
      offset,
      timestamp,
      timestampType,
      key: key === undefined ? null : Buffer.from(key, 'base64'),
      value: value === undefined ? null : Buffer.from(value, 'base64'),
      headers: headers.flatMap((header) =>
        Object.entries(header).map(([name, bytes]) => ({key: Buffer.from(name), value: Buffer.from(bytes)})),
      ),
    }))
