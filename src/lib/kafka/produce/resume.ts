import {statSync} from 'node:fs'
import {setTimeout as delay} from 'node:timers/promises'

import {SkkError} from '../../errors.js'
import type {Cluster} from '../cluster.js'
import {type Claim, Coverage} from './coverage.js'
import {type Journal, type JournalEntry, readJournal, type SentBatch} from './journal.js'
import {type BatchMark, EvidenceGoneError, isSame} from './lane.js'
import {readBack} from './read-back.js'

/** Without idempotence a request of the dead process would be stored whenever it arrives; after this time none can. */
const LAST_ARRIVAL_MS = 30_000

/** Looking up the fate of all batches of a partition. */
const READ_BACK_MS = 30_000

export type ResumeOptions = {
  topic: string
  /** End offset of each partition now. */
  ends: ReadonlyMap<number, number>
  journal: Journal
  journalPath: string
  /** Told before a wait, in milliseconds. */
  onWaiting(ms: number): void
}

/**
 * What earlier runs have written: batches that were acknowledged, and those whose fate is only now looked up in the log. What
 * the log does not hold is to be sent under its old identity, so that a request which is still on its way counts as a duplicate.
 * Throws SkkError: unknown outcome when the log cannot tell any more, conflict when it is not the log that was written to.
 */
export async function readEarlierRuns(cluster: Cluster, options: ResumeOptions): Promise<Coverage> {
  const {journal, journalPath, ends, topic} = options
  const entries = readJournal(journalPath)
  refuseOtherLog(topic, entries.values(), ends)
  const open = [...entries].filter(([, {offset}]) => offset === undefined)
  if (open.some(([, {sent}]) => sent.producerId < 0)) await lastArrival(options)
  const claims: Claim[] = []
  const found = await Promise.all(open.map(([, {sent}]) => lookUp(cluster, topic, sent)))
  for (const [index, [batch, entry]] of open.entries()) {
    const offset = found[index]!
    entry.offset = offset
    if (offset === null) {
      journal.absent(batch)
      claims.push(claimFrom(entry.sent, null))
    } else journal.acked(batch, offset)
  }
  for (const {sent, offset} of entries.values()) if (typeof offset === 'number') claims.push(claimFrom(sent, offset))
  return new Coverage(claims)
}

const claimFrom = ({partition, count, keyed, keyless, sequence, ...sent}: SentBatch, offset: number | null): Claim => ({
  partition,
  count,
  keyed,
  keyless,
  identity: sent.producerId < 0 ? null : {producerId: sent.producerId, producerEpoch: sent.producerEpoch},
  sequence,
  offset,
  seen: 0,
})

/** A topic of the same name that was made since is shorter than what is known of the old one. */
function refuseOtherLog(topic: string, entries: Iterable<JournalEntry>, ends: ReadonlyMap<number, number>): void {
  for (const {sent, offset} of entries) {
    const reached = typeof offset === 'number' ? offset + sent.count : sent.logEnd
    const end = ends.get(sent.partition)
    if (end !== undefined && end >= reached) continue
    throw new SkkError(
      `partition ${sent.partition} of "${topic}" had reached offset ${reached}, and ${end === undefined ? 'is gone' : `ends at ${end}`} now`,
      {
        code: 'TOPIC_REPLACED',
        exit: 'conflict',
        hint: 'The topic was made anew since, or a broker died with what only it had acknowledged; send everything again with `--restart`.',
      },
    )
  }
}

async function lastArrival({journalPath, onWaiting}: ResumeOptions): Promise<void> {
  const waitMs = Math.ceil(statSync(journalPath).mtimeMs + LAST_ARRIVAL_MS - Date.now())
  if (waitMs <= 0) return
  onWaiting(waitMs)
  await delay(waitMs)
}

async function lookUp(cluster: Cluster, topic: string, sent: SentBatch): Promise<number | null> {
  const {partition, logEnd, producerId, producerEpoch, sequence, count, crc, timestamp} = sent
  const mark: BatchMark = {
    producerId,
    producerEpoch,
    baseSequence: sequence,
    lastOffsetDelta: count - 1,
    crc,
    baseTimestamp: timestamp,
  }
  try {
    const options = {topic, partition, from: logEnd, deadline: Date.now() + READ_BACK_MS}
    return await readBack(cluster, options, (stored) => isSame(mark, stored))
  } catch (error) {
    if (!(error instanceof EvidenceGoneError)) throw error
    throw new SkkError(`whether ${count} records of the earlier run were written cannot be told: ${error.message}`, {
      code: 'OUTCOME_UNKNOWN',
      exit: 'unknownOutcome',
      hint: 'Compare the topic with the file; `--restart` sends everything again.',
      cause: error,
    })
  }
}
