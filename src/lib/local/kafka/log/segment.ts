import {ftruncate as ftruncateCallback} from 'node:fs'
import {dirname, join} from 'node:path'
import {promisify} from 'node:util'

import {type BatchHeader, HEADER_BYTES, LOG_OVERHEAD_BYTES, readBatchHeader} from '../../../records/batch.js'
import {forEachRecord} from '../../../records/record.js'
import {type FilePool, PooledFile} from './file-pool.js'
import {datasync, readFully, syncDirectory, type Write, writeFully} from './files.js'
import {INDEX_INTERVAL_BYTES, OffsetIndex} from './offset-index.js'
import {scanBatches} from './scan.js'
import {sectionOf} from './section.js'

const truncate = promisify(ftruncateCallback)

/** What the segment keeps of a batch's header. */
export type BatchExtent = Pick<BatchHeader, 'baseOffset' | 'lastOffsetDelta' | 'maxTimestamp' | 'sizeInBytes'>

export type OffsetAndTimestamp = {offset: number; timestamp: number}

type Allocate = (bytes: number) => Buffer

const SUFFIX = '.log'

/** The segment file's name: the offset that it begins with, in 20 digits, as Kafka names them. */
export const segmentName = (baseOffset: number): string => `${String(baseOffset).padStart(20, '0')}${SUFFIX}`

/** The base offset in a segment file's name; undefined for other files. */
export function baseOffsetOf(name: string): number | undefined {
  return /^\d{20}\.log$/.test(name) ? Number(name.slice(0, -SUFFIX.length)) : undefined
}

/** A file of whole record batches with ascending offsets, and what is known of them without reading it. */
export class Segment {
  readonly baseOffset: number
  readonly file: PooledFile
  readonly #index = new OffsetIndex()
  #size = 0
  #nextOffset: number
  #maxTimestamp = -1
  /** Bytes of a failed write may lie behind `size`. */
  #torn = false
  /** How much is known to have reached the disk itself. */
  syncedSize = 0
  /** When it was last appended to, in epoch milliseconds. */
  modifiedAt: number

  constructor(dir: string, baseOffset: number, pool: FilePool, {create = false, modifiedAt = 0} = {}) {
    this.baseOffset = baseOffset
    this.file = new PooledFile(join(dir, segmentName(baseOffset)), pool, {create})
    this.#nextOffset = baseOffset
    this.modifiedAt = modifiedAt
  }

  /** An empty one, with its file: making a file is a hundred times slower than opening it, and would come out of the first append. */
  static async create(dir: string, baseOffset: number, pool: FilePool): Promise<Segment> {
    const segment = new Segment(dir, baseOffset, pool, {create: true})
    await segment.file.use(async () => {})
    return segment
  }

  /** In bytes, of the batches that are surely in the file. */
  get size(): number {
    return this.#size
  }

  /** One above the last offset of its last batch; its base offset while it is empty. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** In epoch milliseconds, as the batch headers tell; -1 while it is empty. */
  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  /** Takes note of a batch that lies at the end of the file. */
  add({baseOffset, lastOffsetDelta, maxTimestamp, sizeInBytes}: BatchExtent): void {
    this.#index.add(baseOffset, this.#size, maxTimestamp)
    this.#size += sizeInBytes
    this.#nextOffset = baseOffset + lastOffsetDelta + 1
    this.#maxTimestamp = Math.max(this.#maxTimestamp, maxTimestamp)
  }

  /** Writes batches behind the last one and adds them; all or none. */
  async write(
    batches: readonly (BatchExtent & {batch: Buffer})[],
    {sync, writeSome}: {sync: boolean; writeSome: Write},
  ): Promise<void> {
    await this.file.use(async (descriptor) => {
      if (this.#torn) await this.#cut(descriptor)
      try {
        await writeFully(
          descriptor,
          batches.map(({batch}) => batch),
          this.#size,
          writeSome,
        )
        if (sync) await datasync(descriptor)
        if (sync && this.#size === 0) await syncDirectory(dirname(this.file.path))
      } catch (error) {
        this.#torn = true
        await this.#cut(descriptor).catch(() => {}) // before the next write then, which fails if that fails
        throw error
      }
    })
    for (const batch of batches) this.add(batch)
    if (sync) this.syncedSize = this.#size
  }

  async #cut(descriptor: number): Promise<void> {
    await truncate(descriptor, this.#size)
    this.#torn = false
  }

  /** Cuts off what lies behind the last batch that was added. */
  truncate(): Promise<void> {
    return this.file.use((descriptor) => this.#cut(descriptor))
  }

  /** Resolves when everything that was added before the call is on the disk. */
  async sync(reachDisk = datasync): Promise<void> {
    const size = this.#size
    if (size > this.syncedSize) await this.file.use(reachDisk)
    this.syncedSize = Math.max(size, this.syncedSize)
  }

  /** In bytes, from the batch that holds `offset`, or from one a little before it. */
  bytesFrom(offset: number): number {
    return this.#size - this.#index.positionBefore(offset)
  }

  /** Whole batches from the one that holds `offset`, or follows it: see PartitionLog.read. */
  read(offset: number, maxBytes: number, atLeastOneBatch: boolean, allocate: Allocate = Buffer.allocUnsafe): Promise<Buffer> {
    const size = this.#size
    const chunk = Math.max(0, maxBytes) + INDEX_INTERVAL_BYTES + HEADER_BYTES // the index is that coarse
    return this.file.use(async (descriptor) => {
      let position = this.#index.positionBefore(offset)
      let bytes = await readRange(descriptor, position, Math.min(chunk, size - position), allocate)
      let start = startOfBatchWith(bytes, offset)
      while (bytes.length > 0 && start + HEADER_BYTES > bytes.length) {
        position += start // behind a large batch, where compaction left a gap
        bytes = await readRange(descriptor, position, Math.min(chunk, size - position), allocate)
        start = startOfBatchWith(bytes, offset)
      }
      bytes = bytes.subarray(start)
      const end = endOfWholeBatches(bytes, maxBytes)
      if (end > 0 || bytes.length === 0 || !atLeastOneBatch) return bytes.subarray(0, end)
      const {sizeInBytes} = readBatchHeader(bytes)
      return sizeInBytes <= bytes.length
        ? bytes.subarray(0, sizeInBytes)
        : readRange(descriptor, position + start, sizeInBytes, allocate)
    })
  }

  /** The largest timestamp of the batches that reach `minOffset` or lie above it; -1 when there is none. */
  async maxTimestampFrom(minOffset: number): Promise<number> {
    if (minOffset <= this.baseOffset) return this.#maxTimestamp
    return this.file.use(async (descriptor) => {
      let largest = -1
      for await (const batches of scanBatches(descriptor, this.#index.positionBefore(minOffset), this.#size, 'headers')) {
        for (const {header} of batches) {
          if (header.baseOffset + header.lastOffsetDelta >= minOffset) largest = Math.max(largest, header.maxTimestamp)
        }
      }
      return largest
    })
  }

  /** The first record at or above `minOffset` with a timestamp of at least `timestamp` (epoch milliseconds). */
  async firstRecordSince(timestamp: number, minOffset: number): Promise<OffsetAndTimestamp | undefined> {
    const from = this.#index.positionOfTimestamp(timestamp)
    if (from === undefined) return undefined
    return this.file.use(async (descriptor) => {
      for await (const batches of scanBatches(descriptor, from, this.#size, 'headers')) {
        for (const {header, position} of batches) {
          const mayHold = header.maxTimestamp >= timestamp && header.baseOffset + header.lastOffsetDelta >= minOffset
          if (!mayHold) continue
          const found = await firstInBatch(
            await readRange(descriptor, position, header.sizeInBytes),
            header,
            timestamp,
            minOffset,
          )
          if (found) return found
        }
      }
      return undefined
    })
  }
}

let syncs: Promise<void> = Promise.resolve()

/**
 * Brings a full segment to the disk in the background, as Kafka does; closing its log tries again. One after the other in the whole
 * process: each waits for the disk in one of Node's four threads, which appends need too, and partitions that are written in turn are
 * full together.
 */
export function syncInTurn(full: Segment, reachDisk = datasync): void {
  syncs = syncs.then(() => full.sync(reachDisk)).catch(() => {})
}

/**
 * The first record of a batch that is meant. One whose records cannot be decoded counts as a record: whoever wrote it must
 * not end every look-up by time.
 */
async function firstInBatch(batch: Buffer, header: BatchHeader, timestamp: number, minOffset: number) {
  const section = await sectionOf(header, batch)
  if (!section) return {offset: Math.max(header.baseOffset, minOffset), timestamp: header.maxTimestamp}
  let first: OffsetAndTimestamp | undefined
  forEachRecord(section, header, (record) => {
    if (record.timestamp >= timestamp && record.offset >= minOffset)
      first ??= {offset: record.offset, timestamp: record.timestamp}
  })
  return first
}

async function readRange(
  descriptor: number,
  position: number,
  length: number,
  allocate: Allocate = Buffer.allocUnsafe,
): Promise<Buffer> {
  const bytes = allocate(Math.max(0, length))
  return bytes.subarray(0, await readFully(descriptor, bytes, position))
}

/** Where in `bytes` the first batch begins that reaches `offset`; at or behind the end when its header is not there. */
function startOfBatchWith(bytes: Buffer, offset: number): number {
  let at = 0
  while (at + HEADER_BYTES <= bytes.length) {
    const {baseOffset, lastOffsetDelta, sizeInBytes} = readBatchHeader(bytes, at)
    if (baseOffset + lastOffsetDelta >= offset) return at
    at += sizeInBytes
  }
  return at
}

function endOfWholeBatches(bytes: Buffer, maxBytes: number): number {
  const limit = Math.min(bytes.length, maxBytes)
  let end = 0
  while (end + HEADER_BYTES <= limit) {
    const next = end + batchSize(bytes, end)
    if (next > limit) break
    end = next
  }
  return end
}

const batchSize = (bytes: Buffer, at: number): number => bytes.readInt32BE(at + 8) + LOG_OVERHEAD_BYTES
