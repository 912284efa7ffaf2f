import {setTimeout as delay} from 'node:timers/promises'

/** How often, and how long apart: `attempts` counts the first one too. */
export type RetryPolicy = {attempts: number; firstDelayMs: number; maxDelayMs: number}

/** For calls that a person waits for: five attempts within at most 6 s. */
export const patient: RetryPolicy = {attempts: 5, firstDelayMs: 200, maxDelayMs: 5_000}

/** For changes that must end in the wanted state, however long the other side throttles; a deadline ends them. */
export const persistent: RetryPolicy = {attempts: Number.POSITIVE_INFINITY, firstDelayMs: 500, maxDelayMs: 20_000}

/** What a test replaces to run without waiting and without chance. */
export type RetryWorld = {sleep: (ms: number) => Promise<unknown>; random: () => number}

const realWorld: RetryWorld = {sleep: delay, random: Math.random}

/** Full jitter: anywhere between zero and the exponential ceiling, in milliseconds. `retry` counts from 1. */
export const delayBefore = (retry: number, policy: RetryPolicy, random = Math.random): number =>
  Math.floor(random() * Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (retry - 1)))

/**
 * The result of `operation`, run again after each failure that `isTransient` recognises, until the policy's attempts are spent.
 * Throws the last failure as it is.
 */
export async function retry<T>(
  operation: (attempt: number) => Promise<T>,
  isTransient: (error: unknown) => boolean,
  policy: RetryPolicy = patient,
  {sleep, random}: RetryWorld = realWorld,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation(attempt)
    } catch (error) {
      if (attempt >= policy.attempts || !isTransient(error)) throw error
      await sleep(delayBefore(attempt, policy, random))
    }
  }
}
