import {type BatchHeader, compressionOf, HEADER_BYTES, isControl} from '../../../records/batch.js'
import {decompress} from '../../../records/compression.js'
import {forEachRecord} from '../../../records/record.js'
import {RecordError} from '../../../records/record-error.js'

/** A few kilobytes can decompress to ten million records, which keep the event loop for many seconds. Clients send 10,000. */
const MAX_RECORDS = 1_000_000

let running: Promise<unknown> = Promise.resolve()

/**
 * The decompressed records of a batch; undefined when nobody should look into it: records that cannot be decoded or are too
 * many, a control batch. One batch at a time is decompressed, because each may take 128 MiB.
 */
export function sectionOf(header: BatchHeader, batch: Buffer): Promise<Buffer | undefined> {
  if (isControl(header) || header.recordCount > MAX_RECORDS) return Promise.resolve(undefined)
  const section = running.then(() => decoded(header, batch))
  running = section.catch(() => {})
  return section
}

async function decoded(header: BatchHeader, batch: Buffer): Promise<Buffer | undefined> {
  try {
    const section = await decompress(compressionOf(header), batch.subarray(HEADER_BYTES))
    forEachRecord(section, header, () => {})
    return section
  } catch (error) {
    if (error instanceof RecordError) return undefined
    throw error
  }
}
