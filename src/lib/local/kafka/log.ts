import {rm} from 'node:fs/promises'
import {join} from 'node:path'

import {type BatchHeader, batchCrc} from '../../records/batch.js'
import {ERROR} from './api/error-codes.js'
import {readCheckpoint, writeCheckpoint} from './log/checkpoint.js'
import {compactSegments} from './log/compaction.js'
import {FileGone} from './log/file-pool.js'
import {GroupCommit} from './log/group-commit.js'
import {firstIndex} from './log/offset-index.js'
import {DEFAULTS, type LogOptions, type ReadOptions} from './log/options.js'
import {type ProducedBatch, type Producer, ProducerStates} from './log/producer-states.js'
import {recoverSegments} from './log/recovery.js'
import {type BatchExtent, type OffsetAndTimestamp, Segment, syncInTurn} from './log/segment.js'

export type AppendResult = {
  baseOffset: number
  /** Epoch milliseconds; -1 on CreateTime. */
  logAppendTimeMs: number
  /** Whether the log had the batch already, and `baseOffset` tells where. */
  duplicate: boolean
}

/** Why a batch is not in the log, as Kafka's error code. */
export class AppendError extends Error {
  override readonly name = 'AppendError'
  readonly errorCode: number

  constructor(errorCode: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.errorCode = errorCode
  }
}

type Opened = {segments: Segment[]; producers: ProducerStates; logStartOffset: number; truncatedBytes: number}

type Append = BatchExtent & {batch: Buffer; producerId: number; producer: Producer | undefined}

const CHECKPOINT = 'checkpoint'

/** POSIX lets `writev` refuse more than 1,024 buffers. */
const BATCHES_PER_WRITE = 1_000

const LOG_APPEND_TIME = 0x08

/**
 * The log of one partition: record batches in segment files, in the order of their offsets. Batches stay as the producer
 * made them but for the base offset and leader epoch, which lie outside the checksum, and the timestamp on LogAppendTime
 * topics.
 */
export class PartitionLog {
  readonly leaderEpoch: number
  /** What opening had to cut off. */
  readonly recovered: {truncatedBytes: number}
  readonly #dir: string
  readonly #options: Required<LogOptions>
  readonly #producers: ProducerStates
  readonly #commits: GroupCommit<Append>
  readonly #listeners = new Set<() => void>()
  /** By base offset, never empty; the last one is appended to. */
  #segments: Segment[]
  #logStartOffset: number
  /** The next offset to assign: above the high watermark while writes are in flight. */
  #nextOffset: number
  #highWatermark: number
  /** Retention, deletion and compaction, one after the other. */
  #maintenance: Promise<unknown> = Promise.resolve()
  /** What the last compaction left to do: segments from an offset on, and tombstones from a time on. */
  #compacted = {upTo: 0, tombstonesUntil: 0}
  /** Whether the checkpoint on disk misses something. */
  #changed: boolean
  #ended: 'closed' | 'deleted' | undefined

  private constructor(dir: string, options: Required<LogOptions>, state: Opened) {
    this.#dir = dir
    this.#options = options
    this.leaderEpoch = options.leaderEpoch
    this.recovered = {truncatedBytes: state.truncatedBytes}
    this.#producers = state.producers
    this.#segments = state.segments
    this.#logStartOffset = state.logStartOffset
    this.#nextOffset = this.#highWatermark = this.#active.nextOffset
    this.#changed = state.truncatedBytes > 0 || this.#segments.some(({size, syncedSize}) => size > syncedSize)
    this.#commits = new GroupCommit({
      write: (appends) => this.#write(appends),
      groupSize: (queue) => this.#groupSize(queue),
      failed: () => this.#rollBack(),
    })
  }

  /**
   * Opens the log in `dir`, which is made (mode 0700) if it is missing, after cutting off what a crash left unfinished.
   * Rejects only when the file system refuses.
   */
  static async open(dir: string, options: LogOptions = {}): Promise<PartitionLog> {
    const settings = {...DEFAULTS, ...options}
    const producers = new ProducerStates()
    const checkpoint = await readCheckpoint(join(dir, CHECKPOINT))
    producers.restore(checkpoint.producers)
    const {logStartOffset} = checkpoint
    const {segments, truncatedBytes} = await recoverSegments(dir, checkpoint, {
      pool: settings.files,
      producers,
      now: settings.now(),
    })
    if (segments.length === 0) segments.push(await Segment.create(dir, logStartOffset, settings.files))
    const log = new PartitionLog(dir, settings, {segments, producers, logStartOffset, truncatedBytes})

    if (truncatedBytes > 0) await log.#saveCheckpoint() // the old one may vouch for bytes that are written anew
    return log
  }

  /** The first offset that can be read. */
  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** One above the last offset that can be read: the next offset whose write has resolved. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  get sizeInBytes(): number {
    return this.#segments.reduce((sum, {size}) => sum + size, 0)
  }

  get #active(): Segment {
    return this.#segments.at(-1)!
  }

  /**
   * Appends a batch, which must be valid (size, magic, checksum, record count) and which belongs to the log from now on:
   * its base offset, leader epoch and, with `logAppendTimeMs`, its timestamp are set in place. Offsets follow the order of
   * the calls. Resolves when the batch is written and, with `fsync`, on the disk. Rejects with AppendError: epoch or
   * sequence of its producer refused (47, 45), log closed or deleted (6, 3), or not written (56), after which the log
   * is as if neither this batch nor those that waited behind it had been sent.
   */
  async append(batch: Buffer, header: BatchHeader, {logAppendTimeMs}: {logAppendTimeMs?: number} = {}): Promise<AppendResult> {
    if (this.#ended) throw this.#refusal()
    const known = this.#knownBatch(header)
    if (known) {
      await this.#commits.pending(({baseOffset}) => baseOffset === known.baseOffset)
      const time = logAppendTimeMs === undefined ? -1 : known.timestamp
      return {baseOffset: known.baseOffset, logAppendTimeMs: time, duplicate: true}
    }
    const baseOffset = this.#nextOffset
    stamp(batch, baseOffset, this.leaderEpoch, logAppendTimeMs)
    this.#nextOffset += header.lastOffsetDelta + 1
    const stamped = {...header, baseOffset, maxTimestamp: logAppendTimeMs ?? header.maxTimestamp}
    const producer = header.producerId < 0 ? undefined : this.#producers.queue(stamped, this.#options.now())
    await this.#commits.add({...stamped, batch, producer})
    return {baseOffset, logAppendTimeMs: logAppendTimeMs ?? -1, duplicate: false}
  }

  /** Where the log has the batch of an idempotent producer already. */
  #knownBatch(header: BatchHeader): ProducedBatch | undefined {
    if (header.producerId < 0) return undefined
    const verdict = this.#producers.check(header)
    if (verdict.is === 'refused') throw new AppendError(verdict.errorCode, verdict.message)
    return verdict.is === 'duplicate' ? verdict.of : undefined
  }

  #refusal(): AppendError {
    const errorCode = this.#ended === 'deleted' ? ERROR.unknownTopicOrPartition : ERROR.notLeaderOrFollower
    return new AppendError(errorCode, `the partition is ${this.#ended}`)
  }

  #groupSize(queue: readonly {item: Append}[]): number {
    let room = this.#options.segmentBytes - (this.#mustRollFor(queue[0]!.item) ? 0 : this.#active.size)
    const end = queue.slice(0, BATCHES_PER_WRITE).findIndex(({item}, index) => {
      room -= item.sizeInBytes
      return room < 0 && index > 0
    })
    return end === -1 ? Math.min(queue.length, BATCHES_PER_WRITE) : end
  }

  #mustRollFor({sizeInBytes}: Append): boolean {
    return this.#active.size > 0 && this.#active.size + sizeInBytes > this.#options.segmentBytes
  }

  async #write(appends: readonly Append[]): Promise<void> {
    const {fsync, now, write: writeSome} = this.#options
    if (this.#mustRollFor(appends[0]!)) this.#roll(appends[0]!.baseOffset)
    try {
      await this.#active.write(appends, {sync: fsync, writeSome})
    } catch (error) {
      const {message} = error as Error
      throw new AppendError(ERROR.kafkaStorageError, `cannot write the batch: ${message}`, {cause: error})
    }
    for (const {producerId, producer} of appends) if (producer) this.#producers.written(producerId, producer)
    this.#active.modifiedAt = now()
    this.#highWatermark = this.#active.nextOffset
    this.#changed = true
    this.#notify()
  }

  #rollBack(): void {
    this.#nextOffset = this.#highWatermark
    this.#producers.forgetQueued()
  }

  #roll(baseOffset: number): void {
    const full = this.#active
    this.#segments.push(new Segment(this.#dir, baseOffset, this.#options.files, {create: true}))
    syncInTurn(full, this.#options.datasync)
  }

  /**
   * Whole batches from the one that holds `offset`, or follows it where compaction left a gap, together at most
   * `maxBytes`; with `atLeastOneBatch` the first one comes even if it is larger. Ends at the high watermark and at the end
   * of a segment. Empty at the end of the log and when the log was deleted meanwhile. Check the offset against
   * `logStartOffset` and `highWatermark` before.
   */
  async read(offset: number, maxBytes: number, {atLeastOneBatch, allocate}: ReadOptions): Promise<Buffer> {
    const bytes = await this.#segmentWith(offset)?.read(offset, maxBytes, atLeastOneBatch, allocate).catch(ifGone)
    return bytes ?? Buffer.alloc(0)
  }

  /** At least what `read` would return now without a maximum, and little more: nothing is read for it. */
  readableBytes(offset: number): number {
    return this.#segmentWith(offset)?.bytesFrom(offset) ?? 0
  }

  /** The one that holds `offset`, or the first behind it. */
  #segmentWith(offset: number): Segment | undefined {
    return this.#segments[firstIndex(this.#segments.length, (at) => this.#segments[at]!.nextOffset > offset)]
  }

  /** The first record with a timestamp of at least `timestamp` (epoch milliseconds), or null. */
  async offsetForTimestamp(timestamp: number): Promise<OffsetAndTimestamp | null> {
    for (const segment of [...this.#segments]) {
      const found = await segment.firstRecordSince(timestamp, this.#logStartOffset).catch(ifGone)
      if (found) return found
    }
    return null
  }

  /** The first record with the largest timestamp (KIP-734), or null in an empty log. */
  async maxTimestamp(): Promise<OffsetAndTimestamp | null> {
    const all = await Promise.all(this.#segments.map((segment) => segment.maxTimestampFrom(this.#logStartOffset).catch(ifGone)))
    const largest = Math.max(...all.map((timestamp) => timestamp ?? -1))
    return largest < 0 ? null : this.offsetForTimestamp(largest)
  }

  /**
   * Makes `offset` the first that can be read, and deletes the segments that lie below it as a whole. Returns the new log
   * start, which is the old one when that is higher. Throws RangeError above the high watermark.
   */
  deleteRecordsBefore(offset: number): Promise<number> {
    return this.#exclusively(async () => {
      if (offset > this.#highWatermark)
        throw new RangeError(`offset ${offset} is above the high watermark ${this.#highWatermark}`)
      await this.#deleteBelow(offset)
      return this.#logStartOffset
    })
  }

  /**
   * Deletes segments, oldest first, whose last record is older than `retentionMs` at `now` (epoch milliseconds), or
   * without which the log still has `retentionBytes`. -1 is no limit. A segment that is appended to is closed first if it
   * goes too.
   */
  applyRetention(now: number, {retentionMs, retentionBytes}: {retentionMs: number; retentionBytes: number}): Promise<void> {
    return this.#exclusively(async () => {
      await this.#deleteBelow(await this.#commits.between(() => this.#startAfterRetention(now, retentionMs, retentionBytes)))
    })
  }

  #startAfterRetention(now: number, retentionMs: number, retentionBytes: number): number {
    let excess = retentionBytes < 0 ? -1 : this.sizeInBytes - retentionBytes
    const kept = this.#segments.find(({size, maxTimestamp, modifiedAt}) => {
      excess -= size
      const age = now - (maxTimestamp < 0 ? modifiedAt : maxTimestamp)
      return size === 0 || !(excess >= 0 || (retentionMs >= 0 && age > retentionMs))
    })
    if (kept === undefined) this.#roll(this.#highWatermark)
    return (kept ?? this.#active).baseOffset
  }

  /** The new log start is on disk before anything goes, so that a crash in between deletes the rest at the next start. */
  async #deleteBelow(offset: number): Promise<void> {
    const start = Math.max(offset, this.#logStartOffset)
    const doomed = this.#segments.slice(
      0,
      Math.max(
        0,
        this.#segments.findLastIndex(({baseOffset}) => baseOffset <= start),
      ),
    )
    if (doomed.length === 0 && start === this.#logStartOffset) return
    this.#logStartOffset = start
    this.#changed = true
    await this.#saveCheckpoint()
    this.#segments.splice(0, doomed.length)
    for (const {file} of doomed) {
      file.retire()
      await rm(file.path, {force: true})
    }
  }

  /**
   * Keeps only the last record of each key, and of tombstones those of the last day (`deleteRetentionMs`), in the segments
   * that are not appended to any more. Offsets stay as they are. Ends early, with a part done, when the log is closed.
   */
  compact(): Promise<void> {
    return this.#exclusively(async () => {
      const {files: pool, deleteRetentionMs, compactionKeys: maxKeys, now} = this.#options
      const upTo = this.#active.baseOffset
      if (upTo === this.#compacted.upTo && now() < this.#compacted.tombstonesUntil) return
      await this.#saveCheckpoint() // with the producers, whose last batches may go
      const tombstonesUntil = await compactSegments(this.#segments.slice(0, -1), {
        now: now(),
        deleteRetentionMs,
        maxKeys,
        isStopped: () => this.#ended !== undefined,
        emptyCopy: ({baseOffset, modifiedAt}) => new Segment(this.#dir, baseOffset, pool, {modifiedAt}),
        replaced: (segment, by) => this.#replaced(segment, by),
      })
      if (tombstonesUntil !== undefined) this.#compacted = {upTo, tombstonesUntil}
    })
  }

  #replaced(segment: Segment, by: Segment | undefined): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1, ...(by ? [by] : []))
    segment.file.retire()
    this.#changed = true
  }

  /** Calls `listener` after every write, and when the log is closed or deleted. Returns what ends that. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  /** Resolves when everything is on the disk, with the checkpoint that makes the next start quick. */
  async close(): Promise<void> {
    if (this.#ended) return
    await this.#end('closed')
    try {
      for (const segment of this.#segments) await segment.sync()
      await this.#saveCheckpoint()
    } finally {
      for (const {file} of this.#segments) file.retire()
      this.#notify()
    }
  }

  /** Removes the log's directory. */
  async delete(): Promise<void> {
    await this.#end('deleted')
    for (const {file} of this.#segments) file.retire()
    this.#notify()
    await rm(this.#dir, {recursive: true, force: true})
  }

  async #end(how: 'closed' | 'deleted'): Promise<void> {
    this.#ended = how
    await this.#maintenance
    await this.#commits.drained()
  }

  async #saveCheckpoint(): Promise<void> {
    if (!this.#changed) return
    await writeCheckpoint(join(this.#dir, CHECKPOINT), {
      logStartOffset: this.#logStartOffset,
      endOffset: this.#highWatermark,
      verified: this.#segments.map(({baseOffset, syncedSize}) => [baseOffset, syncedSize]),
      producers: this.#producers.snapshot(),
    })
    this.#changed = false
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#maintenance.then(() => {
      if (this.#ended) throw this.#refusal()
      return task()
    })
    this.#maintenance = result.catch(() => {})
    return result
  }
}

function stamp(batch: Buffer, baseOffset: number, leaderEpoch: number, logAppendTimeMs: number | undefined): void {
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  batch.writeInt32BE(leaderEpoch, 12)
  if (logAppendTimeMs === undefined) return
  batch.writeInt16BE(batch.readInt16BE(21) | LOG_APPEND_TIME, 21)
  batch.writeBigInt64BE(BigInt(logAppendTimeMs), 35)
  batch.writeUInt32BE(batchCrc(batch, 0, batch.length), 17)
}

/** A segment that was deleted before it could be opened has nothing to tell. */
function ifGone(error: unknown): undefined {
  if (!(error instanceof FileGone)) throw error
}
