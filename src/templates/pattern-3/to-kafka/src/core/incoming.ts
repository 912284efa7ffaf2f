import type {IHeaders} from 'kafkajs'

import type {Message} from '../lib/kafka.ts'
import {isJson} from './json.ts'
import type {KeyOf} from './key.ts'

/** The message itself is at fault and will always be: it goes to the dead letters, and the others go on. */
export class PoisonError extends Error {
  override readonly name = 'PoisonError'
}

/** A message of a broker, whichever it is. */
export type Incoming = {
  /** By which its sender or its broker knows it, if anybody does. */
  id: string | undefined
  /** What has to stay in order with each other, where the broker has such a thing. */
  group: string | undefined
  /** Null is a tombstone. */
  value: Buffer | null
  /** What was beside the value. */
  attributes: Record<string, Buffer | string>
  /** What the broker says of it. */
  headers: Record<string, string | undefined>
}

export type Target = {topic: string; format: 'bytes' | 'json'; keyOf: KeyOf}

/**
 * The record of a message. Its time is that of sending: a time of long ago would be over the retention of the topic at once. Throws
 * PoisonError when it is not in the format, or its key cannot be told.
 */
export function recordOf(message: Incoming, {topic, format, keyOf}: Target): Message {
  const {value, attributes, headers} = message
  if (format === 'json' && value !== null && !isJson(value)) throw new PoisonError('the message is not JSON')
  const said = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const all: IHeaders = Object.fromEntries([...Object.entries(attributes), ...said])
  return {topic, key: keyOf(message), value, headers: all}
}
