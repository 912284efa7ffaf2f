import {setImmediate} from 'node:timers/promises'

import type {Clock} from '../../../src/lib/lambda/poller.js'

type Sleeper = {at: number; wake: () => void}

/** A clock whose time passes only while everybody sleeps: hours in milliseconds, and every run alike. */
export class VirtualClock implements Clock {
  #now: number
  #sleepers: Sleeper[] = []

  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const sleeper = {at: this.#now + ms, wake: () => {}}
      const abort = () => sleeper.wake()
      sleeper.wake = () => {
        signal.removeEventListener('abort', abort)
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        resolve()
      }
      signal.addEventListener('abort', abort)
      this.#sleepers.push(sleeper)
    })
  }

  /** Lets what is awake run, then time pass to the next sleeper, until `until` holds. */
  async runUntil(until: () => boolean, limitMs = 24 * 3_600_000): Promise<void> {
    const limit = this.#now + limitMs
    for (;;) {
      await setImmediate()
      if (until()) return
      const next = this.#sleepers.reduce<Sleeper | undefined>(
        (first, other) => (first && first.at <= other.at ? first : other),
        undefined,
      )
      if (!next || next.at > limit)
        throw new Error(next ? 'the time limit passed' : 'everybody waits for something that never comes')
      this.#now = Math.max(this.#now, next.at)
      next.wake()
    }
  }
}
