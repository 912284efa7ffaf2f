import type {Consumer} from 'kafkajs'

import type {Client} from '../client.js'
import {within} from '../client.js'
import type {Cluster} from '../cluster.js'
import {fetchCommitted} from '../requests/offset-fetch.js'
import {type FetchLoopOptions, fetchSpans} from './fetch-loop.js'
import type {Span} from './plan.js'
import type {Sink} from './sink.js'

/** kafkajs heartbeats between two of its (idle) fetches, so this is also how soon a rebalance is noticed. */
const HEARTBEAT_MS = 1_000
const COMMIT_EVERY_MS = 1_000
const LEAVE_MS = 3_000

/** kafkajs restarts a consumer that crashed, and would do so for ever. */
const MAX_CRASHES = 3

export type GroupOptions = Omit<FetchLoopOptions, 'onBatch' | 'onAnswer'> & {
  group: string
  sink: Sink
  /** Of all partitions; where the group has committed, it goes on from there. */
  spans: readonly Span[]
  /** Without end: wait for further assignments too. */
  follow: boolean
}

/** The member's partitions, until the group rebalances. */
type Assignment = {partitions: number[]; over: AbortController}

/**
 * Reads as a member of a consumer group what the group assigns, and commits what the sink has written. kafkajs joins, heartbeats
 * and commits, with its own fetching paused: the records come from `fetchSpans`, which keeps every byte, checks checksums and
 * knows where to end. At least once: what was written after the last commit comes again to whoever goes on. Throws as
 * `fetchSpans` does.
 */
export async function readInGroup(cluster: Cluster, {kafka}: Client, options: GroupOptions): Promise<void> {
  const {group, sink, topic, signal, follow, timeoutMs} = options
  const consumer = kafka.consumer({
    groupId: group,
    heartbeatInterval: HEARTBEAT_MS,
    maxWaitTimeInMs: HEARTBEAT_MS,
    allowAutoTopicCreation: false,
    retry: {retries: 3},
  })
  const membership = watch(consumer, topic)
  try {
    await within(timeoutMs, consumer.connect())
    await consumer.subscribe({topic})
    await consumer.run({autoCommit: false, eachBatch: async () => {}})
    while (!signal.aborted && !sink.isFull()) {
      const assignment = await membership.current(signal)
      if (!assignment) break
      await readAssignment(cluster, consumer, assignment, options)
      const rebalanced = assignment.over.signal.aborted
      if (!rebalanced && !follow) break
      if (!rebalanced && !signal.aborted && !sink.isFull()) await ended([assignment.over.signal, signal])
    }
  } finally {
    await within(LEAVE_MS, consumer.disconnect()).catch(() => {})
  }
}

/** Reads and commits until the end, the limit or a rebalance. */
async function readAssignment(
  cluster: Cluster,
  consumer: Consumer,
  {partitions, over}: Assignment,
  options: GroupOptions,
): Promise<void> {
  const {group, topic, spans, signal, sink} = options
  const coordinator = await cluster.findGroupCoordinator({groupId: group})
  const committed = await fetchCommitted(coordinator, group, topic, partitions)
  const mine = spans
    .filter(({partition}) => partitions.includes(partition))
    .map((span) => ({...span, position: committed.get(span.partition) ?? span.position}))
  let lastCommit = Date.now()
  const commit = async (): Promise<void> => {
    lastCommit = Date.now()
    const offsets = [...sink.progress()].map(([partition, offset]) => ({topic, partition, offset: String(offset)}))
    // Refused only when the group has rebalanced; then those records come again to whoever owns the partition now.
    if (offsets.length > 0) await consumer.commitOffsets(offsets).catch(() => {})
  }
  try {
    await fetchSpans(cluster, mine, {
      ...options,
      signal: AbortSignal.any([signal, over.signal]),
      onBatch: sink.take,
      onAnswer: async () => {
        await sink.push()
        if (Date.now() - lastCommit >= COMMIT_EVERY_MS) await commit()
      },
    })
  } finally {
    await sink.flush().finally(commit)
  }
}

type Membership = {
  /** The assignment that holds now, or the next one; null when the signal comes first. Rejects when the membership is lost. */
  current(signal: AbortSignal): Promise<Assignment | null>
}

function watch(consumer: Consumer, topic: string): Membership {
  let assignment: Assignment | null = null
  let failure: Error | null = null
  let crashes = 0
  let changed = () => {}
  const {GROUP_JOIN, REBALANCING, CRASH} = consumer.events
  const end = (): void => {
    assignment?.over.abort()
    assignment = null
  }
  consumer.on(GROUP_JOIN, ({payload}) => {
    end()
    // Before its first fetch of this assignment: ours reads instead.
    consumer.pause([{topic}])
    assignment = {partitions: payload.memberAssignment[topic] ?? [], over: new AbortController()}
    changed()
  })
  consumer.on(REBALANCING, end)
  consumer.on(CRASH, ({payload}) => {
    crashes++
    end()
    if (!payload.restart || crashes > MAX_CRASHES) failure = payload.error
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
