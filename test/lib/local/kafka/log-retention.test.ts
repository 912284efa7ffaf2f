import {cp, readdir, writeFile} from 'node:fs/promises'
import {describe, expect, test} from 'vitest'

import {PartitionLog} from '../../../../src/lib/local/kafka/log.js'
import {afterKill, append, readAll, segmentFiles, temporaryDirectory, values} from '../../../support/log.js'

const UNLIMITED = {retentionMs: -1, retentionBytes: -1}

/** One batch of 69 bytes per segment: values `0`, `1`, … at the times given. */
async function logOf(timestamps: readonly number[], dir?: string): Promise<PartitionLog> {
  const log = await PartitionLog.open(dir ?? (await temporaryDirectory()), {segmentBytes: 100})
  for (const [index, timestamp] of timestamps.entries()) await append(log, [{value: `${index}`, timestamp}])
  return log
}

describe('retention by time', () => {
  test('deletes the oldest segments whose last record is too old, and no other', async () => {
    const dir = await temporaryDirectory()
    const log = await logOf([100, 200, 300, 150, 400], dir)

    await log.applyRetention(1000, {...UNLIMITED, retentionMs: 750})

    expect(log.logStartOffset).toBe(2)
    expect(await values(log)).toEqual(['2', '3', '4'])
    expect(await segmentFiles(dir)).toHaveLength(3)
  })

  test('closes the segment that is appended to when it is too old as well', async () => {
    const dir = await temporaryDirectory()
    const log = await logOf([100, 200], dir)

    await log.applyRetention(10_000, {...UNLIMITED, retentionMs: 1000})
    const empty = {start: log.logStartOffset, end: log.highWatermark, bytes: log.sizeInBytes, files: await segmentFiles(dir)}
    const result = await append(log, ['new'])

    expect(empty).toEqual({start: 2, end: 2, bytes: 0, files: []})
    expect(result.baseOffset).toBe(2)
    expect(await values(log)).toEqual(['new'])
  })

  test('keeps everything with -1', async () => {
    const log = await logOf([100, 200])

    await log.applyRetention(Date.now(), UNLIMITED)

    expect(await values(log)).toEqual(['0', '1'])
  })

  test('goes by the time of writing when no record has a timestamp', async () => {
    let now = 5000
    const log = await PartitionLog.open(await temporaryDirectory(), {segmentBytes: 100, now: () => now})
    await append(log, [{value: 'a', timestamp: -1}])
    now = 6000
    await append(log, [{value: 'b', timestamp: -1}])

    await log.applyRetention(7000, {...UNLIMITED, retentionMs: 1500})

    expect(await values(log)).toEqual(['b'])
  })
})

describe('retention by size', () => {
  test('deletes a segment only if what stays has at least that many bytes', async () => {
    const log = await logOf([1, 2, 3, 4])

    await log.applyRetention(10, {...UNLIMITED, retentionBytes: 2 * 69 + 1})
    const three = await values(log)
    await log.applyRetention(10, {...UNLIMITED, retentionBytes: 2 * 69})

    expect(three).toEqual(['1', '2', '3'])
    expect(await values(log)).toEqual(['2', '3'])
  })
})

test('records that arrive during retention are kept', async () => {
  const log = await logOf([100, 200])
  const now = Date.now()

  const [appended] = await Promise.all([
    append(log, [{value: 'new', timestamp: now}]),
    log.applyRetention(now, {...UNLIMITED, retentionMs: 1000}),
    log.applyRetention(now, {...UNLIMITED, retentionMs: 1000}),
  ])

  expect(appended.baseOffset).toBe(2)
  expect(await values(log)).toEqual(['new'])
})

describe('deleteRecordsBefore', () => {
  test('moves the log start, deletes whole segments below it, and both survive a crash', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir, {segmentBytes: 150})
    for (const value of ['a', 'b', 'c', 'd', 'e']) await append(log, [value])

    const start = await log.deleteRecordsBefore(3)
    const reopened = await PartitionLog.open(await afterKill(dir), {segmentBytes: 150})

    expect(start).toBe(3)
    expect((await segmentFiles(dir)).map((name) => Number(name.slice(0, 20)))).toEqual([2, 4])
    expect([log.logStartOffset, reopened.logStartOffset]).toEqual([3, 3])
    expect((await readAll(reopened)).map(({value}) => value)).toEqual(['d', 'e'])
  })

  test('never moves the log start back, and refuses to move it past the end', async () => {
    const log = await logOf([1, 2, 3])
    await log.deleteRecordsBefore(2)

    expect(await log.deleteRecordsBefore(1)).toBe(2)
    await expect(log.deleteRecordsBefore(4)).rejects.toThrow(RangeError)
  })

  test('up to the end leaves an empty log that goes on with the next offset, also after restarts', async () => {
    const dir = await temporaryDirectory()
    const log = await logOf([1, 2, 3], dir)
    await log.deleteRecordsBefore(3)
    await log.close()

    const second = await PartitionLog.open(dir)
    await second.close()
    const third = await PartitionLog.open(dir)

    expect([third.logStartOffset, third.highWatermark]).toEqual([3, 3])
    expect((await append(third, ['new'])).baseOffset).toBe(3)
    expect(await values(third)).toEqual(['new'])
  })
})

test('segments that a crash kept from being deleted are deleted at the next start', async () => {
  const dir = await temporaryDirectory()
  const log = await logOf([1, 2, 3, 4], dir)
  const before = await afterKill(dir)
  await log.deleteRecordsBefore(2)
  await cp(`${dir}/checkpoint`, `${before}/checkpoint`)

  const reopened = await PartitionLog.open(before)

  expect(await values(reopened)).toEqual(['2', '3'])
  expect((await segmentFiles(before)).map((name) => Number(name.slice(0, 20)))).toEqual([2, 3])
})

test('a log whose segments are all damaged goes on at its log start', async () => {
  const dir = await temporaryDirectory()
  const log = await logOf([1, 2, 3, 4], dir)
  await log.deleteRecordsBefore(2)
  await log.close()
  for (const name of await segmentFiles(dir)) await writeFile(`${dir}/${name}`, 'damaged')

  const reopened = await PartitionLog.open(dir)

  expect([reopened.logStartOffset, reopened.highWatermark]).toEqual([2, 2])
  expect((await append(reopened, ['new'])).baseOffset).toBe(2)
})

test('delete removes the directory', async () => {
  const parent = await temporaryDirectory()
  const log = await PartitionLog.open(`${parent}/0`)
  await Promise.all([append(log, ['a']), append(log, ['b'])])

  await log.delete()

  expect(await readdir(parent)).toEqual([])
})
