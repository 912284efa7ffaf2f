import {EventSize, encodedSize, PAYLOAD_LIMIT_BYTES, type SourceRecord} from './event.js'
import type {MappingRules} from './mapping.js'

type Waiting = {record: SourceRecord; size: number; receivedAt: number}

/** What was read of one partition and not delivered yet. */
export class Backlog {
  readonly partition: number
  /** The offset to read next. */
  nextOffset: number
  readonly #topic: string
  readonly #waiting: Waiting[] = []
  #bytes = 0
  /** Offsets of the batch that is being delivered, in order. */
  readonly #unfinished = new Set<number>()

  constructor(topic: string, partition: number, startOffset: number) {
    this.#topic = topic
    this.partition = partition
    this.nextOffset = startOffset
  }

  /** What waits, oldest first. */
  get waiting(): readonly Waiting[] {
    return this.#waiting
  }

  /** Bytes that what waits takes in events. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether a batch of this partition is being delivered or retried: it never has two. */
  get busy(): boolean {
    return this.#unfinished.size > 0
  }

  /** The lowest offset that is not done: what to commit. Records that were filtered out count as done. */
  get position(): number {
    const [unfinished] = this.#unfinished
    return unfinished ?? this.#waiting[0]?.record.offset ?? this.nextOffset
  }

  /** Takes note of records up to `nextOffset`, of which `records` are to be delivered. */
  receive(records: readonly SourceRecord[], nextOffset: number, now: number): void {
    for (const record of records) {
      const size = encodedSize(this.#topic, record)
      this.#waiting.push({record, size, receivedAt: now})
      this.#bytes += size
    }
    this.nextOffset = Math.max(this.nextOffset, nextOffset)
  }

  /** The first `count` records that wait; the partition is busy until all are done. */
  take(count: number): SourceRecord[] {
    return this.#waiting.splice(0, count).map(({record, size}) => {
      this.#bytes -= size
      this.#unfinished.add(record.offset)
      return record
    })
  }

  done(offset: number): void {
    this.#unfinished.delete(offset)
  }
}

export type Assembly = {
  /** How many records to take of each partition. */
  takes: {backlog: Backlog; count: number}[]
  /** Whether more records would not fit. */
  full: boolean
  /** When the first of the records was received; undefined when there is none. */
  since: number | undefined
}

/** The batch that the partitions without one can fill now, in the order given: one event may mix partitions. */
export function assemble(backlogs: readonly Backlog[], rules: MappingRules): Assembly {
  const size = new EventSize(rules)
  const takes: Assembly['takes'] = []
  let since: number | undefined
  let total = 0
  for (const backlog of backlogs) {
    if (backlog.busy || backlog.waiting.length === 0) continue
    let count = 0
    for (const {size: bytes} of backlog.waiting) {
      const fits = size.with(backlog.partition, bytes) < PAYLOAD_LIMIT_BYTES || total + count === 0
      if (!fits || total + count === rules.batchSize) break
      size.add(backlog.partition, bytes)
      count++
    }
    if (count > 0) takes.push({backlog, count})
    const {receivedAt} = backlog.waiting[0]!
    since = Math.min(since ?? receivedAt, receivedAt)
    total += count
    if (count < backlog.waiting.length || total === rules.batchSize) return {takes, full: true, since}
  }
  return {takes, full: size.bytes >= PAYLOAD_LIMIT_BYTES, since}
}
