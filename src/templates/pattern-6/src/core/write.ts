import type {Deadline} from '../lib/deadline.ts'
import type {File, Plan, Planner} from './files.ts'
import type {Row} from './row.ts'

export type Bucket = {
  /** Writes a file whole, over what was there; returns its bytes. */
  put(file: File, signal: AbortSignal): Promise<number>
  /** Removes a file, if it is there. */
  remove(key: string, signal: AbortSignal): Promise<void>
}

/** What came of the records of a partition. */
export type Written = {
  /** Bytes of each file. */
  files: number[]
  refused: Plan['refused']
  /** Records that were written before. */
  skipped: number
}

/** Files of a partition that are written side by side. */
const FILES_AT_ONCE = 10

/** At least once: writes the files of a batch. When it comes again in the same bounds, it is written over itself. */
export async function writeBatch(rows: readonly Row[], plan: Planner, bucket: Bucket, deadline: Deadline): Promise<Written> {
  const {files, refused} = plan(rows)
  const signal = AbortSignal.timeout(Math.floor(deadline.remainingMs()))
  return {files: await putAll(files, (file) => bucket.put(file, signal)), refused, skipped: 0}
}

/** Waits for all of them: after an error, no file is still on its way. Throws the first error. */
export async function putAll<Value, Result>(values: readonly Value[], put: (value: Value) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = []
  for (let at = 0; at < values.length; at += FILES_AT_ONCE) {
    const settled = await Promise.allSettled(values.slice(at, at + FILES_AT_ONCE).map(put))
    const failed = settled.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
    results.push(...settled.map((one) => (one as PromiseFulfilledResult<Result>).value))
  }
  return results
}
