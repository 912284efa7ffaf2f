import {PoisonError} from '../lib/batch.ts'
import type {Deadline} from '../lib/deadline.ts'
import type {Publication, Routing} from './publication.ts'

/** No queue is bound for the message: RabbitMQ gave it back. */
export class ReturnedError extends Error {
  override readonly name = 'ReturnedError'
}

/** Resolves when RabbitMQ has confirmed the message. */
export type Publish = (publication: Publication, deadline: Deadline) => Promise<void>

export type DeliverOptions = {
  publish: Publish
  deadline: Deadline
  maxAttempts: number
  sleep(ms: number): Promise<unknown>
  random(): number
}

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5000

/**
 * Publishes until RabbitMQ has confirmed it, within the deadline: a broker that restarts is back in a moment. Throws PoisonError for a
 * message that it gave back, if the record has chosen where it goes; otherwise the bindings are to blame, and the record comes again.
 */
export async function deliver(publication: Publication, from: Routing['from'], options: DeliverOptions): Promise<void> {
  const {publish, deadline, maxAttempts, sleep, random} = options
  for (let attempt = 1; ; attempt++) {
    try {
      return await publish(publication, deadline)
    } catch (error) {
      if (error instanceof PoisonError) throw error
      if (error instanceof ReturnedError) throw from === 'key' ? new PoisonError(error.message, {cause: error}) : error
      const pause = (0.5 + random() / 2) * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1))
      if (attempt >= maxAttempts || pause >= deadline.remainingMs())
        throw new Error(`${(error as Error).message}, after ${attempt} attempts`, {cause: error})
      await sleep(pause)
    }
  }
}
