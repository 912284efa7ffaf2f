import {cp, mkdtemp, readdir, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {onTestFinished} from 'vitest'

import type {AppendResult, PartitionLog} from '../../src/lib/local/kafka/log.js'
import {decodeBatch, type EncodeOptions, encodeBatch, type RecordInput, readBatchHeader} from '../../src/lib/records/batch.js'

/** A directory that goes when the test ends. */
export async function temporaryDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'skk-log-'))
  onTestFinished(() => rm(dir, {recursive: true, force: true}))
  return dir
}

/** What a `kill -9` would leave of the log in `dir` at this moment, in another directory. */
export async function afterKill(dir: string): Promise<string> {
  const copy = join(await temporaryDirectory(), 'log')
  await cp(dir, copy, {recursive: true, preserveTimestamps: true})
  return copy
}

/** `{key, value, timestamp}` in short: a string is a value without a key at time 1000. */
export type RecordLike = string | {key?: string | null; value?: string | null; timestamp?: number}

function record(like: RecordLike): RecordInput {
  const {key = null, value = null, timestamp = 1000} = typeof like === 'string' ? {value: like} : like
  const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text))
  return {key: bytes(key), value: bytes(value), headers: [], timestamp}
}

export const batchOf = (records: readonly RecordLike[], options: EncodeOptions = {}): Promise<Buffer> =>
  encodeBatch(records.map(record), options)

/** A batch with a value of `bytes` zeros. */
export const batchOfSize = (bytes: number): Promise<Buffer> =>
  encodeBatch([{key: null, value: Buffer.alloc(bytes), headers: [], timestamp: 1000}])

export async function append(
  log: PartitionLog,
  records: readonly RecordLike[],
  options: EncodeOptions = {},
): Promise<AppendResult> {
  const batch = await batchOf(records, options)
  return log.append(batch, readBatchHeader(batch))
}

export type ReadRecord = {offset: number; key: string | null; value: string | null; timestamp: number}

/** Every record from `from` to the high watermark, by reads of at most `maxBytes`. */
export async function readAll(
  log: PartitionLog,
  {from = log.logStartOffset, maxBytes = 1024 * 1024} = {},
): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  for (let offset = from; offset < log.highWatermark; ) {
    const bytes = await log.read(offset, maxBytes, {atLeastOneBatch: true})
    for (let at = 0; at < bytes.length; ) {
      const header = readBatchHeader(bytes, at)
      for (const {offset: found, key, value, timestamp} of await decodeBatch(bytes, at)) {
        if (found >= offset) records.push({offset: found, key: text(key), value: text(value), timestamp})
      }
      at += header.sizeInBytes
      offset = header.baseOffset + header.lastOffsetDelta + 1
    }
    if (bytes.length === 0) break
  }
  return records
}

const text = (bytes: Buffer | null): string | null => bytes?.toString() ?? null

export const values = async (log: PartitionLog): Promise<(string | null)[]> => (await readAll(log)).map(({value}) => value)

export const segmentFiles = async (dir: string): Promise<string[]> =>
  (await readdir(dir)).filter((name) => name.endsWith('.log')).sort()
