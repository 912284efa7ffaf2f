import type {Arena} from '../../records/arena.js'
import {largestSize} from '../../records/batch-writer.js'
import type {Batch} from './batch.js'
import type {Claim} from './coverage.js'
import type {Delivery} from './deliver.js'
import type {Lane} from './lane.js'
import {Partitioner} from './partitioner.js'
import type {PlacedRecord} from './placed-record.js'
import {Pool} from './pool.js'

type Queue = {lane: Lane; open: Batch | null; sealed: Batch[]; sending: boolean}

export type ProducerOptions = {
  /** One for each partition, in order. */
  lanes: readonly Lane[]
  /** The partition of the first keyless records. */
  firstPartition: number
  keyed: boolean
  maxBatchBytes: number
  deliver(batch: Batch, lane: Lane): Promise<Delivery[]>
  onDelivered(delivery: Delivery, partition: number): void
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
  private readonly pool: Pool
  private stopped = false
  private waiting: (() => void)[] = []

  constructor(options: ProducerOptions) {
    const {lanes, firstPartition, keyed, maxBatchBytes} = options
    this.options = options
    this.queues = lanes.map((lane) => ({lane, open: null, sealed: [], sending: false}))
    this.partitioner = new Partitioner(lanes.length, firstPartition)
    this.pool = new Pool({partitions: lanes.length, keyed, maxBatchBytes})
  }

  /** Where records are copied from fastest. */
  get arena(): Arena {
    return this.pool.arena
  }

  get partitions(): number {
    return this.queues.length
  }

  /** The partition that `record` belongs to, or -1 when it has neither key nor partition of its own. */
  partitionOf({partition, key, keyStart, keyEnd}: PlacedRecord): number {
    if (partition >= 0) return partition
    return key === null ? -1 : this.partitioner.choose(key, keyStart, keyEnd)
  }

  /**
   * Copies one record, number `ordinal` of the input, for the partition that `partitionOf` says. `claim` is the batch of an earlier
   * run that it was lost with. False when there is no room before `room` resolves.
   */
  add(record: PlacedRecord, ordinal: number, partition: number, claim: Claim | null): boolean {
    const queue = this.queues[claim !== null ? claim.partition : partition >= 0 ? partition : this.partitioner.choose(null)]!
    let {open} = queue
    if (open !== null && !open.fits(record)) {
      this.seal(queue)
      // A keyless record belongs to the batch that follows, which may be another partition's.
      if (partition < 0 && claim === null) return this.add(record, ordinal, partition, claim)
      open = null
    }
    if (open === null) {
      open = this.pool.take(largestSize(record), Date.now())
      if (open === null) return false
      open.replay = claim
      queue.open = open
    } else if (open.replay !== claim) open.replay = null
    open.add(record, ordinal, partition < 0)
    if (open.replay !== null && open.count === open.replay.count) this.seal(queue)
    return true
  }

  /**
   * Tells that a record of `partition`, or a keyless one (-1), is left out for what may change: the batch that is open there ends, for
   * a later run takes every record between the first and the last of a batch for written.
   */
  leftOut(partition: number): void {
    const queue = this.queues[partition >= 0 ? partition : this.partitioner.choose(null)]!
    if (queue.open !== null) this.seal(queue)
  }

  /** Resolves when it is worth trying to `add` again. */
  async room(): Promise<void> {
    // With nothing under way, nothing would ever make room.
    if (!this.queues.some(({sending}) => sending)) this.flush()
    if (!this.stopped) await this.change()
  }

  /** Lets those who wait for room look whether they still want it. */
  interrupt(): void {
    this.wake()
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

  /** Gives up what is still under way, whose outcome is then unknown: nobody waits for it any longer. */
  abandon(): void {
    this.stop()
    for (const queue of this.queues) {
      if (!queue.sending) continue
      const batch = queue.sealed.shift()!
      queue.sending = false
      this.options.onDelivered({kind: 'unknown', batch, error: this.failure}, queue.lane.partition)
    }
    this.wake()
  }

  /** What was taken and not sent, once nothing more is. */
  *left(): Generator<Batch> {
    for (const {open, sealed} of this.queues) {
      yield* sealed
      if (open !== null) yield open
    }
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
        .deliver(batch, queue.lane)
        .catch((error): Delivery[] => [{kind: 'unknown', batch, error}])
      // Abandoned meanwhile, and booked already.
      if (queue.sealed[0] !== batch) return
      queue.sealed.shift()
      for (const delivery of deliveries) this.book(delivery, queue.lane.partition)
      this.pool.give(batch)
      this.wake()
    }
    queue.sending = false
    this.wake()
  }

  private book(delivery: Delivery, partition: number): void {
    if (delivery.kind === 'unknown' || delivery.kind === 'unsent') {
      this.failure ??= delivery.error
      this.stop()
    }
    this.options.onDelivered(delivery, partition)
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve()
  }
}
