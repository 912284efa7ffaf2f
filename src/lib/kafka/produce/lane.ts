import type {BatchHeader} from '../../records/batch.js'
import type {ProducerId} from '../requests/init-producer-id.js'

/** The sending side of one partition: at most one batch of it is under way. */
export type Lane = {
  partition: number
  /** Undefined: to be asked for. Null: the cluster does not let us be idempotent. */
  identity: ProducerId | null | undefined
  /** Of the next batch under that identity. */
  sequence: number
  /** Nothing that is sent from now on can be stored below this offset. */
  logEnd: number
}

/** Kafka's sequence numbers wrap at 2^31. */
export const advance = (lane: Lane, records: number): void => {
  lane.sequence = (lane.sequence + records) % 2 ** 31
}

/** The outcome of the last batch is not known: what follows may not be confused with it. */
export const retire = (lane: Lane): void => {
  if (lane.identity !== null) lane.identity = undefined
  lane.sequence = 0
}

/**
 * Whether a batch in the log is the one with header `sent`. Under a producer id its first sequence says so; without one the
 * checksum, the number of records and the time of the first do (the broker keeps all three on CreateTime topics).
 */
export function isSame(sent: BatchHeader, stored: BatchHeader): boolean {
  if (sent.recordCount !== stored.recordCount) return false
  if (sent.producerId >= 0) {
    return (
      sent.producerId === stored.producerId &&
      sent.producerEpoch === stored.producerEpoch &&
      sent.baseSequence === stored.baseSequence
    )
  }
  return sent.crc === stored.crc && sent.baseTimestamp === stored.baseTimestamp
}
