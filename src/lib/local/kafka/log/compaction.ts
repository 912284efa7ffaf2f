import {createHash} from 'node:crypto'
import {open, rename, rm, utimes} from 'node:fs/promises'
import {dirname} from 'node:path'

import {
  type BatchHeader,
  batchCrc,
  compressionOf,
  HEADER_BYTES,
  LOG_OVERHEAD_BYTES,
  readBatchHeader,
  writeBatchHeader,
} from '../../../records/batch.js'
import {compress} from '../../../records/compression.js'
import {forEachRecord, type RecordBounds} from '../../../records/record.js'
import {syncDirectory, writeFully} from './files.js'
import {scanBatches} from './scan.js'
import {sectionOf} from './section.js'
import type {Segment} from './segment.js'

/** Of one segment; further keys keep all their records. A compressed segment can hold more than a process has memory for. */
const MOST_KEYS = 4_000_000

/** A longer key is known by its hash. */
const MAX_KEY_BYTES = 64

const CLEANED = '.cleaned'

export type CompactionOptions = {
  /** Epoch milliseconds. */
  now: number
  /** How long after its segment was written a tombstone is kept, so that readers see that the key is gone. */
  deleteRetentionMs: number
  /** Asked between batches; true gives up, with whole segments done or not. */
  isStopped(): boolean
  /** An empty segment with the same base offset, over the same path. */
  emptyCopy(segment: Segment): Segment
  /** Called in the tick after `by` took the place of `segment` on disk; undefined when nothing was left of it. */
  replaced(segment: Segment, by: Segment | undefined): void
  /** How many keys are kept in memory at a time; with more, the segments are gone through more than once. */
  maxKeys: number
}

type Compaction = CompactionOptions & {
  /** The offset of the last record of each key. */
  latest: Map<string, number>
  /** Called with the time when a tombstone that stays may go. */
  tombstoneStays(until: number): void
}

/**
 * Keeps the last record of each key in `segments`, which must not be appended to any more. Records keep their offsets and
 * batches theirs, so that gaps appear; producer ids and sequences stay. Records without a key go, as Kafka's log cleaner
 * has it; batches whose records cannot be decoded stay. Segments are replaced one by one, oldest first, so that a value
 * is always gone before the tombstone that deleted it. Returns when the next tombstone may go (epoch milliseconds,
 * Infinity without tombstones), or undefined when it was stopped.
 */
export async function compactSegments(segments: readonly Segment[], options: CompactionOptions): Promise<number | undefined> {
  let cleaned: Segment[] = []
  let rest = [...segments]
  let tombstonesUntil = Number.POSITIVE_INFINITY
  const tombstoneStays = (until: number): void => {
    tombstonesUntil = Math.min(tombstonesUntil, until)
  }
  while (rest.length > 0) {
    const {latest, segmentCount} = await latestOffsets(rest, options)
    const upToThere = [...cleaned, ...rest.slice(0, segmentCount)]
    rest = rest.slice(segmentCount)
    cleaned = []
    for (const segment of upToThere) {
      const result = await cleanSegment(segment, {...options, latest, tombstoneStays})
      if (result === 'stopped') return undefined
      if (result !== 'empty') cleaned.push(result)
    }
  }
  return tombstonesUntil
}

/** Of as many segments as it takes to see `maxKeys` keys, at least one. */
async function latestOffsets(
  segments: readonly Segment[],
  {maxKeys, isStopped}: CompactionOptions,
): Promise<{latest: Map<string, number>; segmentCount: number}> {
  const latest = new Map<string, number>()
  let segmentCount = 0
  for (const segment of segments) {
    if (latest.size >= maxKeys) break
    segmentCount++
    await segment.file.use(async (descriptor) => {
      for await (const batches of scanBatches(descriptor, 0, segment.size, 'batches')) {
        if (isStopped()) return
        for (const {header, bytes} of batches) {
          const section = await sectionOf(header, bytes)
          if (section === undefined) continue
          forEachRecord(section, header, ({keyStart, keyEnd, offset}) => {
            if (keyStart < 0) return
            const key = keyOf(section, keyStart, keyEnd)
            if (latest.size < MOST_KEYS || latest.has(key)) latest.set(key, offset)
          })
        }
      }
    })
  }
  return {latest, segmentCount}
}

/** Longer keys by their hash, which as text is longer than any short key: the two are never taken for one another. */
function keyOf(section: Buffer, start: number, end: number): string {
  if (end - start <= MAX_KEY_BYTES) return section.toString('latin1', start, end)
  return createHash('sha512').update(section.subarray(start, end)).digest('hex')
}

/** The segment that stands for `segment` now: itself when there was nothing to remove. */
async function cleanSegment(segment: Segment, compaction: Compaction): Promise<Segment | 'empty' | 'stopped'> {
  const {path} = segment.file
  // In use until the new segment is known: a reader with the old one's positions must not open the new file.
  return segment.file.use(async (descriptor) => {
    const cleaned = compaction.emptyCopy(segment)
    const output = await open(`${path}${CLEANED}`, 'w', 0o600)
    try {
      for await (const batches of scanBatches(descriptor, 0, segment.size, 'batches')) {
        const kept: Buffer[] = []
        const position = cleaned.size
        for (const {header, bytes} of batches) {
          if (compaction.isStopped()) return 'stopped'
          const batch = await cleanBatch(header, bytes, segment, compaction)
          if (batch === undefined) continue
          kept.push(batch)
          cleaned.add(readBatchHeader(batch))
        }
        await writeFully(output.fd, kept, position)
      }
      if (cleaned.size === segment.size) return segment
      await output.datasync()
      cleaned.syncedSize = cleaned.size
      return await replace(segment, cleaned, compaction)
    } finally {
      await output.close()
      await rm(`${path}${CLEANED}`, {force: true})
    }
  })
}

async function replace(segment: Segment, cleaned: Segment, {replaced}: Compaction): Promise<Segment | 'empty'> {
  const {path} = segment.file
  const written = new Date(segment.modifiedAt)
  await utimes(`${path}${CLEANED}`, written, written)
  if (cleaned.size > 0) await rename(`${path}${CLEANED}`, path)
  else await rm(path)
  replaced(segment, cleaned.size > 0 ? cleaned : undefined)
  await syncDirectory(dirname(path))
  return cleaned.size > 0 ? cleaned : 'empty'
}

/** The batch with the records that stay: the same bytes if all do, undefined if none does. */
async function cleanBatch(
  header: BatchHeader,
  batch: Buffer,
  segment: Segment,
  compaction: Compaction,
): Promise<Buffer | undefined> {
  const section = await sectionOf(header, batch)
  if (section === undefined) return batch
  const kept = Buffer.allocUnsafe(section.length)
  let size = 0
  let recordCount = 0
  let start = 0
  let maxTimestamp = -1
  forEachRecord(section, header, (record) => {
    if (stays(record, section, segment, compaction)) {
      size += section.copy(kept, size, start, record.end)
      recordCount++
      maxTimestamp = Math.max(maxTimestamp, record.timestamp)
    }
    start = record.end
  })
  if (recordCount === header.recordCount) return batch
  return recordCount === 0 ? undefined : rebuild({...header, recordCount, maxTimestamp}, kept.subarray(0, size))
}

function stays(record: RecordBounds, section: Buffer, segment: Segment, compaction: Compaction): boolean {
  const {keyStart, keyEnd, valueStart, offset} = record
  if (keyStart < 0) return false
  const latest = compaction.latest.get(keyOf(section, keyStart, keyEnd))
  if (latest !== undefined && latest > offset) return false
  if (valueStart >= 0) return true
  const until = segment.modifiedAt + compaction.deleteRetentionMs
  if (until <= compaction.now) return false
  compaction.tombstoneStays(until)
  return true
}

/** Records count their offsets and timestamps from the header, so they can be taken over as they are. */
async function rebuild(header: BatchHeader, section: Buffer): Promise<Buffer> {
  const records = await compress(compressionOf(header), section)
  const batch = Buffer.concat([Buffer.alloc(HEADER_BYTES), records])
  const batchLength = batch.length - LOG_OVERHEAD_BYTES
  writeBatchHeader(batch, {...header, batchLength})
  writeBatchHeader(batch, {...header, batchLength, crc: batchCrc(batch, 0, batch.length)})
  return batch
}
