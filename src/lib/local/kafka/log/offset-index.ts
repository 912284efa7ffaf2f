/** As Kafka's `index.interval.bytes`: a lookup walks at most this much and one batch. */
export const INDEX_INTERVAL_BYTES = 4096

/**
 * Where in a segment to begin to look for an offset or a time. An entry stands for a stretch of whole batches; it costs
 * 24 bytes, so that a full segment of 64 MiB needs at most 400 KB.
 */
export class OffsetIndex {
  #length = 0
  #offsets = new Float64Array(4)
  #positions = new Float64Array(4)
  /** The largest timestamp in the segment up to the end of the stretch: ascending, so that it can be searched. */
  #maxTimestamps = new Float64Array(4)

  /** Batches must come in order. */
  add(baseOffset: number, position: number, maxTimestamp: number): void {
    const last = this.#length - 1
    const largest = last < 0 ? maxTimestamp : Math.max(maxTimestamp, this.#maxTimestamps[last]!)
    if (last >= 0 && position - this.#positions[last]! < INDEX_INTERVAL_BYTES) {
      this.#maxTimestamps[last] = largest
      return
    }
    if (this.#length === this.#offsets.length) this.#grow()
    this.#offsets[this.#length] = baseOffset
    this.#positions[this.#length] = position
    this.#maxTimestamps[this.#length] = largest
    this.#length++
  }

  /** A position at or before the batch that holds `offset`, or that follows the gap it is in. */
  positionBefore(offset: number): number {
    const after = firstIndex(this.#length, (index) => this.#offsets[index]! > offset)
    return after === 0 ? 0 : this.#positions[after - 1]!
  }

  /** A position at or before the first batch with a timestamp of at least `timestamp`; undefined when there is none. */
  positionOfTimestamp(timestamp: number): number | undefined {
    const index = firstIndex(this.#length, (at) => this.#maxTimestamps[at]! >= timestamp)
    return index === this.#length ? undefined : this.#positions[index]
  }

  #grow(): void {
    this.#offsets = doubled(this.#offsets)
    this.#positions = doubled(this.#positions)
    this.#maxTimestamps = doubled(this.#maxTimestamps)
  }
}

function doubled(values: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(values.length * 2)
  larger.set(values)
  return larger
}

/** The first index below `length` for which `holds`, which stays true once it is; `length` if there is none. */
export function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
