import type {Cluster} from '../kafka/cluster.js'
import {planSpans} from '../kafka/consume/plan.js'
import type {Position} from '../kafka/consume/range.js'
import type {KafkaEvent} from '../lambda/event.js'
import {failedRecords} from '../lambda/item-failures.js'
import {type Clock, createPoller, type Invocation, type MappingRules} from '../lambda/poller.js'
import {invoked, type Shown, shown} from './lines.js'
import {recordsOf} from './replay.js'
import {kafkaSource} from './source.js'

/** Gives the handler an event, whose JSON is `payload`. */
export type Handle = (event: KafkaEvent, payload: Buffer) => Promise<Invocation>

export type SessionOptions = {
  rules: MappingRules
  from: Position
  timeoutMs: number
  handle: Handle
  clock: Clock
  show(line: Shown): void
  /** Told once, with the partitions. */
  onStart(partitions: number): void
  signal: AbortSignal
}

/**
 * Delivers the records of a topic to a handler as a mapping would, until `signal` aborts. Joins no group and commits nothing.
 * Throws SkkError when the topic or the place to begin does not exist.
 */
export async function follow(cluster: Cluster, options: SessionOptions): Promise<void> {
  const {rules, from, timeoutMs, handle, clock, show, onStart, signal} = options
  const {topic} = rules
  const plan = {topic, partitions: null, from, to: null, follow: true, readCommitted: true}
  const partitions = new Map((await planSpans(cluster, plan)).map(({partition, position}) => [partition, position]))
  const durations = new WeakMap<Invocation, number>()
  onStart(partitions.size)
  const poller = createPoller({
    rules,
    partitions,
    source: kafkaSource(cluster, topic, {timeoutMs}),
    committer: {commit: async () => {}},
    clock,
    destination: async () => {},
    async invoke(event, payload) {
      const started = performance.now()
      const invocation = await handle(event, payload)
      durations.set(invocation, performance.now() - started)
      return invocation
    },
    on(event) {
      // What the end of the run cut off tells nothing about the handler.
      const line = signal.aborted ? undefined : shown(event, rules, (invocation) => durations.get(invocation) ?? 0)
      if (line) show(line)
    },
  })
  await poller.run(signal)
}

/** Gives the handler each recorded event once, in their order. Returns how many failed, as a whole or in part. */
export async function replay(
  events: readonly KafkaEvent[],
  {
    handle,
    show,
    reportBatchItemFailures,
    signal,
  }: Pick<SessionOptions, 'handle' | 'show' | 'signal'> & {reportBatchItemFailures: boolean},
): Promise<number> {
  let failures = 0
  for (const event of events) {
    const payload = Buffer.from(JSON.stringify(event))
    const records = recordsOf(event)
    const topic = Object.values(event.records).flat()[0]?.topic ?? ''
    const started = performance.now()
    const invocation = await handle(event, payload)
    if (signal.aborted) break
    const partial = invocation.ok && reportBatchItemFailures ? failedRecords(topic, records, invocation.payload).length : 0
    const failed = invocation.ok ? partial : records.length
    const durationMs = performance.now() - started
    show(invoked({topic, records, failed, attempt: 1, payloadSize: payload.length, invocation, durationMs}))
    if (failed > 0 || !invocation.ok) failures++
  }
  return failures
}
