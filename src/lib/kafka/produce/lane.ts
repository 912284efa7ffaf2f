import {type BatchHeader, timestampType} from '../../records/batch.js'
import type {ProducerId} from '../requests/init-producer-id.js'

/** The sending side of one partition: at most one batch of it is under way. */
export type Lane = {
  partition: number
  /** Undefined: to be asked for. Null: the cluster does not let us be idempotent. */
  identity: ProducerId | null | undefined
  /** The identity that ended with an unknown outcome, not to be used again here. */
  retired: ProducerId | null
  /** Of the next batch under the identity. */
  sequence: number
  /** Nothing that is sent from now on can be stored below this offset. */
  logEnd: number
}

/** What would tell whether a batch was stored is not there any more. */
export class EvidenceGoneError extends Error {
  override readonly name = 'EvidenceGoneError'
  /** Whether it may only not be there yet. */
  readonly mayCome: boolean

  constructor(message: string, {mayCome = false} = {}) {
    super(message)
    this.mayCome = mayCome
  }
}

/**
 * The log goes on at `offset`, and had reached `end` before: a broker has died with what only it had (`--acks 1`), an unclean leader was
 * elected, or the topic was made anew.
 */
export const cutBelow = (partition: number, end: number, offset: number): EvidenceGoneError =>
  new EvidenceGoneError(
    `partition ${partition} had reached offset ${end} and goes on at ${offset}: records that were acknowledged are gone`,
  )

/** By what a batch is known in the log. */
export type BatchMark = Pick<
  BatchHeader,
  'producerId' | 'producerEpoch' | 'baseSequence' | 'lastOffsetDelta' | 'crc' | 'baseTimestamp'
>

export const newLane = (partition: number, logEnd: number): Lane => ({
  partition,
  identity: undefined,
  retired: null,
  sequence: 0,
  logEnd,
})

/** Kafka's sequence numbers wrap at 2^31. */
export const advance = (lane: Lane, records: number): void => {
  lane.sequence = (lane.sequence + records) % 2 ** 31
}

/** The outcome of the last batch is not known: what follows may not be confused with it. */
export const retire = (lane: Lane): void => {
  lane.retired = lane.identity ?? null
  if (lane.identity !== null) lane.identity = undefined
  lane.sequence = 0
}

/**
 * Whether a batch in the log is `sent`. Under a producer id its first sequence says so; without one the checksum, the number
 * of records and the time of the first do, all of which the broker keeps on CreateTime topics, unless compaction has taken some of
 * the records. Throws EvidenceGoneError where it does not.
 */
export function isSame(sent: BatchMark, stored: BatchHeader): boolean {
  if (sent.producerId < 0 && timestampType(stored) === 'LogAppendTime') {
    throw new EvidenceGoneError(
      'the topic stamps records with its own time, and without idempotence nothing else tells batches apart',
    )
  }
  // Compaction keeps the offsets of a batch, not the number of its records.
  if (sent.lastOffsetDelta !== stored.lastOffsetDelta) return false
  if (sent.producerId >= 0) {
    return (
      sent.producerId === stored.producerId &&
      sent.producerEpoch === stored.producerEpoch &&
      sent.baseSequence === stored.baseSequence
    )
  }
  if (stored.producerId < 0 && stored.recordCount <= stored.lastOffsetDelta) {
    throw new EvidenceGoneError('compaction has taken records, and without idempotence nothing else tells batches apart')
  }
  return sent.crc === stored.crc && sent.baseTimestamp === stored.baseTimestamp
}
