import {setTimeout as delay} from 'node:timers/promises'

import {largestSize} from '../../records/batch-writer.js'
import type {PlacedRecord} from './placed-record.js'

/** So many records, or bytes of records, in a second. */
export type Rate = {unit: 'records' | 'bytes'; perSecond: number}

/** A shorter wait than this is not worth a timer. */
const SHORTEST_WAIT_MS = 10

/** Keeps a run down to a rate, measured from its beginning. */
export class Pace {
  private readonly rate: Rate
  private readonly startedAt = performance.now()
  private taken = 0

  constructor(rate: Rate) {
    this.rate = rate
  }

  /** Counts one record; how many milliseconds to wait before the next one, 0 if it may come at once. */
  after(record: PlacedRecord): number {
    const {unit, perSecond} = this.rate
    this.taken += unit === 'records' ? 1 : largestSize(record)
    const waitMs = this.startedAt + (this.taken * 1_000) / perSecond - performance.now()
    return waitMs < SHORTEST_WAIT_MS ? 0 : waitMs
  }
}

/** Resolves after `ms`, or as soon as `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, {signal}).catch((error) => {
    if (!signal.aborted) throw error
  })
}
