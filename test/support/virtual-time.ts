import {setImmediate as drained} from 'node:timers/promises'

export type VirtualTime = {
  now(): number
  sleep(ms: number): Promise<void>
  /** The result of `work`; whenever everything waits, time jumps to the next sleeper. */
  run<T>(work: Promise<T>): Promise<T>
}

export function virtualTime(): VirtualTime {
  let now = 0
  const sleepers: {at: number; wake: () => void}[] = []
  return {
    now: () => now,
    sleep: (ms) => new Promise((wake) => void sleepers.push({at: now + ms, wake})),
    async run(work) {
      let ended = false
      const end = () => {
        ended = true
      }
      work.then(end, end)
      for (;;) {
        await drained()
        if (ended) return work
        sleepers.sort((a, b) => a.at - b.at)
        const next = sleepers.shift()
        if (!next) throw new Error('nothing goes on')
        now = Math.max(now, next.at)
        next.wake()
      }
    },
  }
}
