import {type Verb, type Verdict, verdictOf} from '../aws/lambda.js'
import {delayBefore, patient, persistent} from '../retry.js'
import type {Clock, Pace} from './pace.js'

/** How calls are made: paced together, each repeated while it helps. */
export type Conduct = {
  clock: Clock
  random: () => number
  pace: Pace
  /** Whether a change is sent again; reads always are, a few times. */
  retry: boolean
  /** By the clock; no attempt begins after it. */
  deadline: number
}

export type Call<T> = {
  verb: Verb
  send: () => Promise<T>
  /**
   * After a conflict or a lost answer: what is there, if anything. Undefined sends the call again (without retries: throws the
   * failure).
   */
  recover?: (failure: unknown, verdict: Verdict) => Promise<T | undefined>
  /** Told before each wait; `attempt` is the one that failed. */
  onRetry?: (attempt: number, because: string, waitMs: number) => void
}

/** Attempts for a host that does not answer at all: a name that does not exist will not exist in 15 minutes either. */
const UNREACHABLE_ATTEMPTS = 5

/**
 * The answer of a call, sent until it is answered for good: throttles with full jitter and Retry-After, and slower for everybody;
 * lost answers after a look at what is there. Throws the SDK's error of the last attempt as it is.
 */
export async function call<T>({verb, send, recover, onRetry}: Call<T>, conduct: Conduct): Promise<T> {
  const {clock, random, pace, deadline} = conduct
  for (let attempt = 1; ; attempt++) {
    await pace.take()
    const failed = await send().then(
      (answer) => ({answer}),
      (error: unknown) => ({error, verdict: verdictOf(error, verb)}),
    )
    if ('answer' in failed) {
      pace.succeeded()
      return failed.answer
    }

    const {error, verdict} = failed
    // Only a delete ends so, and it has no answer.
    if (verdict.kind === 'success') return undefined as T
    if (verdict.kind === 'fatal') throw error
    const because = verdict.kind === 'retry' ? verdict.because : 'conflict'
    if (verdict.kind === 'retry' && because === 'throttled') pace.throttled(verdict.retryAfterMs)

    const again = attempt < attemptsFor(verb, because, conduct)
    const wait = Math.max(delayBefore(attempt, persistent, random), verdict.kind === 'retry' ? (verdict.retryAfterMs ?? 0) : 0)
    const last = !again || clock.now() + wait > deadline
    const pause = async (): Promise<void> => {
      if (last) throw error
      onRetry?.(attempt, because, wait)
      await clock.sleep(wait)
    }
    // What a lost request did may show only after a moment; a conflict tells of something that is there.
    if (because === 'ambiguous' && !last) await pause()
    const found = because === 'conflict' || because === 'ambiguous' ? await recover?.(error, verdict) : undefined
    if (found !== undefined) return found
    if (because === 'conflict' && !recover) throw error
    if (because !== 'ambiguous' || last) await pause()
  }
}

function attemptsFor(verb: Verb, because: string, {retry}: Conduct): number {
  if (!retry) return verb === 'read' ? patient.attempts : 1
  return because === 'unreachable' ? UNREACHABLE_ATTEMPTS : persistent.attempts
}
