import {setTimeout as delay} from 'node:timers/promises'

import type {Consumer} from 'kafkajs'

import type {Client} from '../client.js'
import {within} from '../client.js'
import type {Cluster} from '../cluster.js'
import {atCoordinator} from '../groups/coordinator.js'
import {isTransient, recovered} from '../patience.js'
import {fetchCommitted} from '../requests/offset-fetch.js'
import {type FetchLoopOptions, fetchSpans} from './fetch-loop.js'
import {GroupOffsets} from './group-offsets.js'
import type {Span} from './plan.js'
import type {Sink} from './sink.js'

/** kafkajs heartbeats between two of its (idle) fetches, so this is also how soon a rebalance is noticed. */
const HEARTBEAT_MS = 1_000
/** kafkajs comes back from a lost coordinator as a new member, for whom the old one's session has to end first. */
const SESSION_MS = 10_000
const COMMIT_EVERY_MS = 1_000
/** How long the last commit may be tried: a coordinator that dies has another one in its place within seconds. */
const LAST_COMMIT_MS = 30_000
const HURRIED_COMMIT_MS = 1_500
const ONE_COMMIT_MS = 5_000
const RETRY_MS = 200
const LEAVE_MS = 3_000

export type GroupOptions = Omit<FetchLoopOptions, 'onBatch' | 'onAnswer'> & {
  group: string
  sink: Sink
  /** Of all partitions; where the group has committed, it goes on from there. */
  spans: readonly Span[]
  /** Without end: wait for further assignments too. */
  follow: boolean
  /** Told at the end of partitions whose last records were written without a commit: they may come again. */
  onUncommitted?(partitions: readonly number[]): void
}

/** The member's partitions, until the group rebalances. */
type Assignment = {partitions: number[]; over: AbortController}

/**
 * Reads as a member of a consumer group what the group assigns, and commits what the sink has written. kafkajs joins, heartbeats
 * and commits, with its own fetching paused: the records come from `fetchSpans`, which keeps every byte, checks checksums and
 * knows where to end. At least once: what was written after the last commit comes again to another member that goes on, though
 * not to this one. Throws as `fetchSpans` does.
 */
export async function readInGroup(cluster: Cluster, {kafka}: Client, options: GroupOptions): Promise<void> {
  const {group, sink, topic, spans, signal, follow, timeoutMs} = options
  // A denial is told by these requests of ours; kafkajs would look for a coordinator as if there were none.
  if ((await committedBy(cluster, spanned(spans), options, signal)) === null) return
  const consumer = kafka.consumer({
    groupId: group,
    heartbeatInterval: HEARTBEAT_MS,
    sessionTimeout: SESSION_MS,
    maxWaitTimeInMs: HEARTBEAT_MS,
    allowAutoTopicCreation: false,
    retry: {retries: 3},
  })
  const membership = watch(consumer, options)
  const offsets = new GroupOffsets()
  // The only sign that a commit has succeeded: between two sessions kafkajs drops what it is given, and resolves.
  consumer.on(consumer.events.COMMIT_OFFSETS, ({payload}) => {
    const committed = payload.topics.flatMap(({partitions}) => partitions)
    offsets.commits(new Map(committed.map(({partition, offset}) => [partition, Number(offset)])))
  })
  try {
    await within(timeoutMs, consumer.connect())
    await consumer.subscribe({topic})
    await consumer.run({autoCommit: false, eachBatch: async () => {}})
    while (!signal.aborted) {
      const assignment = await membership.current(signal)
      if (!assignment) break
      await readAssignment(cluster, consumer, assignment, offsets, options)
      const rebalanced = assignment.over.signal.aborted
      if (sink.isFull() && (!rebalanced || offsets.uncommitted().length === 0)) break
      if (rebalanced) continue
      if (!follow) break
      await ended([assignment.over.signal, signal])
    }
  } finally {
    const uncommitted = offsets.uncommitted()
    if (uncommitted.length > 0) options.onUncommitted?.(uncommitted)
    await within(LEAVE_MS, consumer.disconnect()).catch(() => {})
  }
}

const spanned = (spans: readonly Span[]): number[] => spans.map(({partition}) => partition)

/** Reads and commits until the end, the limit or a rebalance. */
async function readAssignment(
  cluster: Cluster,
  consumer: Consumer,
  {partitions, over}: Assignment,
  offsets: GroupOffsets,
  options: GroupOptions,
): Promise<void> {
  const {topic, spans, signal, sink} = options
  const stop = AbortSignal.any([signal, over.signal])
  const committed = await committedBy(cluster, partitions, options, stop)
  if (committed === null) return
  const mine = spans
    .filter(({partition}) => partitions.includes(partition))
    .map((span) => ({...span, position: offsets.begin(span.partition, committed.get(span.partition), span.position)}))
  const commit = async (ms: number): Promise<void> => {
    offsets.wrote(sink.progress())
    const due = [...offsets.due(partitions)].map(([partition, offset]) => ({topic, partition, offset: String(offset)}))
    if (due.length > 0) await within(ms, consumer.commitOffsets(due)).catch(() => {})
  }
  const commitAll = async (): Promise<void> => {
    const deadline = Date.now() + (signal.aborted ? HURRIED_COMMIT_MS : LAST_COMMIT_MS)
    for (;;) {
      await commit(Math.min(ONE_COMMIT_MS, deadline - Date.now()))
      // After a rebalance the partitions may be another member's by now.
      if (offsets.due(partitions).size === 0 || over.signal.aborted || Date.now() + RETRY_MS >= deadline) return
      await delay(RETRY_MS)
    }
  }
  let lastCommit = Date.now()
  let committing: Promise<void> | null = null
  try {
    if (sink.isFull()) return
    await fetchSpans(cluster, mine, {
      ...options,
      signal: stop,
      onBatch: sink.take,
      onAnswer: async () => {
        await sink.push()
        if (committing !== null || Date.now() - lastCommit < COMMIT_EVERY_MS) return
        lastCommit = Date.now()
        // Reading does not wait for a coordinator that is moving.
        committing = commit(ONE_COMMIT_MS).finally(() => {
          committing = null
        })
      },
    })
  } finally {
    await sink.flush().finally(async () => {
      if (!signal.aborted) await committing
      await commitAll()
    })
  }
}

/** What the group has committed of these partitions, from whichever broker coordinates it; null when `signal` comes first. */
async function committedBy(
  cluster: Cluster,
  partitions: readonly number[],
  {group, topic, timeoutMs, patienceMs = timeoutMs}: GroupOptions,
  signal: AbortSignal,
): Promise<Map<number, number> | null> {
  const deadline = Date.now() + patienceMs
  while (!signal.aborted) {
    try {
      return await atCoordinator(cluster, group, (coordinator) => fetchCommitted(coordinator, group, topic, partitions))
    } catch (error) {
      if (!isTransient(error) || Date.now() >= deadline) throw error
    }
    await recovered(cluster)
  }
  return null
}

type Membership = {
  /** The assignment that holds now, or the next one; null when the signal comes first. Rejects when the membership is lost. */
  current(signal: AbortSignal): Promise<Assignment | null>
}

function watch(consumer: Consumer, {topic, timeoutMs, patienceMs = timeoutMs}: GroupOptions): Membership {
  let assignment: Assignment | null = null
  let failure: Error | null = null
  let lostAt: number | null = null
  let changed = () => {}
  const {GROUP_JOIN, REBALANCING, CRASH} = consumer.events
  const end = (): void => {
    assignment?.over.abort()
    assignment = null
  }
  consumer.on(GROUP_JOIN, ({payload}) => {
    end()
    lostAt = null
    // Before its first fetch of this assignment: ours reads instead.
    consumer.pause([{topic}])
    assignment = {partitions: payload.memberAssignment[topic] ?? [], over: new AbortController()}
    changed()
  })
  consumer.on(REBALANCING, end)
  // kafkajs restarts a consumer that crashed, and would do so for ever.
  consumer.on(CRASH, ({payload}) => {
    end()
    lostAt ??= Date.now()
    if (!payload.restart || Date.now() - lostAt >= patienceMs) failure = payload.error
    changed()
  })
  return {
    async current(signal) {
      while (!assignment && !failure && !signal.aborted) {
        await Promise.race([
          new Promise<void>((resolve) => {
            changed = resolve
          }),
          ended([signal]),
        ])
      }
      if (failure) throw failure
      return assignment
    },
  }
}

/** Resolves when one of them is aborted. */
const ended = (signals: AbortSignal[]): Promise<void> =>
  new Promise((resolve) => {
    const any = AbortSignal.any(signals)
    if (any.aborted) resolve()
    else any.addEventListener('abort', () => resolve(), {once: true})
  })
