import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, expect, test} from 'vitest'

import {FilePool} from '../../../../src/lib/local/kafka/log/file-pool.js'
import {type Write, write} from '../../../../src/lib/local/kafka/log/files.js'
import {PartitionLog} from '../../../../src/lib/local/kafka/log.js'
import {readBatchHeader} from '../../../../src/lib/records/batch.js'
import {afterKill, append, batchOf, readAll, temporaryDirectory, values} from '../../../support/log.js'

/** A disk with room for `left` bytes: takes a part of what does not fit, then says ENOSPC, as Linux does. */
class Disk {
  left = Number.POSITIVE_INFINITY

  readonly write: Write = async (descriptor, buffers, position) => {
    const bytes = Buffer.concat(buffers)
    const part = bytes.subarray(0, Math.min(bytes.length, this.left))
    if (part.length === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), {code: 'ENOSPC'})
    this.left -= part.length
    return write(descriptor, [part], position)
  }
}

/** A disk that takes its time: `done` ends what it is asked for first. */
class SlowDisk {
  syncs = 0
  atOnce = 0
  readonly #waiting: (() => void)[] = []

  readonly datasync = async (): Promise<void> => {
    this.syncs++
    const underWay = new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.atOnce = Math.max(this.atOnce, this.#waiting.length)
    await underWay
  }

  readonly done = (): void => this.#waiting.shift()?.()
}

describe('a slow disk', () => {
  test('is asked for one full segment at a time, of all partitions, and keeps no batch waiting', async () => {
    const disk = new SlowDisk()
    const open = async () => PartitionLog.open(await temporaryDirectory(), {segmentBytes: 100, datasync: disk.datasync})
    const logs = await Promise.all([open(), open(), open()])

    for (const log of logs) for (const value of ['a', 'b', 'c']) await append(log, [value])

    const syncs = () => {
      disk.done()
      return disk.syncs
    }
    await expect.poll(syncs).toBe(6)
    expect(disk.atOnce).toBe(1)
    disk.done()
  })
})

describe('a full disk', () => {
  test('fails the batch and those that wait behind it, leaves no bytes of them, and gives their offsets again', async () => {
    const dir = await temporaryDirectory()
    const disk = new Disk()
    const log = await PartitionLog.open(dir, {write: disk.write})
    await append(log, ['a'])
    disk.left = 100

    const results = await Promise.allSettled(['b', 'c', 'd'].map((value) => append(log, [value])))
    const file = await readFile(join(dir, '00000000000000000000.log'))
    disk.left = Number.POSITIVE_INFINITY
    const later = await append(log, ['e'])

    expect(results.map((result) => result.status === 'rejected' && result.reason)).toEqual(
      Array.from({length: 3}, () => expect.objectContaining({errorCode: 56, message: expect.stringContaining('ENOSPC')})),
    )
    expect(file.length).toBe(69)
    expect(later.baseOffset).toBe(1)
    expect(await values(log)).toEqual(['a', 'e'])
    expect(await values(await PartitionLog.open(await afterKill(dir)))).toEqual(['a', 'e'])
  })

  test('gives a producer its sequence again', async () => {
    const disk = new Disk()
    const log = await PartitionLog.open(await temporaryDirectory(), {write: disk.write})
    const from = (baseSequence: number) => ({producerId: 1, producerEpoch: 0, baseSequence})
    await append(log, ['a'], from(0))
    disk.left = 0

    await Promise.allSettled([append(log, ['b'], from(1)), append(log, ['c'], from(2))])
    disk.left = Number.POSITIVE_INFINITY

    await expect(append(log, ['c'], from(2))).rejects.toMatchObject({errorCode: 45})
    expect(await append(log, ['b'], from(1))).toMatchObject({baseOffset: 1, duplicate: false})
    expect(await append(log, ['c'], from(2))).toMatchObject({baseOffset: 2, duplicate: false})
  })

  test('at the beginning of a segment is no harm', async () => {
    const dir = await temporaryDirectory()
    const disk = new Disk()
    const log = await PartitionLog.open(dir, {write: disk.write, segmentBytes: 100})
    await append(log, ['a'])
    disk.left = 10

    await expect(append(log, ['b'])).rejects.toMatchObject({errorCode: 56})
    const killed = await PartitionLog.open(await afterKill(dir))
    disk.left = Number.POSITIVE_INFINITY
    await append(log, ['c'])

    expect(await values(killed)).toEqual(['a'])
    expect(await values(log)).toEqual(['a', 'c'])
  })

  test('that comes and goes under load leaves exactly the records that were acknowledged', async () => {
    const dir = await temporaryDirectory()
    const disk = new Disk()
    const log = await PartitionLog.open(dir, {write: disk.write, segmentBytes: 2000})
    const acknowledged: [offset: number, value: string][] = []

    for (let round = 0; round < 60; round++) {
      disk.left = round % 3 === 1 ? round * 5 : Number.POSITIVE_INFINITY
      const batches = await Promise.all(Array.from({length: 6}, (_, index) => batchOf([`${round}-${index}`])))
      const appends = batches.map(async (batch, index) => {
        const {baseOffset} = await log.append(batch, readBatchHeader(batch))
        acknowledged.push([baseOffset, `${round}-${index}`])
      })
      await Promise.allSettled(appends)
    }

    const stored = (records: {offset: number; value: string | null}[]): unknown =>
      records.map(({offset, value}) => [offset, value])
    expect(acknowledged.length).toBeGreaterThan(200)
    expect(acknowledged.length).toBeLessThan(360)
    expect(stored(await readAll(log))).toEqual(acknowledged)
    expect(stored(await readAll(await PartitionLog.open(await afterKill(dir))))).toEqual(acknowledged)
  })
})

describe('open files', () => {
  test('are no more than the pool allows, however many logs are busy at once', async () => {
    const files = new FilePool(3)
    let mostOpen = 0
    const counting: Write = (...args) => {
      mostOpen = Math.max(mostOpen, files.open)
      return write(...args)
    }
    const dir = await temporaryDirectory()
    const logs = await Promise.all(
      Array.from({length: 40}, (_, index) =>
        PartitionLog.open(join(dir, `${index}`), {files, write: counting, segmentBytes: 200}),
      ),
    )

    await Promise.all(logs.flatMap((log) => ['a', 'b', 'c', 'd', 'e'].map((value) => append(log, [value]))))
    const read = await Promise.all([...logs, ...logs].map(values))
    await Promise.all(logs.map((log) => log.close()))

    expect(mostOpen).toBe(3)
    expect(new Set(read.map(String))).toEqual(new Set(['a,b,c,d,e']))
    expect(files.open).toBe(0)
  })
})
