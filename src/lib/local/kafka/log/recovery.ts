import {mkdir, readdir, stat, unlink} from 'node:fs/promises'
import {join} from 'node:path'

import {type BatchHeader, crcMatches} from '../../../records/batch.js'
import type {Checkpoint} from './checkpoint.js'
import type {FilePool} from './file-pool.js'
import type {ProducerStates} from './producer-states.js'
import {scanBatches} from './scan.js'
import {baseOffsetOf, Segment, segmentName} from './segment.js'

/** What a crash may leave behind between writing a file and renaming it. */
const UNFINISHED = /\.(tmp|cleaned)$/

export type Recovered = {
  /** By base offset; none when the log is empty. */
  segments: Segment[]
  /** How much was cut off because it was torn, damaged, or behind such a place. */
  truncatedBytes: number
}

/**
 * Reads what is in a log's directory, which is made if it is missing. Everything from the first bad batch on is cut off:
 * one with impossible lengths, a wrong checksum, or an offset below one before it. What the checkpoint vouches for is
 * walked by its headers, the rest is checked byte by byte. `producers` learns of every batch that the checkpoint does not
 * cover. Throws only what the file system throws.
 */
export async function recoverSegments(
  dir: string,
  {logStartOffset, verified, endOffset}: Checkpoint,
  {pool, producers, now}: {pool: FilePool; producers: ProducerStates; now: number},
): Promise<Recovered> {
  const trusted = new Map(verified)
  const segments: Segment[] = []
  let truncatedBytes = 0
  for (const base of await segmentsOnDisk(dir, logStartOffset)) {
    const {size, mtimeMs} = await stat(join(dir, segmentName(base)))
    const segment = new Segment(dir, base, pool, {modifiedAt: mtimeMs})
    const follows = truncatedBytes === 0 && base >= nextOffsetOf(segments)
    if (follows)
      await loadSegment(segment, size, trusted.get(base) ?? 0, (header) => {
        if (header.baseOffset >= endOffset) producers.replay(header, now)
      })
    truncatedBytes += size - segment.size
    if (follows) segments.push(segment)
    else await unlink(segment.file.path)
  }
  if (nextOffsetOf(segments) < logStartOffset) await Promise.all(segments.splice(0).map(({file}) => unlink(file.path)))
  const end = Math.max(nextOffsetOf(segments), logStartOffset)
  if (end < endOffset) producers.forgetFrom(end)
  return {segments, truncatedBytes}
}

const nextOffsetOf = (segments: readonly Segment[]): number => segments.at(-1)?.nextOffset ?? 0

/** The base offsets of the segment files, ascending. What an interrupted deletion or rewriting left is removed. */
async function segmentsOnDisk(dir: string, logStartOffset: number): Promise<number[]> {
  await mkdir(dir, {recursive: true, mode: 0o700})
  const names = await readdir(dir)
  for (const name of names.filter((each) => UNFINISHED.test(each))) await unlink(join(dir, name))
  const bases = names.map(baseOffsetOf).filter((base) => base !== undefined)
  bases.sort((a, b) => a - b)
  const first = bases.findLastIndex((base) => base <= logStartOffset)
  const below = bases.splice(0, Math.max(0, first))
  for (const base of below) await unlink(join(dir, segmentName(base)))
  return bases
}

/** Adds the good batches of a segment file to `segment` and cuts off the rest. */
async function loadSegment(
  segment: Segment,
  fileSize: number,
  trusted: number,
  each: (header: BatchHeader) => void,
): Promise<void> {
  const walk = async (descriptor: number, to: number, part: 'headers' | 'batches'): Promise<void> => {
    for await (const batches of scanBatches(descriptor, segment.size, to, part)) {
      for (const {header, bytes} of batches) {
        if (header.baseOffset < segment.nextOffset) return
        if (part === 'batches' && !crcMatches(bytes, 0, header)) return
        segment.add(header)
        each(header)
      }
    }
  }
  await segment.file.use(async (descriptor) => {
    if (trusted <= fileSize) await walk(descriptor, trusted, 'headers')
    segment.syncedSize = segment.size
    await walk(descriptor, fileSize, 'batches')
  })
  if (segment.size < fileSize) await segment.truncate()
}
