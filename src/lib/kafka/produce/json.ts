import {isUtf8} from 'node:buffer'

import type {Header} from '../../records/batch.js'
import {encodeHeaders} from '../../records/batch-writer.js'
import {parseIsoTime} from '../../records/envelope.js'
import type {ParseLine} from './lines.js'
import type {PlacedRecord} from './placed-record.js'
import {BadLineError} from './portion.js'
import {type Fixed, setHeaders} from './records.js'

/** What a JMESPath expression finds in a JSON value; null for nothing. */
export type Path = (value: unknown) => unknown

export type JsonFormat = Fixed & {
  /** Null for records without key. */
  keyPath: Path | null
  timestampPath: Path | null
  headerPaths: readonly {name: string; path: Path}[]
}

/** Lines that are JSON, and the value as they are, byte for byte; key, time and headers are taken out of it. */
export function jsonParser(format: JsonFormat): ParseLine {
  const describe = describer(format)
  return (bytes, start, end, record) => {
    const line = bytes.subarray(start, end)
    record.value = bytes
    record.valueStart = start
    record.valueEnd = end
    describe(parseJson(line), record)
  }
}

function parseJson(line: Buffer): unknown {
  if (!isUtf8(line)) throw new BadLineError('it has bytes that are not UTF-8, so it is no JSON')
  try {
    return JSON.parse(line.toString())
  } catch (error) {
    throw new BadLineError(`it is no JSON: ${(error as Error).message}`)
  }
}

/** Gives a record the key, time, headers and partition that `format` takes from a JSON value. Throws BadLineError. */
export function describer(format: JsonFormat): (value: unknown, record: PlacedRecord) => void {
  const {keyPath, timestampPath, headerPaths, headers, timestamp = null, partition} = format
  const fixedHeaders = encodeHeaders(headers)
  return (value, record) => {
    const key = keyPath === null ? null : bytesOf(keyPath(value))
    record.key = key
    record.keyStart = 0
    record.keyEnd = key?.length ?? 0
    record.timestamp = timestamp ?? (timestampPath === null ? Number.NaN : timeOf(timestampPath(value)))
    record.partition = partition ?? -1
    setHeaders(record, headerPaths.length === 0 ? fixedHeaders : encodeHeaders([...foundHeaders(headerPaths, value), ...headers]))
  }
}

/** A header whose path finds nothing is left out. */
function foundHeaders(paths: JsonFormat['headerPaths'], value: unknown): Header[] {
  return paths.flatMap(({name, path}) => {
    const found = bytesOf(path(value))
    return found === null ? [] : [{key: Buffer.from(name), value: found}]
  })
}

/** A text as it is, everything else as JSON. */
function bytesOf(value: unknown): Buffer | null {
  if (value === null || value === undefined) return null
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}

function timeOf(value: unknown): number {
  const time = typeof value === 'string' ? parseIsoTime(value) : value
  if (Number.isSafeInteger(time)) return time as number
  throw new BadLineError(`its time is ${JSON.stringify(value)}, which is neither ISO 8601 nor epoch milliseconds`)
}
