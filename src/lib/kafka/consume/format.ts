import type {DecodedRecord} from '../../records/batch.js'
import {writeEnvelope} from '../../records/envelope.js'

/** One record as it is written, with its newline. */
export type Format = (record: DecodedRecord, partition: number) => Buffer

const NEWLINE = Buffer.from('\n')

/** The value, byte for byte; nothing for a tombstone. */
export const rawValue: Format = ({value}) => (value === null ? NEWLINE : Buffer.concat([value, NEWLINE]))

/** The value as harmless text, for a terminal. */
export const shownValue =
  (sanitize: (text: string) => string): Format =>
  ({value}) =>
    Buffer.from(`${sanitize(value?.toString() ?? '')}\n`)

/** The envelope, which `produce --format records` reads back. */
export const envelope =
  (topic: string): Format =>
  (record, partition) =>
    Buffer.concat([writeEnvelope({topic, partition, ...record}), NEWLINE])
