import type {BatchHeader} from '../../records/batch.js'
import {forEachRecord} from '../../records/record.js'
import {ERROR} from './api/error-codes.js'
import {sectionOf} from './log/section.js'

export type RecordRules = {
  /** A compacted topic cannot keep a record that has no key. */
  needsKeys: boolean
  /** How far a timestamp may be from now, in milliseconds; infinite for any. */
  timestampLimitMs: number
}

/** "No timestamp", which is never out of range. */
const NO_TIMESTAMP = -1

/**
 * Why a record of the batch is refused, as LogValidator words it; undefined when none is. Only topics whose rules look into
 * records pay for it: the others' batches are never decompressed.
 */
export async function recordProblem(
  batch: Buffer,
  header: BatchHeader,
  {needsKeys, timestampLimitMs}: RecordRules,
  now: number,
): Promise<{errorCode: number; errorMessage: string} | undefined> {
  if (!needsKeys && timestampLimitMs === Number.POSITIVE_INFINITY) return undefined
  const section = await sectionOf(header, batch)
  if (!section) return {errorCode: ERROR.corruptMessage, errorMessage: 'Records cannot be decoded'}
  let problem: {errorCode: number; errorMessage: string} | undefined
  forEachRecord(section, header, ({keyStart, timestamp}) => {
    const isOutOfRange = timestamp !== NO_TIMESTAMP && Math.abs(now - timestamp) > timestampLimitMs
    if (isOutOfRange) {
      const errorMessage = `Timestamp ${timestamp} of message is out of range of ${timestampLimitMs} ms`
      problem ??= {errorCode: ERROR.invalidTimestamp, errorMessage}
    }
    if (needsKeys && keyStart === -1) {
      problem ??= {errorCode: ERROR.invalidRecord, errorMessage: 'Compacted topic cannot accept message without key'}
    }
  })
  return problem
}
