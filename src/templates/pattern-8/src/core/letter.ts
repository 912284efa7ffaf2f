import type {KafkaRecord} from '../lib/batch.ts'
import type {DeadLetter} from '../lib/dlq.ts'
import {RefusedError} from './attempts.ts'

const SHOWN_CHARACTERS = 256

/** What a dead letter tells without being opened: why it is here, where the record was, and at which attempt it was refused. */
export function attributesOf({topic, partition, offset}: KafkaRecord, error: Error): Record<string, string> {
  return {
    'skk.error': shown(`${error.name}: ${error.message}`),
    'skk.topic': topic,
    'skk.partition': String(partition),
    'skk.offset': String(offset),
    'skk.attempt': String(error instanceof RefusedError ? error.attempt : 1),
  }
}

/** SQS refuses a message for one control character in an attribute, and half of a surrogate pair is none. */
const shown = (text: string): string =>
  text
    .slice(0, SHOWN_CHARACTERS)
    .toWellFormed()
    .replaceAll(/[^\x20-\uFFFD]/g, ' ')

/** Where a letter that is too large for SQS is kept. The same record has the same place each time. */
export const objectKeyOf = ({topic, partition, offset}: DeadLetter): string =>
  `${topic}/${partition}/${String(offset).padStart(20, '0')}.json`

/** What SQS gets instead: all but the record's key, value and headers, and where the whole is. */
export function pointerTo(letter: DeadLetter, stored: {bucket: string; key: string}): object {
  const {key: _, value: __, headers: ___, ...rest} = letter
  return {...rest, stored}
}
