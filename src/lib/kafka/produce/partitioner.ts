import {partitionForKey} from '../../records/murmur2.js'

/**
 * Chooses each record's partition, once; every retry keeps it. Keyed records go where Java's default partitioner puts them,
 * the others a batch's worth in a row to one partition, in rotation.
 */
export class Partitioner {
  private readonly count: number
  private keyless: number

  /** `first` is where keyless records begin: were it always the same, small runs would fill one partition. */
  constructor(count: number, first = 0) {
    this.count = count
    this.keyless = first
  }

  /** For the key `key[start, end)`; null is no key. */
  choose(key: Buffer | null, start = 0, end = key?.length ?? 0): number {
    return key === null ? this.keyless : partitionForKey(key, this.count, start, end)
  }

  /** Tells that the batch open for `partition` is full. */
  sealed(partition: number): void {
    if (partition === this.keyless) this.keyless = (this.keyless + 1) % this.count
  }
}
