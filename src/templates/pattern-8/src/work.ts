import type {Message} from './core/message.ts'
import {log} from './lib/log.ts'

/**
 * The work on one record: put yours here. It may come twice, so that doing it again must do no harm; TOPIC-PARTITION-OFFSET tells a
 * record from all others. Throw PoisonError (lib/batch.ts) for a record that can never be used: it becomes a dead letter. Any other
 * error is tried again. `signal` is aborted when the time is over.
 */
export async function work({topic, partition, offset, value}: Message, _: {signal: AbortSignal}): Promise<void> {
  log.debug('worked on', {topic, partition, offset, tombstone: value === null})
}
