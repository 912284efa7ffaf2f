import type {SourceRecord} from '../../../src/lib/lambda/event.js'
import {createPoller, type GivenUp, type Invocation, type MappingRules, type PollerEvent} from '../../../src/lib/lambda/poller.js'
import {VirtualClock} from './virtual-clock.js'

export const TOPIC = 'orders'

export const defaultRules: MappingRules = {
  topic: TOPIC,
  eventSourceArn: 'arn:aws:kafka:us-east-1:123456789012:cluster/demo/5f2c1c1e-0000-4000-8000-000000000000-s1',
  bootstrapServers: 'boot-demo.c2.kafka-serverless.us-east-1.amazonaws.com:9098',
  functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:handle',
  batchSize: 100,
  batchingWindowMs: 500,
  filters: [],
  maximumRetryAttempts: -1,
  maximumRecordAgeMs: Infinity,
  bisect: false,
  reportBatchItemFailures: false,
  hasDestination: false,
}

export const record = (partition: number, offset: number, other: Partial<SourceRecord> = {}): SourceRecord => ({
  partition,
  offset,
  timestamp: 1_700_000_000_000,
  timestampType: 'CREATE_TIME',
  key: null,
  value: Buffer.from(`${partition}-${offset}`),
  headers: [],
  ...other,
})

export const records = (partition: number, count: number): SourceRecord[] =>
  Array.from({length: count}, (_, offset) => record(partition, offset))

export type Call = {at: number; attempt: number; records: {partition: number; offset: number}[]; bytes: number; endedAt?: number}

type Ask = {
  call: Call
  has: (partition: number, offset: number) => boolean
  signal: AbortSignal
}

export type WorldOptions = {
  /** The log of each partition; more may be appended while it runs. */
  logs: SourceRecord[][]
  rules?: Partial<MappingRules>
  /** How an invocation ends; `ok` without it. */
  handler?: (ask: Ask) => Invocation | Promise<Invocation>
  destination?: (givenUp: GivenUp) => Promise<void> | void
  commit?: () => void
  fetch?: (partition: number, offset: number) => void
  fetchLimit?: number
  /** The records of a record batch, when fetches begin at its start as those of a broker do. */
  fetchFromBatch?: number
  /** How soon a fetch that waits sees what is appended. */
  fetchStepMs?: number
  clock?: VirtualClock
  /** Where each partition starts; what was committed before, else 0. */
  committed?: Map<number, number>
}

export const ok: Invocation = {ok: true, payload: null}
export const functionError: Invocation = {ok: false, kind: 'functionError', message: 'boom'}
export const failing = (...failures: [partition: number, offset: number][]): Invocation => ({
  ok: true,
  payload: {
    batchItemFailures: failures.map(([partition, offset]) => ({itemIdentifier: {partition: `${TOPIC}-${partition}`, offset}})),
  },
})

/** A mapping whose source, group, function, destination and clock are plain data. */
export function world({
  logs,
  rules = {},
  handler = () => ok,
  destination,
  commit,
  fetch,
  fetchLimit = Infinity,
  fetchFromBatch = 1,
  ...options
}: WorldOptions) {
  const clock = options.clock ?? new VirtualClock()
  const committed = options.committed ?? new Map<number, number>()
  const calls: Call[] = []
  const events: PollerEvent[] = []
  const givenUp: GivenUp[] = []
  const stop = new AbortController()
  const poller = createPoller({
    rules: {...defaultRules, hasDestination: destination !== undefined, ...rules},
    partitions: new Map(logs.map((_, partition) => [partition, committed.get(partition) ?? 0])),
    source: {
      async fetch(partition, offset, {waitMs, signal}) {
        fetch?.(partition, offset)
        const found = () => {
          const index = logs[partition]!.findIndex((record) => record.offset >= offset)
          if (index < 0) return []
          return logs[partition]!.slice(index - (index % fetchFromBatch), index + fetchLimit)
        }
        for (let waited = 0; found().length === 0 && waited < waitMs && !signal.aborted; waited += 10)
          await clock.sleep(10, signal)
        const records = found()
        return {records, nextOffset: (records.at(-1)?.offset ?? offset - 1) + 1}
      },
    },
    committer: {
      async commit(offsets) {
        commit?.()
        for (const [partition, offset] of offsets) committed.set(partition, offset)
      },
    },
    async invoke(event, payload, {attempt, signal}) {
      const sent = Object.values(event.records).flat()
      const call: Call = {
        at: clock.now(),
        attempt,
        records: sent.map(({partition, offset}) => ({partition, offset})),
        bytes: payload.length,
      }
      calls.push(call)
      const has = (partition: number, offset: number) =>
        call.records.some((record) => record.partition === partition && record.offset === offset)
      try {
        return await handler({call, has, signal})
      } finally {
        call.endedAt = clock.now()
      }
    },
    ...(destination && {
      async destination(failed: GivenUp) {
        await destination(failed)
        givenUp.push(failed)
      },
    }),
    clock,
    random: () => 1,
    on: (event) => events.push(event),
  })
  const start = () => poller.run(stop.signal)
  const allCommitted = () => logs.every((log, partition) => (committed.get(partition) ?? 0) === (log.at(-1)?.offset ?? -1) + 1)
  return {
    clock,
    committed,
    calls,
    events,
    givenUp,
    stop,
    start,
    allCommitted,
    /** Runs until everything is committed or `until` holds, then stops. */
    async run(until: () => boolean = allCommitted) {
      const running = start()
      let ended = false
      running.then(
        () => {
          ended = true
        },
        () => {
          ended = true
        },
      )
      await clock.runUntil(() => ended || until())
      stop.abort()
      await clock.runUntil(() => ended)
      await running
    },
  }
}
