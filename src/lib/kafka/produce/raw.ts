import {encodeHeaders} from '../../records/batch-writer.js'
import type {Source} from './input.js'
import type {PlacedRecord} from './placed-record.js'
import {BadLineError, type Portion, type ReadInputs} from './portion.js'
import {openReader, type Reader} from './reader.js'
import {type Fixed, setHeaders} from './records.js'

const MAX_RECORD_BYTES = 64 * 1024 * 1024
const FIRST_BYTES = 64 * 1024

export type RawFormat = Fixed & {key: Buffer | null; nullValue?: Buffer | null}

/** Reads each input as the value of one record. */
export function rawOf({key, nullValue = null, headers, timestamp = null, partition}: RawFormat): ReadInputs {
  const encodedHeaders = encodeHeaders(headers)
  const describe = (value: Buffer, record: PlacedRecord): void => {
    record.key = key
    record.keyStart = 0
    record.keyEnd = key?.length ?? 0
    record.value = nullValue?.equals(value) ? null : value
    record.valueStart = 0
    record.valueEnd = value.length
    record.timestamp = timestamp ?? Number.NaN
    record.partition = partition ?? -1
    setHeaders(record, encodedHeaders)
  }
  return async function* readWhole(inputs, _events, signal) {
    let before = 0
    for (const source of inputs) {
      const reader = await openReader(source, signal)
      try {
        const value = await wholeOf(reader)
        // Of an input that was given up half-way nothing may be sent.
        if (signal.aborted) return
        yield portionOf(source, value, before + reader.consumed(), describe)
      } finally {
        await reader.close()
      }
      before += reader.consumed()
    }
  }
}

/** All of an input, null when it is too large. */
async function wholeOf(reader: Reader): Promise<Buffer | null> {
  let buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  let used = 0
  for (;;) {
    if (used > MAX_RECORD_BYTES) return null
    if (used === buffer.length) {
      const larger = Buffer.allocUnsafeSlow(2 * buffer.length)
      buffer.copy(larger)
      buffer = larger
    }
    const read = await reader.read(buffer, used)
    if (read === 0) return buffer.subarray(0, used)
    used += read
  }
}

function portionOf(
  source: Source,
  value: Buffer | null,
  bytesRead: number,
  describe: (value: Buffer, record: PlacedRecord) => void,
): Portion {
  let taken = false
  return {
    source,
    firstLine: 1,
    bytesRead,
    next(record) {
      if (taken) return false
      taken = true
      if (value === null) throw new BadLineError(`the file is longer than ${MAX_RECORD_BYTES} bytes`)
      describe(value, record)
      return true
    },
    offset: () => 0,
    raw: () => value ?? Buffer.alloc(0),
  }
}
