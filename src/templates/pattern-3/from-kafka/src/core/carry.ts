import {type KafkaRecord, PoisonError} from '../lib/batch.ts'
import type {DeadLetter} from '../lib/dlq.ts'
import {isJson} from './json.ts'

/** Throws PoisonError when the value is not in the format. A tombstone has none, and passes. */
export function checkFormat({value}: KafkaRecord, format: 'bytes' | 'json'): void {
  if (format === 'json' && value != null && !isJson(Buffer.from(value, 'base64'))) throw new PoisonError('the value is not JSON')
}

/** Where a record that is too large for SQS is kept: the same place each time. */
export const placeInBucket = ({topic, partition, offset}: KafkaRecord): string =>
  `${topic}/${partition}/${String(offset).padStart(20, '0')}`

/** A dead letter without what makes it large, and where the whole is. */
export function pointerTo(letter: DeadLetter, stored: {bucket: string; key: string}): object {
  const {key: _, value: __, headers: ___, ...rest} = letter
  return {...rest, stored}
}
