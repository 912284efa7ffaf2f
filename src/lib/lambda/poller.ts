import {setMaxListeners} from 'node:events'

import {assemble, Backlog} from './backlog.js'
import {Bell, Slots} from './bell.js'
import {type Delivery, deliver, retryDelay} from './delivery.js'
import {PAYLOAD_LIMIT_BYTES} from './event.js'
import {matches} from './filter.js'
import type {Poller, PollerEvent, PollerOptions} from './mapping.js'

export type {
  Clock,
  GivenUp,
  Invocation,
  MappingRules,
  Poller,
  PollerEvent,
  PollerOptions,
  RecordSource,
} from './mapping.js'

/** Of one poller: docs.aws.amazon.com/lambda/latest/dg/kafka-scaling-modes.html, as of 2026-11-20 (said of provisioned mode). */
const CONCURRENT_INVOCATIONS = 5

const FETCH_BYTES = 1024 * 1024
const FETCH_WAIT_MS = 500

/** What the partitions may read ahead together, unless each needs its least. */
const READ_AHEAD_BYTES = 256 * 1024 * 1024
const LEAST_READ_AHEAD_BYTES = 64 * 1024

/**
 * The poller of one event-source mapping: reads partitions, batches what its filters let through, invokes the function in the order
 * of each partition, retries, splits and gives up as the rules say, and commits what is done. At least once: what was not committed
 * when it ends, the next one delivers again. Throws RangeError for rules that contradict the options; `run` rejects only when
 * `options.on` throws.
 */
export function createPoller(options: PollerOptions): Poller {
  if (options.rules.hasDestination && !options.destination) throw new RangeError('a mapping with a destination needs one')
  if (options.rules.batchSize < 1) throw new RangeError('the batch size is at least 1')
  return {run: (signal) => run(options, signal)}
}

type State = PollerOptions & {
  random: () => number
  on: (event: PollerEvent) => void
  signal: AbortSignal
  backlogs: Backlog[]
  committed: Map<number, number>
  slots: Slots
  /** Rung when a batch may be ready. */
  ready: Bell
  /** Rung when there may be something to commit, or room to read ahead. */
  progress: Bell
}

async function run(options: PollerOptions, stop: AbortSignal): Promise<void> {
  const stopping = new AbortController()
  // Every partition and every batch listens.
  setMaxListeners(0, stopping.signal)
  const state: State = {
    ...options,
    random: options.random ?? Math.random,
    on: options.on ?? (() => {}),
    signal: stopping.signal,
    backlogs: [...options.partitions].map(([partition, offset]) => new Backlog(options.rules.topic, partition, offset)),
    committed: new Map(options.partitions),
    slots: new Slots(CONCURRENT_INVOCATIONS),
    ready: new Bell(),
    progress: new Bell(),
  }
  const end = () => {
    stopping.abort()
    state.ready.ring()
    state.progress.ring()
  }
  stop.addEventListener('abort', end, {once: true})
  if (stop.aborted) end()

  const tasks = [...state.backlogs.map((backlog) => read(backlog, state)), dispatch(state), commitProgress(state)]
  for (const task of tasks) task.catch(end)
  const outcomes = await Promise.allSettled(tasks)
  stop.removeEventListener('abort', end)
  await commit(state)
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

/** Reads one partition ahead of its deliveries, until the poller stops. */
async function read(backlog: Backlog, state: State): Promise<void> {
  const {source, rules, clock, random, on, signal, progress} = state
  const {partition} = backlog
  const share = READ_AHEAD_BYTES / state.backlogs.length
  const readAhead = Math.min(PAYLOAD_LIMIT_BYTES, Math.max(LEAST_READ_AHEAD_BYTES, share))
  for (let failures = 0; !signal.aborted; ) {
    if (backlog.waiting.length >= rules.batchSize || backlog.bytes >= readAhead) {
      await progress.wait()
      continue
    }
    const askedAt = clock.now()
    const fetched = await source
      .fetch(partition, backlog.nextOffset, {maxBytes: FETCH_BYTES, waitMs: FETCH_WAIT_MS, signal})
      .catch((error: unknown) => ({error}))
    if (signal.aborted) return
    if ('error' in fetched) {
      on({type: 'pollingFailed', partition, error: fetched.error})
      await clock.sleep(retryDelay(++failures, random), signal)
      continue
    }
    failures = 0
    const moved = receive(backlog, fetched, state)
    // A source that answers early with nothing would otherwise be asked again at once.
    if (!moved) await clock.sleep(Math.max(0, FETCH_WAIT_MS - (clock.now() - askedAt)), signal)
  }
}

/** Keeps what is to be delivered; says whether the partition moved on. */
function receive(backlog: Backlog, {records, nextOffset}: Fetched, {rules, clock, on, ready, progress}: State): boolean {
  const from = backlog.nextOffset
  // A fetch may begin with records before the offset: those of the same record batch.
  const fresh = records.filter((record) => record.offset >= from)
  const wanted = rules.filters.length === 0 ? fresh : fresh.filter((record) => matches(rules.filters, record))
  backlog.receive(wanted, Math.max(nextOffset, (fresh.at(-1)?.offset ?? -1) + 1), clock.now())
  on({type: 'polled', partition: backlog.partition, records: fresh.length, filteredOut: fresh.length - wanted.length})
  if (wanted.length > 0) ready.ring()
  if (wanted.length < fresh.length || backlog.nextOffset > from) progress.ring()
  return backlog.nextOffset > from
}

type Fetched = Awaited<ReturnType<PollerOptions['source']['fetch']>>

/** Delivers batches as they become due; the partitions of a batch wait until it is done, the others go on. */
async function dispatch(state: State): Promise<void> {
  const {rules, clock, signal, ready, progress} = state
  const running = new Set<Promise<void>>()
  let failure: {error: unknown} | undefined
  const alarm = new Alarm(state)
  while (!signal.aborted && !failure) {
    const batch = assemble(state.backlogs, rules)
    const wait = batch.since === undefined ? Infinity : batch.full ? 0 : batch.since + rules.batchingWindowMs - clock.now()
    if (wait > 0) {
      alarm.set(wait)
      await ready.wait()
      continue
    }
    const records = batch.takes.flatMap(({backlog, count}) => backlog.take(count))
    const delivery = deliver(records, deliveryOf(state))
      .catch((error: unknown) => {
        failure = {error}
      })
      .finally(() => {
        running.delete(delivery)
        ready.ring()
      })
    running.add(delivery)
    progress.ring()
  }
  await Promise.all(running)
  if (failure) throw failure.error
}

function deliveryOf(state: State): Delivery {
  const {rules, invoke, destination, clock, random, on, signal, slots, progress} = state
  const byPartition = new Map(state.backlogs.map((backlog) => [backlog.partition, backlog]))
  return {
    rules,
    invoke,
    destination: rules.hasDestination ? destination : undefined,
    clock,
    random,
    on,
    signal,
    whenFree: (work) => slots.run(work),
    done(records) {
      for (const record of records) byPartition.get(record.partition)!.done(record.offset)
      progress.ring()
    },
  }
}

/** Rings the bell for the earliest time that was set. */
class Alarm {
  readonly #state: State
  #at = Infinity

  constructor(state: State) {
    this.#state = state
  }

  set(wait: number): void {
    const {clock, signal, ready} = this.#state
    const at = clock.now() + wait
    if (at >= this.#at) return
    this.#at = at
    clock.sleep(wait, signal).then(
      () => {
        if (this.#at === at) this.#at = Infinity
        ready.ring()
      },
      () => {},
    )
  }
}

/** Commits whenever there is something new, one commit at a time, until the poller stops. */
async function commitProgress(state: State): Promise<void> {
  const {clock, random, signal, progress} = state
  for (let failures = 0; !signal.aborted; ) {
    if (uncommitted(state).size === 0) {
      await progress.wait()
      continue
    }
    if (await commit(state)) failures = 0
    else await clock.sleep(retryDelay(++failures, random), signal)
  }
}

function uncommitted({backlogs, committed}: State): Map<number, number> {
  const moved = backlogs.filter(({partition, position}) => position > committed.get(partition)!)
  return new Map(moved.map(({partition, position}) => [partition, position]))
}

async function commit(state: State): Promise<boolean> {
  const offsets = uncommitted(state)
  if (offsets.size === 0) return true
  try {
    await state.committer.commit(offsets)
  } catch (error) {
    state.on({type: 'commitFailed', error})
    return false
  }
  for (const [partition, offset] of offsets) state.committed.set(partition, offset)
  state.on({type: 'committed', offsets})
  return true
}
