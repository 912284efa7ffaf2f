import {setTimeout as delay} from 'node:timers/promises'

import {type BatchHeader, HEADER_BYTES, readBatchHeader} from '../../records/batch.js'
import type {Broker} from '../broker.js'
import {BrokerError, check} from '../broker-error.js'
import {inTime} from '../client.js'
import {type Cluster, leaderOf} from '../cluster.js'
import {fetch} from '../requests/fetch.js'
import {EARLIEST, LATEST, listOffsets, logEnd} from '../requests/list-offsets.js'
import {cutBelow, EvidenceGoneError} from './lane.js'

/** A request that is still on its way when its connection is gone arrives within this time or not at all. */
const SETTLE_MS = 500

const RETRY_MS = 300

const OFFSET_OUT_OF_RANGE = 1

/** No request takes more of the time that is left to all of them: an answer that got lost is asked for again. */
const REQUEST_MS = 5_000

export type ReadBackOptions = {
  topic: string
  partition: number
  /** First offset to look at. */
  from: number
  /** Epoch ms. */
  deadline: number
  /** How long one request may take, at most 5 s. */
  requestTimeoutMs?: number
}

/**
 * The offset of the batch that `matches`, or null when it is not in the log. Throws when the log cannot tell: it cannot be
 * reached, or still keeps back its last records, until `deadline` (epoch ms), or it may not be read; EvidenceGoneError when the batch
 * is not found and retention or compaction has taken where it may have been, and when the log is shorter than it was.
 */
export async function readBack(
  cluster: Cluster,
  options: ReadBackOptions,
  matches: (header: BatchHeader) => boolean,
): Promise<number | null> {
  const first = await search(cluster, options, matches)
  if (first.found !== null) return first.found

  await delay(SETTLE_MS)
  return (await search(cluster, {...options, from: first.end}, matches)).found
}

/**
 * A look at everything that the leader has written by now. It shows a batch only once all replicas in sync have it, and one whose
 * acknowledgement came too late may be waiting for just that.
 */
async function search(cluster: Cluster, options: ReadBackOptions, matches: (header: BatchHeader) => boolean): Promise<Scanned> {
  const {topic, partition} = options
  let written: {leader: Broker['nodeId']; end: number} | null = null
  return patiently(cluster, options, async () => {
    const leader = await leaderOf(cluster, topic, partition)
    // A later leader shows all that it has of the time before it was one (KIP-207).
    if (written?.leader !== leader.nodeId) written = {leader: leader.nodeId, end: await writtenEnd(leader, options)}
    const scanned = await scan(leader, options, matches)
    if (scanned.found === null && scanned.end < written.end) {
      throw new Error(`partition ${partition} shows records up to ${scanned.end}, and ${written.end} are written`)
    }
    return scanned
  })
}

async function writtenEnd(leader: Broker, options: ReadBackOptions): Promise<number> {
  const {topic, partition} = options
  const {errorCode, offset} = await answered(leader, options, logEnd(leader, topic, partition))
  const error = new BrokerError(errorCode, {api: 'ListOffsets', topic, partition})
  if (error.retriable) throw error
  // A broker that does not tell is taken at what it shows. (Whether MSK Serverless tells was not verified.)
  return errorCode === 0 ? offset : 0
}

const answered = <T>(leader: Broker, {requestTimeoutMs = REQUEST_MS}: ReadBackOptions, request: Promise<T>): Promise<T> =>
  inTime(leader, Math.min(REQUEST_MS, requestTimeoutMs), request)

async function patiently<T>(cluster: Cluster, {deadline}: ReadBackOptions, look: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await look()
    } catch (error) {
      const isFinal = (error instanceof EvidenceGoneError && !error.mayCome) || (error instanceof BrokerError && !error.retriable)
      if (isFinal || Date.now() >= deadline) throw error
    }
    await delay(RETRY_MS)
    await cluster
      .connect()
      .then(() => cluster.refreshMetadata())
      .catch(() => {})
  }
}

type Scanned = {found: number | null; end: number}

async function scan(leader: Broker, options: ReadBackOptions, matches: (header: BatchHeader) => boolean): Promise<Scanned> {
  const {topic, partition, from} = options
  const [listed] = await answered(leader, options, listOffsets(leader, topic, [{partition, timestamp: LATEST}], false))
  check(listed!.errorCode, {api: 'ListOffsets', topic, partition})
  const end = listed!.offset
  if (end < from) throw cutBelow(partition, from, end)
  let position = from
  let gap: EvidenceGoneError | null = null
  while (position < end) {
    const asked = {
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 4 * 1024 * 1024,
      partitionMaxBytes: 4 * 1024 * 1024,
      readCommitted: false,
    }
    const [answer] = await answered(leader, options, fetch(leader, topic, [{partition, offset: position}], asked))
    if (answer!.errorCode === OFFSET_OUT_OF_RANGE) {
      gap ??= gapAt(partition, position)
      position = await firstLeft(leader, options, position)
      continue
    }
    check(answer!.errorCode, {api: 'Fetch', topic, partition})
    const before = position
    for (const header of headersIn(answer!.records)) {
      // The first batch may begin before the offset that was asked for.
      if (header.baseOffset > position) gap ??= gapAt(partition, position)
      if (matches(header)) {
        if (header.baseOffset < from) throw cutBelow(partition, from, header.baseOffset)
        return {found: header.baseOffset, end}
      }
      position = header.baseOffset + header.lastOffsetDelta + 1
    }
    // There has to be something, and it comes with the next try; if not, compaction has taken it.
    if (position === before) throw gapAt(partition, position, {mayCome: true})
  }
  if (gap !== null) throw gap
  return {found: null, end: Math.max(end, from)}
}

const gapAt = (partition: number, offset: number, options = {}): EvidenceGoneError =>
  new EvidenceGoneError(`retention or compaction has taken what stood at offset ${offset} of partition ${partition}`, options)

/** Where the log begins, which is above `position`. */
async function firstLeft(leader: Broker, options: ReadBackOptions, position: number): Promise<number> {
  const {topic, partition} = options
  const [listed] = await answered(leader, options, listOffsets(leader, topic, [{partition, timestamp: EARLIEST}], false))
  check(listed!.errorCode, {api: 'ListOffsets', topic, partition})
  if (listed!.offset <= position) throw gapAt(partition, position)
  return listed!.offset
}

function* headersIn(records: Buffer): Generator<BatchHeader> {
  for (let at = 0; at + HEADER_BYTES <= records.length; ) {
    const header = readBatchHeader(records, at)
    if (header.magic !== 2 || header.sizeInBytes < HEADER_BYTES) return
    yield header
    at += header.sizeInBytes
  }
}
