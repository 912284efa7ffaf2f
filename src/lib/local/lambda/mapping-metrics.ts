import type {PollerEvent} from '../../lambda/mapping.js'

/**
 * What a mapping with the group EventCount is told of, under AWS's names; in each the number of records. What each of
 * them counts is written from memory of AWS's page, which was not at hand, and not compared with the real ones.
 */
export const EVENT_COUNTS = [
  'PolledEventCount',
  'FilteredOutEventCount',
  'InvokedEventCount',
  'FailedInvokeEventCount',
  'DroppedEventCount',
  'OnFailureDestinationDeliveredEventCount',
] as const

export type EventCount = (typeof EVENT_COUNTS)[number]

type Counts = Partial<Record<EventCount, number>>

const MINUTE_MS = 60_000
/** How far back the counts go. */
const KEPT_MINUTES = 180

/**
 * What an event of the poller adds to the counts, whole batches at a time; nothing for most events. A retry counts again, so more may be
 * invoked than were polled; an empty poll counts 0, which says that the poller lives.
 */
export function countsOf(event: PollerEvent): Counts {
  switch (event.type) {
    case 'polled':
      return {PolledEventCount: event.records, FilteredOutEventCount: event.filteredOut}
    case 'invoked':
      return {InvokedEventCount: event.records.length, FailedInvokeEventCount: event.failed}
    case 'refused':
      return {FailedInvokeEventCount: event.records}
    case 'givenUp': {
      const {length} = event.givenUp.records
      return event.delivered ? {OnFailureDestinationDeliveredEventCount: length} : {DroppedEventCount: length}
    }
    default:
      return {}
  }
}

/** The counts of one mapping by the minute, for three hours, in memory. */
export class MappingMetrics {
  /** By the minute's first epoch millisecond, oldest first. */
  readonly #minutes = new Map<number, Counts>()

  /** `now` in epoch milliseconds. */
  count(event: PollerEvent, now: number): void {
    const added = Object.entries(countsOf(event)) as [EventCount, number][]
    if (added.length === 0) return
    const minute = this.#minute(now - (now % MINUTE_MS))
    for (const [name, count] of added) minute[name] = (minute[name] ?? 0) + count
  }

  #minute(start: number): Counts {
    const known = this.#minutes.get(start)
    if (known) return known
    const counts: Counts = {}
    this.#minutes.set(start, counts)
    if (this.#minutes.size > KEPT_MINUTES) this.#minutes.delete(this.#minutes.keys().next().value!)
    return counts
  }

  /** The minutes that have a count of that name, in epoch milliseconds, oldest first. */
  points(name: EventCount): [minute: number, value: number][] {
    return [...this.#minutes].flatMap(([minute, {[name]: value}]): [number, number][] =>
      value === undefined ? [] : [[minute, value]],
    )
  }
}
