import {Arena, type Room} from '../../records/arena.js'
import {HEADER_BYTES} from '../../records/batch.js'
import {Batch, bytesOf} from './batch.js'

/** Of records that are read and not yet acknowledged, where a batch is open in every partition. */
const KEYED_BYTES = 32 * 1024 * 1024
/** As many batches keep every partition of a few brokers busy while more is read. */
const PLACES = 10
const MAX_BATCH_BYTES = 1_000_000
const MIN_BATCH_BYTES = 48 * 1024
/** Where a batch is open in every partition, so many for each: what is over is under way, or waits for it. */
const BATCHES_PER_PARTITION = 1.25

/** Batches of one size, used over and over: what bounds the memory of a run, however large its input. */
export class Pool {
  /** What a batch holds, header included. */
  readonly batchBytes: number
  readonly arena: Arena
  private readonly free: Batch[] = []
  /** Of batches that made place for a larger one. */
  private readonly rooms: Room[] = []
  private readonly size: number
  private left: number

  /**
   * Keyed records keep a batch open in every partition. With too few for that they would be sent nearly empty (performance.md §1.2a);
   * with more over, all of them would have to be smaller, and so more.
   */
  constructor({partitions, keyed, maxBatchBytes}: {partitions: number; keyed: boolean; maxBatchBytes: number}) {
    this.size = keyed ? Math.max(PLACES, Math.ceil(BATCHES_PER_PARTITION * partitions)) : PLACES
    const share = keyed ? Math.max(MIN_BATCH_BYTES, Math.floor(KEYED_BYTES / this.size)) : MAX_BATCH_BYTES
    this.batchBytes = Math.min(share, MAX_BATCH_BYTES, maxBatchBytes)
    this.left = this.size
    this.arena = new Arena(this.size * bytesOf(this.batchBytes))
  }

  /** A batch with room for a record of that `largestSize`; null until one is given back. */
  take(recordBytes: number, now: number): Batch | null {
    const bytes = HEADER_BYTES + recordBytes
    const batch = bytes <= this.batchBytes ? (this.free.pop() ?? this.make()) : this.large(bytes)
    batch?.reset(now)
    return batch
  }

  /** Takes back what `take` gave. */
  give(batch: Batch): void {
    if (batch.capacityBytes === this.batchBytes) this.free.push(batch)
    else this.left += this.places(batch.capacityBytes)
  }

  private make(): Batch | null {
    if (this.left === 0) return null
    this.left--
    return new Batch(this.batchBytes, this.rooms.pop() ?? this.arena.take(bytesOf(this.batchBytes)))
  }

  /** A record that fits no ordinary batch takes the place of several. */
  private large(bytes: number): Batch | null {
    const places = this.places(bytes)
    while (this.left < places && this.free.length > 0) {
      this.rooms.push(this.free.pop()!.room)
      this.left++
    }
    if (this.left < places) return null
    this.left -= places
    return new Batch(bytes)
  }

  private places(bytes: number): number {
    return Math.min(Math.ceil(bytes / this.batchBytes), this.size)
  }
}
