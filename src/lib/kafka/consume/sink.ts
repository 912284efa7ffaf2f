import {ByteWriter} from '../../records/byte-writer.js'
import {forEachRecord} from '../../records/record.js'
import type {FetchedBatch} from './fetch-loop.js'
import type {RecordFilter} from './filter.js'
import type {RecordFormat} from './format.js'
import type {Output} from './output.js'

/** So much goes out at once; less only at the end of an answer. */
const FULL_BYTES = 1024 * 1024

export type SinkOptions = {
  format: RecordFormat
  filter: RecordFilter | null
  /** Records to be written at most. */
  limit: number
  output: Output
}

/** Where fetched batches become output. */
export type Sink = {
  /** Writes what is wanted of a batch, sooner or later. Resolves to whether more is wanted. Throws as `forEachRecord` and the output do. */
  take(batch: FetchedBatch): Promise<boolean>
  /** Sends off what was taken, without waiting for it. */
  push(): Promise<void>
  /** Resolves when all that was taken is written. */
  flush(): Promise<void>
  /** Whether the limit is reached. */
  isFull(): boolean
  counts(): {scanned: number; written: number}
  /**
   * How far each partition is done for good: everything before that offset is written, or was not wanted. Those that have moved since
   * the last call.
   */
  progress(): Map<number, number>
}

/** From this size on, what was compacted is written from where it is; below, it is collected in the buffer. */
const LARGE_BYTES = 128 * 1024

/** What waits in a buffer, or is on its way. `large` follows after the buffer. */
type Load = {readonly buffer: ByteWriter; readonly positions: Map<number, number>; records: number; large: Buffer | null}

const load = (): Load => ({buffer: new ByteWriter(), positions: new Map(), records: 0, large: null})

/** Two buffers take turns: one is filled while the other is written. Neither is ever written with a part of a record at its end. */
export function createSink({format, filter, limit, output}: SinkOptions): Sink {
  let [filling, spare] = [load(), load()]
  let writing: Promise<void> = Promise.resolve()
  let done = new Map<number, number>()
  let [scanned, written, left] = [0, 0, limit]
  if (format.head !== undefined && output.isEmpty) filling.buffer.text(format.head)

  // Who stops reading may flush while a batch is still being pushed: one after the other, or one buffer is filled and written at once.
  let pushing: Promise<void> = Promise.resolve()
  const push = (): Promise<void> => {
    pushing = pushing.then(swap)
    pushing.catch(() => {})
    return pushing
  }
  const swap = async (): Promise<void> => {
    await writing
    if (filling.positions.size === 0 && filling.buffer.at === 0) return
    const sent = filling
    filling = spare
    spare = sent
    writing = send(sent)
    // Its failure is met where it is awaited next.
    writing.catch(() => {})
  }
  const send = async (sent: Load): Promise<void> => {
    // In one: what fails in part is written in no part, and is no progress.
    const parts = [sent.buffer.written(), ...(sent.large ? [sent.large] : [])].filter(({length}) => length > 0)
    if (parts.length > 0) await output.write(...parts)
    written += sent.records
    for (const [partition, offset] of sent.positions) done.set(partition, offset)
    sent.positions.clear()
    sent.records = 0
    sent.large = null
    sent.buffer.clear()
  }

  const add = ({section, header, partition, first, end, nextOffset}: FetchedBatch): void => {
    let position = Math.min(nextOffset, end)
    if (section) {
      const {buffer} = filling
      let compacted = 0
      forEachRecord(section, header, (bounds) => {
        const {offset} = bounds
        if (offset < first || offset >= end || left === 0) return
        scanned++
        if (filter && !filter(section, bounds, partition)) return
        if (format.compact) compacted = format.compact(section, compacted, bounds)
        else format.write(buffer, section, bounds, partition)
        filling.records++
        left--
        if (left === 0) position = offset + 1
      })
      if (compacted < LARGE_BYTES) buffer.part(section, 0, compacted)
      else filling.large = section.subarray(0, compacted)
    }
    filling.positions.set(partition, Math.max(position, first))
  }

  return {
    async take(batch) {
      const before = {at: filling.buffer.at, records: filling.records, left, scanned}
      try {
        add(batch)
      } catch (error) {
        // A batch that does not hold together is not written in part: nobody could go on behind its first records.
        filling.buffer.at = before.at
        filling.records = before.records
        left = before.left
        scanned = before.scanned
        throw error
      }
      if (filling.large || filling.buffer.at >= FULL_BYTES) await push()
      return left > 0
    },
    push,
    async flush() {
      await push()
      await writing
    },
    isFull: () => left === 0,
    counts: () => ({scanned, written}),
    progress() {
      const moved = done
      done = new Map()
      return moved
    },
  }
}
