import {HEADER_BYTES} from '../../records/batch.js'
import {sizeOfRecords} from '../../records/record.js'
import type {Delivery} from './deliver.js'
import type {Lane} from './lane.js'
import type {Ledger} from './ledger.js'
import {Partitioner} from './partitioner.js'
import type {Item} from './records.js'

/** Other kafkajs consumers of the topic crash on record batches of about 125,000 records (tulios/kafkajs#1723). */
const MAX_BATCH_RECORDS = 50_000
const MAX_BATCH_BYTES = 1_000_000
const MIN_BATCH_BYTES = 32 * 1024

/** Of records that are read and not yet acknowledged. */
const MAX_PENDING_BYTES = 32 * 1024 * 1024

/** What a record takes in memory beyond its bytes, as an object with views of what was read. */
const OBJECT_BYTES = 256

/** What the deltas of a record within a batch may add to its size alone. */
const DELTA_BYTES = 16

type Batch = {items: Item[]; bytes: number}
type Queue = {lane: Lane; open: Batch | null; sealed: Batch[]; sending: boolean}

export type ProducerOptions = {
  /** One for each partition, in order. */
  lanes: readonly Lane[]
  keyed: boolean
  maxBatchBytes: number
  ledger: Ledger
  deliver(items: readonly Item[], lane: Lane): Promise<Delivery[]>
  onDelivered?(delivery: Delivery): void
}

/**
 * Gathers records into batches, one open per partition, and delivers them, one under way per partition: more would be
 * reordered by a retry. After a delivery that ended unsent or unknown nothing more is sent.
 */
export class Producer {
  /** Why nothing more is sent, if so. */
  failure: unknown
  private readonly options: ProducerOptions
  private readonly queues: Queue[]
  private readonly partitioner: Partitioner
  private readonly batchBytes: number
  private pendingBytes = 0
  private stopped = false
  private waiting: (() => void)[] = []

  constructor(options: ProducerOptions) {
    const {lanes, keyed, maxBatchBytes} = options
    this.options = options
    this.queues = lanes.map((lane) => ({lane, open: null, sealed: [], sending: false}))
    this.partitioner = new Partitioner(lanes.length)
    // Keyed records keep a batch open in every partition: all of them, twice, have to fit (performance.md §1.2a).
    const share = keyed ? Math.max(MIN_BATCH_BYTES, Math.floor(MAX_PENDING_BYTES / (2 * lanes.length))) : MAX_BATCH_BYTES
    this.batchBytes = Math.min(share, MAX_BATCH_BYTES, maxBatchBytes)
  }

  /** Takes one record. Resolves when there is room for the next one. */
  add(item: Item): Promise<void> | undefined {
    const partition = item.partition ?? this.partitioner.choose(item.key)
    const queue = this.queues[partition]!
    const bytes = sizeOfRecords([item], item.timestamp) + DELTA_BYTES
    const {open} = queue
    if (open && (open.bytes + bytes > this.batchBytes || open.items.length >= MAX_BATCH_RECORDS)) {
      this.seal(queue)
      // A keyless record belongs to the batch that follows, which may be another partition's.
      if (item.partition === null && item.key === null) return this.add(item)
    }
    queue.open ??= {items: [], bytes: HEADER_BYTES}
    queue.open.items.push(item)
    queue.open.bytes += bytes
    this.pendingBytes += bytes + OBJECT_BYTES
    if (this.pendingBytes < MAX_PENDING_BYTES || this.stopped) return undefined
    return this.room()
  }

  /** Sends what is gathered so far, however little. */
  flush(): void {
    for (const queue of this.queues) if (queue.open) this.seal(queue)
  }

  /** Sends everything. Resolves when every record that was taken has its outcome, or nothing more is sent. */
  async finish(): Promise<void> {
    this.flush()
    while (this.queues.some(({sending}) => sending)) await this.change()
  }

  /** Starts no further delivery; those under way go on. */
  stop(): void {
    this.stopped = true
    this.wake()
  }

  /** Books what is still under way as unknown: nobody waits for it any longer. */
  abandon(): void {
    this.stop()
    for (const queue of this.queues) {
      const [under] = queue.sending ? queue.sealed : []
      if (under) this.options.ledger.unknown(under.items.length)
      queue.sending = false
      queue.sealed = []
    }
    this.wake()
  }

  private seal(queue: Queue): void {
    queue.sealed.push(queue.open!)
    queue.open = null
    this.partitioner.sealed(queue.lane.partition)
    if (!queue.sending) void this.drain(queue)
  }

  private async drain(queue: Queue): Promise<void> {
    queue.sending = true
    while (queue.sealed.length > 0 && !this.stopped) {
      const batch = queue.sealed[0]!
      const deliveries = await this.options
        .deliver(batch.items, queue.lane)
        .catch((error): Delivery[] => [{kind: 'unknown', items: batch.items, error}])
      // Abandoned meanwhile, and booked already.
      if (queue.sealed[0] !== batch) return
      queue.sealed.shift()
      for (const delivery of deliveries) this.book(delivery)
      this.pendingBytes -= batch.bytes - HEADER_BYTES + batch.items.length * OBJECT_BYTES
      this.wake()
    }
    queue.sending = false
    this.wake()
  }

  private book(delivery: Delivery): void {
    const {ledger, onDelivered} = this.options
    const {kind, items} = delivery
    if (kind === 'acked') ledger.acked(items.length)
    if (kind === 'rejected') for (const {source, line} of items) ledger.rejected({source, line, reason: delivery.reason})
    if (kind === 'unknown') ledger.unknown(items.length)
    if (kind === 'unknown' || kind === 'unsent') {
      this.failure ??= delivery.error
      this.stop()
    }
    onDelivered?.(delivery)
  }

  private async room(): Promise<void> {
    while (this.pendingBytes >= MAX_PENDING_BYTES && !this.stopped) {
      // With nothing under way, nothing would ever make room.
      if (!this.queues.some(({sending}) => sending)) this.flush()
      await this.change()
    }
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve()
  }
}
