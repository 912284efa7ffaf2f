import {type BatchHeader, compressionOf, HEADER_BYTES} from '../../records/batch.js'
import {decompress} from '../../records/compression.js'
import {forEachRecord} from '../../records/record.js'
import {RecordError} from '../../records/record-error.js'
import {ERROR} from './api/error-codes.js'

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
  let problem: {errorCode: number; errorMessage: string} | undefined
  try {
    const section = await decompress(compressionOf(header), batch.subarray(HEADER_BYTES, header.sizeInBytes))
    forEachRecord(section, header, ({keyStart, timestamp}) => {
      const isOutOfRange = timestamp !== NO_TIMESTAMP && Math.abs(now - timestamp) > timestampLimitMs
      if (isOutOfRange) {
        problem ??= {
          errorCode: ERROR.invalidTimestamp,
          errorMessage: `Timestamp ${timestamp} of message is out of range of ${timestampLimitMs} ms`,
        }
      }
      if (needsKeys && keyStart === -1) {
        problem ??= {errorCode: ERROR.invalidRecord, errorMessage: 'Compacted topic cannot accept message without key'}
      }
    })
  } catch (error) {
    if (!(error instanceof RecordError)) throw error
    return {errorCode: ERROR.corruptMessage, errorMessage: error.message}
  }
  return problem
}
