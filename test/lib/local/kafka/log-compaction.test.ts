import {copyFileSync, readdirSync, statSync} from 'node:fs'
import {readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'
import fc from 'fast-check'
import {describe, expect, test} from 'vitest'

import type {LogOptions} from '../../../../src/lib/local/kafka/log/options.js'
import {PartitionLog} from '../../../../src/lib/local/kafka/log.js'
import {crcMatches, readBatchHeader} from '../../../../src/lib/records/batch.js'
import type {Compression} from '../../../../src/lib/records/compression.js'
import {afterKill, append, type RecordLike, readAll, segmentFiles, temporaryDirectory} from '../../../support/log.js'

const DAY = 24 * 60 * 60 * 1000

type Pair = [offset: number, key: string | null, value: string | null]

const pairs = async (log: PartitionLog): Promise<Pair[]> =>
  (await readAll(log)).map(({offset, key, value}) => [offset, key, value])

/** Every batch in a segment of its own, so that all but the last may be compacted. */
async function logOf(
  batches: readonly RecordLike[][],
  options: LogOptions & {dir?: string; compression?: Compression} = {},
): Promise<PartitionLog> {
  const {dir = await temporaryDirectory(), compression = 'none', ...rest} = options
  const log = await PartitionLog.open(dir, {segmentBytes: 1, ...rest})
  for (const records of batches) await append(log, records, {compression})
  return log
}

const put = (key: string, value: string): RecordLike => ({key, value})
const tombstone = (key: string): RecordLike => ({key, value: null})

test('the last record of each key stays, at its offset; what is appended to is not touched', async () => {
  const log = await logOf([
    [put('a', '1'), put('b', '1')],
    [put('a', '2'), put('c', '1')],
    [put('b', '2')],
    [put('a', '3'), put('a', '4')],
  ])

  await log.compact()

  expect(await pairs(log)).toEqual([
    [2, 'a', '2'],
    [3, 'c', '1'],
    [4, 'b', '2'],
    [5, 'a', '3'],
    [6, 'a', '4'],
  ])
  expect([log.logStartOffset, log.highWatermark]).toEqual([0, 7])
})

test.each<Compression>(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
  'a batch keeps all but the records that went: %s',
  async (compression) => {
    const log = await logOf([[put('a', '1'), put('b', '1'), put('c', '1')], [put('b', '2')], [put('z', '1')]], {compression})
    const before = readBatchHeader(await log.read(0, 1, {atLeastOneBatch: true}))

    await log.compact()

    const batch = await log.read(0, 1, {atLeastOneBatch: true})
    const after = readBatchHeader(batch)
    const {crc, batchLength, sizeInBytes} = after
    expect(after).toEqual({...before, crc, batchLength, sizeInBytes, recordCount: 2})
    expect(crcMatches(batch, 0, after)).toBe(true)
    expect((await pairs(log)).slice(0, 2)).toEqual([
      [0, 'a', '1'],
      [2, 'c', '1'],
    ])
  },
)

test('the largest timestamp is that of the records that stay, and times are found', async () => {
  const log = await logOf([
    [
      {key: 'a', value: '1', timestamp: 900},
      {key: 'b', value: '1', timestamp: 500},
    ],
    [{key: 'a', value: '2', timestamp: 600}],
    [{key: 'z', value: '1', timestamp: 100}],
  ])

  await log.compact()

  expect(readBatchHeader(await log.read(0, 1, {atLeastOneBatch: true})).maxTimestamp).toBe(500)
  expect(await log.offsetForTimestamp(501)).toEqual({offset: 2, timestamp: 600})
})

test('an offset in a gap reads on with the batch behind it', async () => {
  const log = await logOf([[put('a', '1')], [put('a', '2')], [put('b', '1')], [put('a', '3')], [put('c', '1')]])

  await log.compact()
  const base = async (offset: number) => readBatchHeader(await log.read(offset, 1000, {atLeastOneBatch: true})).baseOffset

  expect(await Promise.all([0, 1, 2, 3, 4].map(base))).toEqual([2, 2, 2, 3, 4])
  expect(log.sizeInBytes).toBe(3 * 70)
})

describe('a tombstone', () => {
  test('takes the value away at once and goes itself a day after it was written', async () => {
    let now = 1_000_000
    const log = await logOf([[put('a', '1')], [tombstone('a')], [put('z', '1')]], {now: () => now})

    await log.compact()
    const first = await pairs(log)
    now += DAY - 1
    await log.compact()
    const kept = await pairs(log)
    now += 1
    await log.compact()

    expect(first).toEqual([
      [1, 'a', null],
      [2, 'z', '1'],
    ])
    expect(kept).toEqual(first)
    expect(await pairs(log)).toEqual([[2, 'z', '1']])
  })

  test('counts its day on across a rewriting and a restart', async () => {
    let now = Date.now() - 2 * DAY
    const dir = await temporaryDirectory()
    const log = await logOf([[tombstone('a'), put('b', '1')], [put('b', '2')], [put('z', '1')]], {dir, now: () => now})
    await log.compact()
    await log.close()
    now += DAY + 5000

    const reopened = await PartitionLog.open(dir, {now: () => now})
    await reopened.compact()

    expect(await pairs(reopened)).toEqual([
      [2, 'b', '2'],
      [3, 'z', '1'],
    ])
  })

  test('stays as long as it is told to', async () => {
    const log = await logOf([[tombstone('a')], [put('z', '1')]], {deleteRetentionMs: 0})

    await log.compact()

    expect(await pairs(log)).toEqual([[1, 'z', '1']])
  })
})

test('records without a key go, as with Kafka', async () => {
  const log = await logOf([['no key'], [put('a', '1')], [put('z', '1')]])

  await log.compact()

  expect(await pairs(log)).toEqual([
    [1, 'a', '1'],
    [2, 'z', '1'],
  ])
})

test('long keys that differ only at the end are different keys', async () => {
  const long = 'k'.repeat(5000)
  const log = await logOf([
    [put(`${long}1`, '1'), put(`${long}2`, '1'), put('k'.repeat(64), '1')],
    [put(`${long}1`, '2')],
    [put('z', '1')],
  ])

  await log.compact()

  expect((await pairs(log)).map(([offset]) => offset)).toEqual([1, 2, 3, 4])
})

test('a batch whose records cannot be decoded stays as it is', async () => {
  const log = await logOf([[put('a', '1')], [put('a', '2')]])
  const noise = Buffer.concat([await log.read(0, 1, {atLeastOneBatch: true})])
  noise.writeInt16BE(1, 21) // says gzip
  await log.append(noise, readBatchHeader(noise), {logAppendTimeMs: 5})
  await append(log, [put('z', '1')])

  await log.compact()

  expect(readBatchHeader(await log.read(2, 1, {atLeastOneBatch: true}))).toMatchObject({baseOffset: 2, recordCount: 1})
})

test('sequences of producers go on when their last batches went', async () => {
  const dir = await temporaryDirectory()
  const log = await PartitionLog.open(dir, {segmentBytes: 1})
  for (const sequence of [0, 1])
    await append(log, [put('a', `${sequence}`)], {producerId: 5, producerEpoch: 0, baseSequence: sequence})
  for (const value of ['2', '3']) await append(log, [put('a', value)])
  await log.compact()

  const reopened = await PartitionLog.open(await afterKill(dir), {segmentBytes: 1})
  const retried = await append(reopened, [put('a', '1')], {producerId: 5, producerEpoch: 0, baseSequence: 1})

  expect((await pairs(reopened)).map(([offset]) => offset)).toEqual([2, 3])
  expect(retried).toMatchObject({baseOffset: 1, duplicate: true})
})

test('appends and reads go on meanwhile', async () => {
  const log = await logOf(Array.from({length: 40}, (_, index) => [put(`${index % 3}`, `${index}`), put(`only ${index}`, '1')]))
  let compacting = true
  const compaction = log.compact().then(() => {
    compacting = false
  })

  const appended: number[] = []
  while (compacting) {
    appended.push((await append(log, [put(`new ${appended.length}`, '1')])).baseOffset)
    const offset = (appended.length * 7) % 80
    const header = readBatchHeader(await log.read(offset, 1, {atLeastOneBatch: true}))
    expect(header.baseOffset + header.lastOffsetDelta).toBeGreaterThanOrEqual(offset)
  }
  await compaction

  const all = await pairs(log)
  expect(all.filter(([, key]) => key?.startsWith('only'))).toHaveLength(40)
  expect(all.filter(([, key]) => key?.startsWith('new')).map(([offset]) => offset)).toEqual(appended)
})

test('closing does not wait for the end, and half a compaction is a good log', async () => {
  const dir = await temporaryDirectory()
  const log = await logOf(
    Array.from({length: 30}, (_, index) => [put('a', `${index}`), put(`${index}`, '1')]),
    {dir},
  )
  const compaction = log.compact()
  await new Promise((resolve) => setTimeout(resolve, 5))

  await log.close()
  await compaction
  const reopened = await PartitionLog.open(dir)

  const all = await pairs(reopened)
  expect(all.filter(([, key]) => key !== 'a')).toHaveLength(30)
  expect(all.at(-2)).toEqual([58, 'a', '29'])
  expect(reopened.recovered).toEqual({truncatedBytes: 0})
})

test('a crash between any two steps leaves the last record of every key', async () => {
  const dir = await temporaryDirectory()
  const log = await logOf(
    Array.from({length: 12}, (_, index) => [
      put('a', `${index}`),
      put(`${index % 5}`, `${index}`),
      index === 9 ? tombstone('gone') : put(index < 9 ? 'gone' : 'last', `${index}`),
    ]),
    {dir, deleteRetentionMs: 0},
  )
  await log.close()
  const state = async (of: PartitionLog): Promise<Map<string | null, string>> => {
    const latest = new Map<string | null, string>()
    for (const {key, value} of await readAll(of)) value === null ? latest.delete(key) : latest.set(key, value)
    return latest
  }
  const before = await PartitionLog.open(dir, {segmentBytes: 1, deleteRetentionMs: 0})
  const expected = await state(before)
  const copies = new Map<string, string>()

  let compacting = true
  const compaction = before.compact().finally(() => {
    compacting = false
  })
  for (; compacting; await setImmediate()) {
    const files = listing(dir)
    if (!copies.has(files)) copies.set(files, snapshot(dir, await temporaryDirectory()))
  }
  await compaction

  const killed = [...copies.values()]
  expect(killed.length).toBeGreaterThan(15)
  for (const copy of killed) {
    const reopened = await PartitionLog.open(copy, {segmentBytes: 1, deleteRetentionMs: 0})
    expect(await state(reopened)).toEqual(expected)
    expect(reopened.recovered).toEqual({truncatedBytes: 0})
    await reopened.compact()
    expect(await state(reopened)).toEqual(expected)
  }
})

const listing = (dir: string): string =>
  readdirSync(dir)
    .map((name) => `${name} ${statSync(join(dir, name), {throwIfNoEntry: false})?.size}`)
    .join()

/** Synchronous, so that at most one step of the compaction happens meanwhile. */
function snapshot(dir: string, copy: string): string {
  for (const name of readdirSync(dir)) {
    try {
      copyFileSync(join(dir, name), join(copy, name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error // that step was a rename or a removal
    }
  }
  return copy
}

test('an unfinished segment of a compaction that crashed is not used', async () => {
  const dir = await temporaryDirectory()
  const log = await logOf([[put('a', '1')], [put('b', '1')]], {dir})
  await log.close()
  const [first] = await segmentFiles(dir)
  await writeFile(join(dir, `${first}.cleaned`), (await readFile(join(dir, first!))).subarray(0, 30))

  const reopened = await PartitionLog.open(dir)
  await reopened.compact()

  expect((await pairs(reopened)).map(([offset]) => offset)).toEqual([0, 1])
  expect(await readdir(dir)).not.toContain(`${first}.cleaned`)
})

test('any history compacts to its last record by key, whatever lies in which segment', async () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const history = fc.array(
    fc.array(fc.record({key, value: fc.option(fc.string({maxLength: 3}))}), {minLength: 1, maxLength: 4}),
    {minLength: 2, maxLength: 12},
  )

  await fc.assert(
    fc.asyncProperty(
      history,
      fc.integer({min: 1, max: 400}),
      fc.integer({min: 1, max: 6}),
      fc.boolean(),
      async (batches, segmentBytes, compactionKeys, twice) => {
        const dir = await temporaryDirectory()
        const log = await PartitionLog.open(dir, {segmentBytes, compactionKeys})
        for (const batch of batches) await append(log, batch)
        const all = await pairs(log)
        const activeBase = Number((await segmentFiles(dir)).at(-1)!.slice(0, 20))
        if (twice) await log.compact()
        await log.compact()

        const sealed = all.filter(([offset]) => offset < activeBase)
        const isLast = ([offset, name]: Pair): boolean => sealed.findLast(([, other]) => other === name)![0] === offset
        const expected = all.filter((pair) => pair[0] >= activeBase || isLast(pair))
        expect(await pairs(log)).toEqual(expected)
        const reopened = await PartitionLog.open(await afterKill(dir))
        expect(await pairs(reopened)).toEqual(expected)
        await log.delete()
      },
    ),
    {numRuns: 25},
  )
})
