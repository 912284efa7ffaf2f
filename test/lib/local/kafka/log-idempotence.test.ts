import {truncate} from 'node:fs/promises'
import {describe, expect, test} from 'vitest'

import {write} from '../../../../src/lib/local/kafka/log/files.js'
import {type AppendResult, PartitionLog} from '../../../../src/lib/local/kafka/log.js'
import {afterKill, append, temporaryDirectory, values} from '../../../support/log.js'

const INVALID_PRODUCER_EPOCH = 47
const OUT_OF_ORDER_SEQUENCE = 45

type From = {id?: number; epoch?: number; sequence: number}

const produce = (log: PartitionLog, records: string[], {id = 9, epoch = 0, sequence}: From): Promise<AppendResult> =>
  append(log, records, {producerId: id, producerEpoch: epoch, baseSequence: sequence})

const openLog = async (): Promise<PartitionLog> => PartitionLog.open(await temporaryDirectory())

describe('sequences', () => {
  test('a gap is refused and changes nothing', async () => {
    const log = await openLog()
    await produce(log, ['a', 'b'], {sequence: 0})

    await expect(produce(log, ['d'], {sequence: 3})).rejects.toMatchObject({errorCode: OUT_OF_ORDER_SEQUENCE})
    await expect(produce(log, ['b'], {sequence: 1})).rejects.toMatchObject({errorCode: OUT_OF_ORDER_SEQUENCE})
    await produce(log, ['c'], {sequence: 2})

    expect(await values(log)).toEqual(['a', 'b', 'c'])
  })

  test('go on at 0 after 2^31 - 1, also in the middle of a batch', async () => {
    const last = 2 ** 31 - 1
    const log = await openLog()
    await produce(log, ['a'], {sequence: last - 1})
    await produce(log, ['b', 'c', 'd'], {sequence: last})
    await produce(log, ['e'], {sequence: 2})
    await produce(log, ['f'], {id: 10, sequence: last})
    await produce(log, ['g'], {id: 10, sequence: 0})

    expect(await produce(log, ['b', 'c', 'd'], {sequence: last})).toMatchObject({baseOffset: 1, duplicate: true})
    expect(await values(log)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  })

  test('of a producer that the log does not know may begin anywhere', async () => {
    const log = await openLog()

    await produce(log, ['a'], {sequence: 1234, epoch: 3})

    await expect(produce(log, ['b'], {sequence: 1236, epoch: 3})).rejects.toMatchObject({errorCode: OUT_OF_ORDER_SEQUENCE})
  })

  test('are counted by producer id and by partition log', async () => {
    const [one, two] = [await openLog(), await openLog()]

    await produce(one, ['a'], {id: 1, sequence: 0})
    await produce(one, ['b'], {id: 2, sequence: 0})
    await produce(two, ['c'], {id: 1, sequence: 0})
    await produce(one, ['d'], {id: 1, sequence: 1})

    expect(await values(one)).toEqual(['a', 'b', 'd'])
    expect(await values(two)).toEqual(['c'])
  })

  test('of batches that wait for one another are counted as they are sent', async () => {
    const log = await openLog()

    const results = await Promise.allSettled([
      produce(log, ['a'], {sequence: 0}),
      produce(log, ['b'], {sequence: 1}),
      produce(log, ['d'], {sequence: 3}),
      produce(log, ['c'], {sequence: 2}),
    ])

    expect(results.map(({status}) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect(await values(log)).toEqual(['a', 'b', 'c'])
  })
})

describe('epochs', () => {
  test('a lower one is fenced', async () => {
    const log = await openLog()
    await produce(log, ['a'], {epoch: 2, sequence: 0})

    await expect(produce(log, ['b'], {epoch: 1, sequence: 1})).rejects.toMatchObject({errorCode: INVALID_PRODUCER_EPOCH})
  })

  test('a higher one begins at 0 and ends the old one', async () => {
    const log = await openLog()
    await produce(log, ['a'], {epoch: 0, sequence: 0})

    await expect(produce(log, ['b'], {epoch: 1, sequence: 1})).rejects.toMatchObject({errorCode: OUT_OF_ORDER_SEQUENCE})
    expect(await produce(log, ['b'], {epoch: 1, sequence: 0})).toMatchObject({baseOffset: 1, duplicate: false})
    await expect(produce(log, ['c'], {epoch: 0, sequence: 1})).rejects.toMatchObject({errorCode: INVALID_PRODUCER_EPOCH})
  })
})

describe('duplicates', () => {
  test('of the last five batches are answered with the first offset; an older one is out of order', async () => {
    const log = await openLog()
    for (let sequence = 0; sequence < 6; sequence++) await produce(log, [`${sequence}`], {sequence})

    const again = await Promise.all([1, 2, 3, 4, 5].map((sequence) => produce(log, ['again'], {sequence})))

    expect(again).toEqual([1, 2, 3, 4, 5].map((baseOffset) => ({baseOffset, logAppendTimeMs: -1, duplicate: true})))
    await expect(produce(log, ['again'], {sequence: 0})).rejects.toMatchObject({errorCode: OUT_OF_ORDER_SEQUENCE})
    expect(await values(log)).toEqual(['0', '1', '2', '3', '4', '5'])
  })

  test('need the same first and last sequence', async () => {
    const log = await openLog()
    await produce(log, ['a', 'b'], {sequence: 0})

    await expect(produce(log, ['a'], {sequence: 0})).rejects.toMatchObject({errorCode: OUT_OF_ORDER_SEQUENCE})
  })

  test('wait until the first one is written, and fail with it', async () => {
    let fail = (_error: Error): void => {}
    const broken = new Promise<number>((_, reject) => {
      fail = reject
    })
    const writes = [() => broken]
    const log = await PartitionLog.open(await temporaryDirectory(), {write: (...args) => writes.shift()?.() ?? write(...args)})
    const settled: string[] = []

    const first = produce(log, ['a'], {sequence: 0})
    const retry = produce(log, ['a'], {sequence: 0})
    retry.catch(() => settled.push('retry'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    const early = [...settled]
    fail(new Error('no space left'))

    expect(early).toEqual([])
    await expect(first).rejects.toMatchObject({errorCode: 56})
    await expect(retry).rejects.toMatchObject({errorCode: 56})
    expect(await produce(log, ['a'], {sequence: 0})).toMatchObject({baseOffset: 0, duplicate: false})
  })

  test.each(['a restart', 'a kill'])('are known after %s', async (how) => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir)
    for (let sequence = 0; sequence < 7; sequence++) await produce(log, [`${sequence}`], {sequence, epoch: 1})
    const directory = how === 'a kill' ? await afterKill(dir) : dir
    await log.close()

    const reopened = await PartitionLog.open(directory)

    expect(await produce(reopened, ['2'], {sequence: 2, epoch: 1})).toMatchObject({baseOffset: 2, duplicate: true})
    expect(await produce(reopened, ['6'], {sequence: 6, epoch: 1})).toMatchObject({baseOffset: 6, duplicate: true})
    await expect(produce(reopened, ['1'], {sequence: 1, epoch: 1})).rejects.toMatchObject({errorCode: OUT_OF_ORDER_SEQUENCE})
    await expect(produce(reopened, ['8'], {sequence: 8, epoch: 1})).rejects.toMatchObject({errorCode: OUT_OF_ORDER_SEQUENCE})
    await expect(produce(reopened, ['7'], {sequence: 0, epoch: 0})).rejects.toMatchObject({errorCode: INVALID_PRODUCER_EPOCH})
    expect(await produce(reopened, ['7'], {sequence: 7, epoch: 1})).toMatchObject({baseOffset: 7, duplicate: false})
  })

  test('are known after a restart even when their records are deleted', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir, {segmentBytes: 50})
    for (let sequence = 0; sequence < 3; sequence++) await produce(log, ['v'], {sequence})
    await log.applyRetention(Date.now(), {retentionMs: 0, retentionBytes: -1})

    const reopened = await PartitionLog.open(await afterKill(dir))

    expect(await values(reopened)).toEqual([])
    expect(await produce(reopened, ['v'], {sequence: 2})).toMatchObject({baseOffset: 2, duplicate: true})
    expect(await produce(reopened, ['v'], {sequence: 3})).toMatchObject({baseOffset: 3, duplicate: false})
  })

  test('of batches that a crash took away are not taken for written', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir)
    await produce(log, ['a'], {sequence: 0})
    await produce(log, ['b'], {sequence: 1})
    await log.close()
    await truncate(`${dir}/00000000000000000000.log`, log.sizeInBytes - 1)

    const reopened = await PartitionLog.open(dir)

    expect(await produce(reopened, ['b'], {sequence: 1})).toMatchObject({baseOffset: 1, duplicate: false})
    expect(await values(reopened)).toEqual(['a', 'b'])
  })
})

test('a producer that was silent for seven days is forgotten', async () => {
  let now = 1_000_000
  const log = await PartitionLog.open(await temporaryDirectory(), {now: () => now})
  await produce(log, ['a'], {id: 1, sequence: 0})
  now += 7 * 24 * 60 * 60 * 1000
  await produce(log, ['b'], {id: 2, sequence: 0})

  expect(await produce(log, ['c'], {id: 1, sequence: 77})).toMatchObject({duplicate: false})
})

test('of many thousands of producers the ones seen last are kept', async () => {
  const log = await PartitionLog.open(await temporaryDirectory())
  await Promise.all(Array.from({length: 6000}, (_, id) => produce(log, ['v'], {id, sequence: 0})))

  expect(await produce(log, ['v'], {id: 5999, sequence: 0})).toMatchObject({duplicate: true})
  expect(await produce(log, ['v'], {id: 1000, sequence: 0})).toMatchObject({duplicate: true})
  expect(await produce(log, ['v'], {id: 0, sequence: 0})).toMatchObject({duplicate: false})
})
