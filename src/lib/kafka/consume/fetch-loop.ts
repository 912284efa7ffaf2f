import {BrokerError} from '../broker-error.js'
import {inTime} from '../client.js'
import {type Cluster, leadersOf} from '../cluster.js'
import {isTransient, recovered} from '../patience.js'
import {type FetchAnswer, fetch} from '../requests/fetch.js'
import {type OpenBatch, offsetAfter, openBatches} from './decode.js'
import {type Gap, outOfRange} from './gap.js'
import type {Span} from './plan.js'
import {due, mayEndIn, pinEnds} from './until.js'

const MAX_WAIT_MS = 500

/** However long the loop may wait altogether: one request that hangs is not to hide that nothing is answered. */
const REQUEST_MS = 15_000

/** Of one answer, and of one answer of each leader together. Twice as much is in memory: the next ones are on their way. */
const MAX_BYTES = 4 * 1024 * 1024
const ALL_BYTES = 12 * 1024 * 1024
const MIN_BYTES = 1024 * 1024
const PARTITION_MAX_BYTES = 1024 * 1024

/** A gap at the very end of a compacted partition is never filled: so many empty answers in a row say that it is one. */
const EMPTY_ANSWERS = 4

const OFFSET_OUT_OF_RANGE = 1

/** One batch of a partition; of its records, those from `first` to before `end` are asked for. */
export type FetchedBatch = OpenBatch & {partition: number; first: number; end: number}

export type FetchLoopOptions = {
  topic: string
  readCommitted: boolean
  /** How long one request may take, 15 s at most. */
  timeoutMs: number
  /** Without a successful fetch of a leader for so long, the loop fails with the last error; `timeoutMs` if it is not given. */
  patienceMs?: number
  signal: AbortSignal
  /** What retention takes before it is read fails the loop, unless this takes note of it. */
  onGap?(gap: Gap): void
  /** Told once each time that a leader has not answered for `after` milliseconds. */
  silence?: {after: number; warn(ms: number): void}
  /** Takes one batch, in order within a partition and never two at once. Resolves to whether more is wanted. */
  onBatch(batch: FetchedBatch): Promise<boolean>
  /** Called after the batches of one answer. Nothing more is taken before it resolves. */
  onAnswer?(): Promise<void>
}

/** `next` is the offset to ask for: ahead of `position`, where reading is, while an answer is on its way. */
type OpenSpan = Span & {next: number}

type Loop = FetchLoopOptions & {
  cluster: Cluster
  /** What is not read yet. */
  open: Map<number, OpenSpan>
  /** Nothing more is wanted, or something has failed. */
  over: boolean
  /** Serialises `onBatch` and `onAnswer` between leaders. */
  turn: Promise<unknown>
}

/**
 * Reads the spans from their leaders, following leader changes; the next answer of a leader travels while one is taken. Joins no
 * group and commits nothing. Resolves when every position has reached its end (markers and compaction leave gaps, so records
 * cannot tell), when `onBatch` wants no more, or on abort. Throws SkkError, BrokerError, RecordError, or what kafkajs throws.
 */
export async function fetchSpans(cluster: Cluster, spans: readonly Span[], options: FetchLoopOptions): Promise<void> {
  const open = new Map(
    spans
      .filter(({position, end}) => end === null || position < end)
      .map((span) => [span.partition, {...span, next: span.position}]),
  )
  const loop: Loop = {...options, cluster, open, over: false, turn: Promise.resolve()}
  const workers = new Map<number, Promise<void>>()
  const stopped = aborted(options.signal)
  try {
    while (open.size > 0 && !isOver(loop)) {
      const found = leaders(loop)
      for (const leader of found) {
        if (!workers.has(leader))
          workers.set(
            leader,
            follow(leader, maxBytes(found.size), loop).finally(() => workers.delete(leader)),
          )
      }
      await Promise.race([...workers.values(), stopped])
    }
  } finally {
    loop.over = true
    await Promise.race([Promise.allSettled(workers.values()), stopped])
  }
}

const isOver = (loop: Loop): boolean => loop.over || loop.signal.aborted

const maxBytes = (leaders: number): number => Math.max(MIN_BYTES, Math.min(MAX_BYTES, Math.floor(ALL_BYTES / leaders)))

function leaders(loop: Loop): Set<number> {
  const byPartition = leadersOf(loop.cluster, loop.topic)
  return new Set([...loop.open.keys()].map((partition) => byPartition.get(partition) ?? -1))
}

function ledBy(leader: number, loop: Loop): OpenSpan[] {
  const byPartition = leadersOf(loop.cluster, loop.topic)
  return [...loop.open.values()].filter(({partition}) => (byPartition.get(partition) ?? -1) === leader)
}

/** Fetches what one node leads, until it leads nothing of it any more or fails. */
async function follow(leader: number, maxBytes: number, loop: Loop): Promise<void> {
  const patience = patienceOf(loop)
  let emptyAnswers = 0
  let ahead: Promise<FetchAnswer[]> | null = null
  for (let turn = 0; !isOver(loop); turn++) {
    const led = ledBy(leader, loop)
    if (led.length === 0) return
    try {
      await pinDue(led, loop)
      const answers: FetchAnswer[] = await (ahead ?? request(leader, rotated(led, turn), maxBytes, loop))
      if (answers.some(({errorCode}) => errorCode === 0)) patience.renew()
      ahead = turn === 0 ? null : askAhead(leader, answers, turn, maxBytes, loop)
      const moved = await take(answers, loop)
      // A slow reader is no silence of the broker.
      if (!moved) patience.renew()
      emptyAnswers = answers.some(({records}) => records.length > 0) ? 0 : emptyAnswers + 1
      if (emptyAnswers >= EMPTY_ANSWERS) closeGaps(answers, loop)
      if (moved) throw moved
    } catch (error) {
      if (!isTransient(error)) throw error
      patience.spend(error)
      ahead = null
      for (const span of led) span.next = span.position
      await recovered(loop.cluster)
    }
  }
}

/** A different one first each time: the size limit of an answer would starve those at the end. */
const rotated = (spans: readonly OpenSpan[], turn: number): OpenSpan[] => [
  ...spans.slice(turn % spans.length),
  ...spans.slice(0, turn % spans.length),
]

/** The request for what follows after `answers`, which are not taken yet; null when nothing does, or one of them is an error. */
function askAhead(
  leader: number,
  answers: readonly FetchAnswer[],
  turn: number,
  maxBytes: number,
  loop: Loop,
): Promise<FetchAnswer[]> | null {
  if (answers.some(({errorCode}) => errorCode !== 0)) return null
  for (const {partition, records} of answers) {
    const span = loop.open.get(partition)
    if (span) span.next = offsetAfter(records, span.next)
  }
  const left = ledBy(leader, loop).filter(({next, end}) => end === null || next < end)
  if (left.length === 0) return null
  const asked = request(leader, rotated(left, turn + 1), maxBytes, loop)
  // Its failure is met where it is awaited.
  asked.catch(() => {})
  return asked
}

async function request(leader: number, led: readonly OpenSpan[], maxBytes: number, loop: Loop): Promise<FetchAnswer[]> {
  const {cluster, topic, readCommitted, timeoutMs} = loop
  const broker = await cluster.findBroker({nodeId: leader})
  const asked = led.map(({partition, next}) => ({partition, offset: next}))
  const limits = {maxWaitMs: MAX_WAIT_MS, minBytes: 1, maxBytes, partitionMaxBytes: PARTITION_MAX_BYTES, readCommitted}
  return inTime(broker, MAX_WAIT_MS + Math.min(timeoutMs, REQUEST_MS), fetch(broker, topic, asked, limits))
}

/** Hands the answers over; returns the error of a partition whose leader may have changed. */
async function take(answers: readonly FetchAnswer[], loop: Loop): Promise<BrokerError | null> {
  let moved: BrokerError | null = null
  for (const answer of answers) {
    const span = loop.open.get(answer.partition)
    if (!span || isOver(loop)) continue
    if (answer.errorCode === OFFSET_OUT_OF_RANGE) await jump(span, loop)
    else if (answer.errorCode !== 0) {
      const error = new BrokerError(answer.errorCode, {api: 'Fetch', topic: loop.topic, partition: answer.partition})
      if (!error.retriable) throw error
      moved = error
    } else await hand(answer, span, loop)
  }
  if (loop.onAnswer) await inTurn(loop, loop.onAnswer)
  return moved
}

/** Ends what goes on until a time, when it has come. */
async function pinDue(led: readonly OpenSpan[], loop: Loop): Promise<void> {
  const ending = due(led)
  if (ending.length === 0) return
  await pinEnds(loop, ending)
  for (const {partition, position, end} of ending) if (end !== null && position >= end) loop.open.delete(partition)
}

async function hand(answer: FetchAnswer, span: OpenSpan, loop: Loop): Promise<void> {
  for await (const batch of openBatches(answer)) {
    if (mayEndIn(span, batch.header.maxTimestamp)) await pinEnds(loop, [span])
    const end = span.end ?? Number.POSITIVE_INFINITY
    const more = await inTurn(loop, () => loop.onBatch({...batch, partition: span.partition, first: span.position, end}))
    if (!more) loop.over = true
    if (isOver(loop)) return
    span.position = Math.max(span.position, batch.nextOffset)
    span.next = Math.max(span.next, span.position)
    if (span.position >= end) {
      loop.open.delete(span.partition)
      return
    }
  }
}

/** The outcome of `work` once nobody else is at work; undefined when it is over by then. */
async function inTurn<T>(loop: Loop, work: () => Promise<T>): Promise<T | undefined> {
  const turn = loop.turn.then(() => (isOver(loop) ? undefined : work()))
  loop.turn = turn.catch(() => {})
  return turn
}

/** Over what retention has taken, if that is allowed. */
async function jump(span: OpenSpan, loop: Loop): Promise<void> {
  const gap = await outOfRange(loop.cluster, loop.topic, span)
  if (gap instanceof Error || !loop.onGap) throw gap instanceof Error ? gap : gap.error
  loop.onGap(gap)
  span.position = gap.to
  span.next = gap.to
  if (span.end !== null && span.position >= span.end) loop.open.delete(span.partition)
}

function closeGaps(answers: readonly FetchAnswer[], {open}: Loop): void {
  for (const {partition, errorCode, highWatermark} of answers) {
    const span = open.get(partition)
    if (errorCode === 0 && span && span.end !== null && highWatermark >= span.end) open.delete(partition)
  }
}

/** kafkajs gives up without a word, and its own loop never ends: this one tells, and ends. */
function patienceOf({timeoutMs, patienceMs = timeoutMs, silence}: Loop): {renew(): void; spend(error: unknown): void} {
  let last = Date.now()
  let warned = false
  return {
    renew() {
      last = Date.now()
      warned = false
    },
    spend(error) {
      const ms = Date.now() - last
      if (ms >= patienceMs) throw error
      if (!silence || warned || ms < silence.after) return
      warned = true
      silence.warn(ms)
    },
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), {once: true})
  })
