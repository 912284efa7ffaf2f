import {setTimeout as delay} from 'node:timers/promises'

import {QUOTAS} from '../../limits.js'

/** What a test replaces to run in virtual time. Milliseconds. */
export type Clock = {now(): number; sleep(ms: number): Promise<unknown>}

export const realClock: Clock = {now: Date.now, sleep: delay}

/** How soon the next change of topics may be sent. */
export type TopicPace = {
  /** Resolves when a request that makes or deletes so many partitions may be sent. */
  take(partitions: number): Promise<void>
}

const SECOND_MS = 1_000
const FIVE_MINUTES_MS = 300_000

/** No limit but the brokers' own. */
export const unpaced: TopicPace = {take: async () => {}}

/**
 * MSK Serverless' own quotas: 2 changes of topics a second, and 250 partitions made or deleted in five minutes. More than that in one
 * request is sent when nothing else counts. `onWait` is told of a wait that a person notices, in milliseconds.
 */
export function serverlessPace(clock: Clock, onWait: (ms: number) => void = () => {}): TopicPace {
  const taken: {at: number; partitions: number}[] = []

  const waitFor = (partitions: number): number => {
    const now = clock.now()
    while (taken[0] && taken[0].at <= now - FIVE_MINUTES_MS) taken.shift()
    const recent = taken.at(-QUOTAS.topicChangesPerSecond)
    const untilSecond = recent === undefined ? 0 : recent.at + SECOND_MS - now
    return Math.max(untilSecond, untilRoom(partitions, now))
  }
  const untilRoom = (partitions: number, now: number): number => {
    let excess = taken.reduce((sum, one) => sum + one.partitions, partitions) - QUOTAS.partitionChangesPerFiveMinutes
    for (const one of taken) {
      if (excess <= 0) return 0
      excess -= one.partitions
      if (excess <= 0) return one.at + FIVE_MINUTES_MS - now
    }
    return taken.length === 0 ? 0 : taken.at(-1)!.at + FIVE_MINUTES_MS - now
  }

  return {
    async take(partitions) {
      for (let wait = waitFor(partitions); wait > 0; wait = waitFor(partitions)) {
        if (wait > SECOND_MS) onWait(wait)
        await clock.sleep(wait)
      }
      taken.push({at: clock.now(), partitions})
    },
  }
}
