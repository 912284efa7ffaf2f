import type {KafkaEvent, SourceRecord} from './event.js'
import type {FilterPattern} from './filter.js'

/** The settings of an event-source mapping that its poller obeys. */
export type MappingRules = {
  topic: string
  eventSourceArn: string
  bootstrapServers: string
  functionArn: string
  /** 1 to 10,000. */
  batchSize: number
  /** How long the first record of a batch waits for more; 500 when `MaximumBatchingWindowInSeconds` was never set. */
  batchingWindowMs: number
  /** A record goes to the function when any matches; without one, every record does. */
  filters: readonly FilterPattern[]
  /** Not counting the first invocation; -1 is for ever, and 10 when there is a destination. */
  maximumRetryAttempts: number
  /** `Infinity` when records may have any age. */
  maximumRecordAgeMs: number
  bisect: boolean
  reportBatchItemFailures: boolean
  hasDestination: boolean
}

export type RecordSource = {
  /**
   * Records from `offset`, in order, at least one when there is one within `waitMs`; and the offset after the last one looked at,
   * gaps included. `maxBytes` may be passed by one record. A rejection is tried again later.
   */
  fetch(
    partition: number,
    offset: number,
    options: {maxBytes: number; waitMs: number; signal: AbortSignal},
  ): Promise<{records: readonly SourceRecord[]; nextOffset: number}>
}

/** Commits, for each partition, the next offset to read. A rejection is tried again later, with what is newer by then. */
type Committer = {commit(offsets: ReadonlyMap<number, number>): Promise<void>}

/** How an invocation ended; `payload` is the function's parsed answer. */
export type Invocation = {requestId?: string} & (
  | {ok: true; payload: unknown}
  | {ok: false; kind: 'functionError' | 'timeout' | 'throttled' | 'unavailable'; message: string}
)

/**
 * Calls the function with the event, whose JSON is `payload`. `attempt` counts from 1, retries included, throttled calls not.
 * `signal` says that the poller stops: what is still running then may be ended. A rejection counts as unavailable.
 */
export type Invoker = (event: KafkaEvent, payload: Buffer, info: {attempt: number; signal: AbortSignal}) => Promise<Invocation>

/** Records that the function will not get again. */
export type GivenUp = {
  condition: 'RetriesExhausted' | 'MaximumRecordAgeExceeded' | 'PayloadTooLarge'
  /** Invocations that held these records; 0 for records that were too old or too large from the start. */
  approximateInvokeCount: number
  /** The last answer of the function for them. */
  lastInvocation: Invocation | undefined
  event: KafkaEvent
  /** Bytes of the event's JSON. */
  payloadSize: number
  records: readonly SourceRecord[]
}

/** Hands records over to the on-failure destination; a rejection is tried again until the poller stops. */
export type Destination = (givenUp: GivenUp) => Promise<void>

export type Clock = {
  /** Epoch milliseconds. */
  now(): number
  /** Resolves after `ms`, or as soon as `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** What happens in a poller, as it happens: for metrics, logs and `LastProcessingResult`. */
export type PollerEvent =
  | {type: 'polled'; partition: number; records: number; filteredOut: number}
  | {type: 'pollingFailed'; partition: number; error: unknown}
  /** `failed` of the `records` are to be delivered again or given up. */
  | {
      type: 'invoked'
      records: readonly SourceRecord[]
      failed: number
      attempt: number
      payloadSize: number
      invocation: Invocation
    }
  /** The function could not be called for the `records`. */
  | {type: 'refused'; records: number; invocation: Invocation}
  | {type: 'retrying'; records: number; delayMs: number; reason: string}
  | {type: 'bisected'; sizes: readonly [number, number]}
  /** After the hand-over; `delivered` is false when there is no destination and the records are dropped. */
  | {type: 'givenUp'; givenUp: GivenUp; delivered: boolean}
  | {type: 'destinationFailed'; givenUp: GivenUp; error: unknown}
  | {type: 'committed'; offsets: ReadonlyMap<number, number>}
  | {type: 'commitFailed'; error: unknown}

export type Poller = {
  /** Delivers records until `signal` aborts; resolves when what was running has ended and what was done is committed. */
  run(signal: AbortSignal): Promise<void>
}

export type PollerOptions = {
  rules: MappingRules
  /** The offset to start at, by partition. */
  partitions: ReadonlyMap<number, number>
  source: RecordSource
  committer: Committer
  invoke: Invoker
  /** Needed when `rules.hasDestination`. */
  destination?: Destination
  clock: Clock
  /** From 0 to 1; spreads retries. */
  random?: () => number
  on?: (event: PollerEvent) => void
}
