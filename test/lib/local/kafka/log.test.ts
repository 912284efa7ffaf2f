import {stat} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, expect, test} from 'vitest'

import {write} from '../../../../src/lib/local/kafka/log/files.js'
import {type AppendError, PartitionLog} from '../../../../src/lib/local/kafka/log.js'
import {crcMatches, decodeBatch, readBatchHeader, timestampType} from '../../../../src/lib/records/batch.js'
import {append, batchOf, batchOfSize, readAll, segmentFiles, temporaryDirectory, values} from '../../../support/log.js'

describe('append', () => {
  test('gives each record the next offset and sets only base offset and leader epoch', async () => {
    const log = await PartitionLog.open(await temporaryDirectory(), {leaderEpoch: 7})
    const original = await batchOf(['c', 'd'])

    await append(log, ['a', 'b'])
    const batch = Buffer.from(original)
    const result = await log.append(batch, readBatchHeader(batch), {})

    expect(result).toEqual({baseOffset: 2, logAppendTimeMs: -1, duplicate: false})
    const stored = await log.read(2, 1000, {atLeastOneBatch: true})
    expect(readBatchHeader(stored)).toEqual({...readBatchHeader(original), baseOffset: 2, leaderEpoch: 7})
    expect(stored.subarray(16)).toEqual(original.subarray(16))
    expect(crcMatches(stored, 0, readBatchHeader(stored))).toBe(true)
  })

  test('stamps the batch on LogAppendTime and leaves it with a right checksum', async () => {
    const log = await PartitionLog.open(await temporaryDirectory())
    const batch = await batchOf(
      [
        {value: 'a', timestamp: 5},
        {value: 'b', timestamp: 6},
      ],
      {compression: 'gzip'},
    )

    const result = await log.append(batch, readBatchHeader(batch), {logAppendTimeMs: 1_700_000_000_000})

    expect(result.logAppendTimeMs).toBe(1_700_000_000_000)
    const stored = await log.read(0, 1000, {atLeastOneBatch: true})
    const header = readBatchHeader(stored)
    expect(timestampType(header)).toBe('LogAppendTime')
    expect(crcMatches(stored, 0, header)).toBe(true)
    const records = await decodeBatch(stored)
    expect(records.map(({timestamp}) => timestamp)).toEqual([1_700_000_000_000, 1_700_000_000_000])
  })

  test('assigns offsets in the order of the calls, and shares one write among those that wait', async () => {
    const writes: number[] = []
    const log = await PartitionLog.open(await temporaryDirectory(), {
      write: async (descriptor, buffers, position) => {
        writes.push(buffers.length)
        return write(descriptor, buffers, position)
      },
    })
    const batches = await Promise.all(Array.from({length: 50}, (_, index) => batchOf([`${index}`])))

    const first = log.append(batches[0]!, readBatchHeader(batches[0]!))
    await new Promise((resolve) => setImmediate(resolve))
    const rest = batches.slice(1).map((batch) => log.append(batch, readBatchHeader(batch)))
    const results = await Promise.all([first, ...rest])

    expect(results.map(({baseOffset}) => baseOffset)).toEqual(batches.map((_, index) => index))
    expect(await values(log)).toEqual(batches.map((_, index) => `${index}`))
    expect(writes).toEqual([1, 49])
  })

  test('moves the high watermark when the write has resolved, not before', async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const log = await PartitionLog.open(await temporaryDirectory(), {write: (...args) => held.then(() => write(...args))})

    const appended = append(log, ['a', 'b'])
    await new Promise((resolve) => setTimeout(resolve, 20))
    const before = {highWatermark: log.highWatermark, bytes: await log.read(0, 1000, {atLeastOneBatch: true})}
    release()
    await appended

    expect(before).toEqual({highWatermark: 0, bytes: Buffer.alloc(0)})
    expect(log.highWatermark).toBe(2)
  })

  test('refuses after close and after delete, with the code that makes clients look for the partition again', async () => {
    const closed = await PartitionLog.open(await temporaryDirectory())
    const deleted = await PartitionLog.open(await temporaryDirectory())
    await closed.close()
    await deleted.delete()

    await expect(append(closed, ['a'])).rejects.toMatchObject({errorCode: 6} satisfies Partial<AppendError>)
    await expect(append(deleted, ['a'])).rejects.toMatchObject({errorCode: 3} satisfies Partial<AppendError>)
  })

  test('makes directories of mode 0700 and files of mode 0600', async () => {
    const dir = join(await temporaryDirectory(), 'orders', '0')
    const log = await PartitionLog.open(dir)
    await append(log, ['a'])
    await log.close()

    const modes = await Promise.all(
      [dir, join(dir, '..'), join(dir, '0'.repeat(20).concat('.log')), join(dir, 'checkpoint')].map((path) => stat(path)),
    )

    expect(modes.map(({mode}) => mode & 0o777)).toEqual([0o700, 0o700, 0o600, 0o600])
  })

  test('begins a new segment, named by its first offset, where one would grow too large', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir, {segmentBytes: 300})

    for (const value of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']) await append(log, [value])

    expect(await segmentFiles(dir)).toEqual(['00000000000000000000.log', '00000000000000000004.log', '00000000000000000008.log'])
    expect(await values(log)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'])
    expect(log.sizeInBytes).toBe(9 * 69)
  })

  test('rolls in the middle of what waits, and takes a batch that is larger than a segment', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir, {segmentBytes: 1000})
    const batches = await Promise.all([100, 600, 5000, 100, 100].map(batchOfSize))

    await Promise.all(batches.map((batch) => log.append(batch, readBatchHeader(batch))))

    expect((await segmentFiles(dir)).map((name) => Number(name.slice(0, 20)))).toEqual([0, 2, 3])
    expect((await readAll(log)).map(({offset}) => offset)).toEqual([0, 1, 2, 3, 4])
  })

  test('with fsync, is there again after a restart without close', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir, {fsync: true, segmentBytes: 200})
    await append(log, ['a'])
    await append(log, ['b'])
    await append(log, ['c'])

    const reopened = await PartitionLog.open(dir, {fsync: true})

    expect(await values(reopened)).toEqual(['a', 'b', 'c'])
  })
})

describe('read', () => {
  test('begins with the batch that holds the offset and takes whole batches up to maxBytes', async () => {
    const log = await PartitionLog.open(await temporaryDirectory())
    for (const records of [['a', 'b', 'c'], ['d'], ['e', 'f']]) await append(log, records)
    const size = (await log.read(0, 10_000, {atLeastOneBatch: false})).length
    const first = readBatchHeader(await log.read(0, 10_000, {atLeastOneBatch: false})).sizeInBytes

    const read = async (offset: number, maxBytes: number): Promise<[number, number]> => {
      const bytes = await log.read(offset, maxBytes, {atLeastOneBatch: false})
      return [bytes.length === 0 ? -1 : readBatchHeader(bytes).baseOffset, bytes.length]
    }

    expect(await read(2, size)).toEqual([0, size])
    expect(await read(3, size)).toEqual([3, size - first])
    expect(await read(3, size - first)).toEqual([3, size - first])
    expect(await read(4, size - first - 69)).toEqual([4, size - first - 69])
    expect(await read(0, size - 1)).toEqual([0, first + 69])
    expect(await read(0, first)).toEqual([0, first])
    expect(await read(0, first - 1)).toEqual([-1, 0])
    expect(await read(6, size)).toEqual([-1, 0])
  })

  test('gives one whole batch whatever its size when asked for at least one', async () => {
    const log = await PartitionLog.open(await temporaryDirectory())
    const large = await batchOfSize(2_000_000)
    await log.append(large, readBatchHeader(large))
    await append(log, ['next'])

    const lengths = await Promise.all([1, 0, -5, 1_000_000].map((max) => log.read(0, max, {atLeastOneBatch: true})))

    expect(lengths.map(({length}) => length)).toEqual([large.length, large.length, large.length, large.length])
    expect((await log.read(0, 1_000_000, {atLeastOneBatch: false})).length).toBe(0)
  })

  test('finds every offset among thousands of small batches', async () => {
    const log = await PartitionLog.open(await temporaryDirectory(), {segmentBytes: 50_000})
    const batches = await Promise.all(Array.from({length: 3000}, (_, index) => batchOf([`${index}-a`, `${index}-b`])))
    await Promise.all(batches.map((batch) => log.append(batch, readBatchHeader(batch))))

    for (let offset = 0; offset < 6000; offset += 7) {
      const header = readBatchHeader(await log.read(offset, 100, {atLeastOneBatch: true}))
      expect(header.baseOffset).toBe(offset - (offset % 2))
    }
    expect((await readAll(log, {maxBytes: 10_000})).map(({offset}) => offset)).toEqual(
      Array.from({length: 6000}, (_, index) => index),
    )
  })

  test('goes on in a segment that is deleted meanwhile, and is empty in one that is gone', async () => {
    const log = await PartitionLog.open(await temporaryDirectory(), {segmentBytes: 100})
    for (const value of ['a', 'b', 'c']) await append(log, [value])

    const [during] = await Promise.all([log.read(0, 1000, {atLeastOneBatch: true}), log.deleteRecordsBefore(3)])
    const racing = log.read(2, 1000, {atLeastOneBatch: true})
    await log.delete()

    expect((await decodeBatch(during))[0]!.value!.toString()).toBe('a')
    expect([0, 69]).toContain((await racing).length)
    expect(await log.read(2, 1000, {atLeastOneBatch: true})).toEqual(Buffer.alloc(0))
  })
})

describe('offsetForTimestamp', () => {
  test('is the first record at or after the time, also inside a compressed batch', async () => {
    const log = await PartitionLog.open(await temporaryDirectory(), {segmentBytes: 200})
    const at = (timestamp: number): {value: string; timestamp: number} => ({value: 'v', timestamp})
    await append(log, [at(10), at(20), at(30)], {compression: 'gzip'})
    await append(log, [at(25), at(60)])
    await append(log, [at(40), at(50)])

    const find = async (timestamp: number): Promise<unknown> => log.offsetForTimestamp(timestamp)

    expect(await find(0)).toEqual({offset: 0, timestamp: 10})
    expect(await find(20)).toEqual({offset: 1, timestamp: 20})
    expect(await find(21)).toEqual({offset: 2, timestamp: 30})
    expect(await find(31)).toEqual({offset: 4, timestamp: 60})
    expect(await find(61)).toBeNull()
  })

  test('is the same in a long log as by looking at every record', async () => {
    const log = await PartitionLog.open(await temporaryDirectory(), {segmentBytes: 20_000})
    const timestamps = Array.from({length: 2000}, (_, index) => 1000 + index * 10 + ((index * 7919) % 501))
    const batches = await Promise.all(timestamps.map((timestamp) => batchOf([{value: 'v', timestamp}])))
    await Promise.all(batches.map((batch) => log.append(batch, readBatchHeader(batch))))

    for (let target = 900; target < 22_000; target += 333) {
      const expected = timestamps.findIndex((timestamp) => timestamp >= target)
      const found = await log.offsetForTimestamp(target)
      expect(found?.offset ?? -1).toBe(expected)
    }
  })

  test('passes over records below the log start', async () => {
    const log = await PartitionLog.open(await temporaryDirectory())
    await append(
      log,
      [10, 90, 30].map((timestamp) => ({value: 'v', timestamp})),
    )
    await append(log, [{value: 'v', timestamp: 40}])

    await log.deleteRecordsBefore(2)

    expect(await log.offsetForTimestamp(0)).toEqual({offset: 2, timestamp: 30})
    expect(await log.offsetForTimestamp(35)).toEqual({offset: 3, timestamp: 40})
  })
})

describe('maxTimestamp', () => {
  test('is the first record with the largest timestamp', async () => {
    const log = await PartitionLog.open(await temporaryDirectory(), {segmentBytes: 100})
    const empty = await log.maxTimestamp()
    for (const timestamp of [10, 90, 90, 30]) await append(log, [{value: 'v', timestamp}])

    expect(empty).toBeNull()
    expect(await log.maxTimestamp()).toEqual({offset: 1, timestamp: 90})
    await log.deleteRecordsBefore(3)
    expect(await log.maxTimestamp()).toEqual({offset: 3, timestamp: 30})
  })

  test('looks only at what the log start leaves of a segment', async () => {
    const log = await PartitionLog.open(await temporaryDirectory())
    for (const timestamp of [90, 30, 40]) await append(log, [{value: 'v', timestamp}])

    await log.deleteRecordsBefore(1)

    expect(await log.maxTimestamp()).toEqual({offset: 2, timestamp: 40})
  })
})

test('onAppend tells of writes, close and delete until it is ended', async () => {
  const log = await PartitionLog.open(await temporaryDirectory())
  const calls: string[] = []
  const end = log.onAppend(() => calls.push(`first ${log.highWatermark}`))
  log.onAppend(() => calls.push(`second ${log.highWatermark}`))

  await append(log, ['a', 'b'])
  end()
  await append(log, ['c'])
  await log.close()

  expect(calls).toEqual(['first 2', 'second 2', 'second 3', 'second 3'])
})
