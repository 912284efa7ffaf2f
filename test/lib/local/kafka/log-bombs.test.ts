import {describe, expect, it, onTestFinished} from 'vitest'

import {PartitionLog} from '../../../../src/lib/local/kafka/log.js'
import {readBatchHeader} from '../../../../src/lib/records/batch.js'
import type {Compression} from '../../../../src/lib/records/compression.js'
import {batchAround, bombOf} from '../../../support/fuzz-batches.js'
import {append, temporaryDirectory} from '../../../support/log.js'

/** Each batch begins a new segment, so that all but the last can be compacted. */
async function logOf(...batches: readonly Buffer[]): Promise<PartitionLog> {
  const log = await PartitionLog.open(await temporaryDirectory(), {segmentBytes: 1})
  onTestFinished(() => log.close())
  for (const batch of batches) await log.append(batch, readBatchHeader(batch))
  return log
}

/** 16 MiB of records in a few kilobytes. */
const MANY = 2_000_000

describe.each(['gzip', 'snappy', 'lz4', 'zstd'] satisfies Compression[])('a batch in %s', (codec) => {
  it('that is not what its codec says counts as one record in a look-up by time', async () => {
    const log = await logOf(batchAround(Buffer.from('no such thing'), 3, codec, 1_000))
    await append(log, [{key: 'k', value: 'v', timestamp: 2_000}])

    expect(await log.offsetForTimestamp(500)).toEqual({offset: 0, timestamp: 1_000})
    expect(await log.offsetForTimestamp(1_500)).toEqual({offset: 3, timestamp: 2_000})
    expect(await log.maxTimestamp()).toEqual({offset: 3, timestamp: 2_000})
  })

  it('of millions of records is not looked into', async () => {
    const log = await logOf(await bombOf(MANY, codec, 1_000, 1_500))
    await append(log, [{key: 'k', value: 'v', timestamp: 2_000}])
    const size = log.sizeInBytes

    await log.compact()

    // None of its records is so young, only its header says so.
    expect(await log.offsetForTimestamp(1_200)).toEqual({offset: 0, timestamp: 1_500})
    expect(log.sizeInBytes).toBe(size)
  })
})

it('records that all claim the same offset are taken for what they are: the last of the key stays', async () => {
  const log = await logOf(await bombOf(100_000, 'gzip', 1_000))
  await append(log, [{key: 'k', value: 'v', timestamp: 2_000}])
  await append(log, [{key: 'z', value: 'v', timestamp: 2_000}])

  await log.compact()

  expect(await log.offsetForTimestamp(500)).toEqual({offset: 100_000, timestamp: 2_000})
})

it('headers beyond the record are no reason to fail', async () => {
  const section = Buffer.from([14, 0, 0, 0, 2, 107, 1, 127])
  const log = await logOf(batchAround(section, 1, 'none', 1_000))

  expect(await log.offsetForTimestamp(500)).toEqual({offset: 0, timestamp: 1_000})
})
