import type {Deadline} from '../lib/deadline.ts'
import {type File, MOST_FILES, type Planner} from './files.ts'
import type {Row} from './row.ts'
import {type Bucket, putAll, type Written} from './write.ts'

/** Who writes a partition now, and until when at most, in milliseconds since 1970. */
export type Claim = {owner: string; until: number}

/** What is known of a partition. */
export type Progress = {
  /** The watermark: all below it is in the bucket, once. */
  next: number
  claim: Claim | undefined
  /** Files that were begun and never confirmed: they may be there, in whatever bounds. */
  begun: string[]
}

export type Watermarks = {
  read(partition: string): Promise<Progress | undefined>
  /** Takes a partition that is as it was `seen`, or is ours, and notes the files that are begun. False when it is not so any more. */
  claim(partition: string, claim: Claim, begun: readonly string[], seen: Progress | undefined): Promise<boolean>
  /** Moves the watermark, and gives the partition back. False when somebody else has claimed it. */
  confirm(partition: string, owner: string, next: number): Promise<boolean>
  /** Lets the claim end at that time. What was begun stays noted. */
  release(partition: string, claim: Claim): Promise<void>
}

export type OnceOptions = {
  plan: Planner
  bucket: Bucket
  watermarks: Watermarks
  deadline: Deadline
  /** How long a claim lasts at most: so long is a partition closed after a function was killed. */
  claimMs: number
  /** Unlike all others. */
  newOwner(): string
  now(): number
  sleep(ms: number): Promise<unknown>
  /** Is told when a claim could not be given back: the next invocation waits for its end. */
  onUnreleased(error: unknown): void
}

/** After the end of a claim: for clocks that differ, and for a request that was on its way. */
const GRACE_MS = 2000

const TAKEN = 'another invocation has taken the partition'

/**
 * Exactly once: writes what of a partition is not below its watermark, then moves the watermark. What a killed invocation has left
 * is written over by the next one, or removed, because its names were noted before. While one invocation writes a partition another
 * waits, since what is put late would undo what was put after.
 */
export async function writeOnce(rows: readonly Row[], options: OnceOptions): Promise<Written> {
  const [{topic, partition}] = rows as [Row]
  const name = `${topic}-${partition}`
  const written: Written = {files: [], refused: [], skipped: rows.length}
  const {deadline, watermarks} = options
  for (;;) {
    if (deadline.passed()) throw new Error('no time left to write')
    const seen = await watermarks.read(name)
    const due = rows.filter(({offset}) => offset >= (seen?.next ?? 0))
    if (due.length === 0) return written
    if (await waits(seen, options)) continue
    const done = await writeDue(name, due, seen, options)
    if (done === undefined) continue
    written.files.push(...done.files)
    written.refused.push(...done.refused)
    written.skipped -= done.rows
  }
}

/** Whether somebody else had the partition, and may not have it any more. */
async function waits(seen: Progress | undefined, {deadline, now, sleep}: OnceOptions): Promise<boolean> {
  const ms = seen?.claim === undefined ? 0 : seen.claim.until + GRACE_MS - now()
  if (ms <= 0) return false
  if (ms >= deadline.remainingMs()) throw new Error('another invocation writes the partition')
  await sleep(ms)
  return true
}

/** Undefined when somebody else was faster. */
async function writeDue(name: string, due: readonly Row[], seen: Progress | undefined, options: OnceOptions) {
  const {plan, watermarks, deadline, claimMs, newOwner, now} = options
  const {files, refused, last} = plan(due)
  const keys = new Set(files.map(({key}) => key))
  const begun = seen?.begun ?? []
  const left = begun.filter((key) => !keys.has(key))
  // After many failures, the names of all would be too much for an item.
  const inSteps = left.length > MOST_FILES
  const claim = {owner: newOwner(), until: now() + Math.min(claimMs, Math.floor(deadline.remainingMs()))}
  if (!(await watermarks.claim(name, claim, inSteps ? begun : [...keys, ...left], seen))) return undefined
  try {
    const bucket = whileClaimed(claim, options)
    await putAll(left, bucket.remove)
    if (inSteps && !(await watermarks.claim(name, claim, [...keys], seen))) throw new Error(TAKEN)
    const sizes = await putAll(files, bucket.put)
    if (!(await watermarks.confirm(name, claim.owner, last + 1))) throw new Error(TAKEN)
    return {files: sizes, refused, rows: due.filter(({offset}) => offset <= last).length}
  } catch (error) {
    await release(name, claim, options)
    throw error
  }
}

/** The bucket until the claim ends, and not a moment longer. */
function whileClaimed({until}: Claim, {bucket, now}: OnceOptions) {
  const signal = AbortSignal.timeout(Math.max(0, until - now()))
  const check = () => {
    if (now() >= until) throw new Error('the claim has ended before all was written')
  }
  return {
    async put(file: File) {
      check()
      return bucket.put(file, signal)
    },
    async remove(key: string) {
      check()
      return bucket.remove(key, signal)
    },
  }
}

/** So that the next one need not wait for the end of the claim. */
async function release(name: string, {owner, until}: Claim, {watermarks, now, onUnreleased}: OnceOptions): Promise<void> {
  if (now() < until) await watermarks.release(name, {owner, until: now()}).catch(onUnreleased)
}
