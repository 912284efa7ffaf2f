import {setTimeout as delay} from 'node:timers/promises'

import type {Clock} from '../lambda/poller.js'

/** The real clock, whose sleepers can be woken: what waits for a retry goes on as soon as there is new code. */
export function wakeableClock(): Clock & {wake(): void} {
  let waking = new AbortController()
  return {
    now: Date.now,
    async sleep(ms, signal) {
      await delay(ms, undefined, {signal: AbortSignal.any([signal, waking.signal])}).catch(() => {})
    },
    wake() {
      waking.abort()
      waking = new AbortController()
    },
  }
}
