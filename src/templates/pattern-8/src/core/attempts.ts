import {PoisonError} from '../lib/batch.ts'
import type {Deadline} from '../lib/deadline.ts'

/** A record that is poison, and at which attempt that was seen. */
export class RefusedError extends PoisonError {
  readonly attempt: number

  constructor(message: string, attempt: number, options?: ErrorOptions) {
    super(message, options)
    this.attempt = attempt
  }
}

export type AttemptOptions = {
  maxAttempts: number
  deadline: Deadline
  sleep(ms: number): Promise<unknown>
  random(): number
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

/**
 * Works on a record until that succeeds, with growing pauses, within the deadline. Returns how many attempts it took. Throws
 * RefusedError for poison, and Error with the last cause when the record has to come again.
 */
export async function attempt(work: () => Promise<void>, options: AttemptOptions): Promise<number> {
  const {maxAttempts, deadline, sleep, random} = options
  for (let count = 1; ; count++) {
    try {
      await work()
      return count
    } catch (error) {
      const {message} = error as Error
      if (error instanceof PoisonError) throw new RefusedError(message, count, {cause: error})
      if (count >= maxAttempts) throw new Error(`${message}, after ${times(count)}`, {cause: error})
      const pause = random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** count)
      if (pause >= deadline.remainingMs()) throw new Error(`${message}, and no time for another attempt`, {cause: error})
      await sleep(pause)
    }
  }
}

const times = (count: number): string => (count === 1 ? 'one attempt' : `${count} attempts`)
