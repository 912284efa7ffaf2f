import {readFile, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import fc from 'fast-check'
import {describe, expect, test} from 'vitest'

import {PartitionLog} from '../../../../src/lib/local/kafka/log.js'
import {HEADER_BYTES} from '../../../../src/lib/records/batch.js'
import {afterKill, append, segmentFiles, temporaryDirectory, values} from '../../../support/log.js'

const FIRST_SEGMENT = '00000000000000000000.log'

/** The bytes of a segment with the batches `['a', 'b']` and `['c']`, and how many bytes the first one has. */
async function twoBatches(): Promise<{bytes: Buffer; first: number}> {
  const dir = await temporaryDirectory()
  const log = await PartitionLog.open(dir)
  await append(log, ['a', 'b'])
  const first = log.sizeInBytes
  await append(log, ['c'])
  return {bytes: await readFile(join(dir, FIRST_SEGMENT)), first}
}

async function openWith(bytes: Buffer): Promise<PartitionLog> {
  const dir = await temporaryDirectory()
  await writeFile(join(dir, FIRST_SEGMENT), bytes)
  return PartitionLog.open(dir)
}

describe('a crash', () => {
  test('loses nothing of what was acknowledged', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir, {segmentBytes: 200})
    for (const value of ['a', 'b', 'c', 'd', 'e']) await append(log, [value])

    const reopened = await PartitionLog.open(await afterKill(dir), {segmentBytes: 200})
    await append(reopened, ['f'])

    expect(await values(reopened)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(reopened.recovered).toEqual({truncatedBytes: 0})
  })

  test('at any byte of the last batch leaves the batches before it, and a log that goes on', async () => {
    const {bytes, first} = await twoBatches()

    for (let length = first; length < bytes.length; length++) {
      const log = await openWith(bytes.subarray(0, length))
      await append(log, ['d'])

      expect(log.recovered).toEqual({truncatedBytes: length - first})
      expect(await values(log)).toEqual(['a', 'b', 'd'])
      await log.delete()
    }
  })

  test('that left zeros or noise behind the last batch is cut back', async () => {
    const {bytes} = await twoBatches()
    const tails = [Buffer.alloc(5000), Buffer.alloc(61, 0xff), Buffer.from('PK\x03\x04'), bytes.subarray(0, 50)]

    for (const tail of tails) {
      const log = await openWith(Buffer.concat([bytes, tail]))

      expect(log.recovered).toEqual({truncatedBytes: tail.length})
      expect(await values(log)).toEqual(['a', 'b', 'c'])
    }
  })

  test('that repeated a batch is cut back: offsets only ascend', async () => {
    const {bytes, first} = await twoBatches()

    const log = await openWith(Buffer.concat([bytes, bytes.subarray(0, first)]))

    expect(log.recovered).toEqual({truncatedBytes: first})
    expect(log.highWatermark).toBe(3)
  })
})

describe('a flipped bit', () => {
  test('in anything but base offset and leader epoch cuts the log there', async () => {
    const {bytes, first} = await twoBatches()
    const covered = (byte: number): boolean => (byte >= 8 && byte < 12) || byte >= 16

    await fc.assert(
      fc.asyncProperty(fc.nat({max: bytes.length - 1}), fc.nat({max: 7}), async (at, bit) => {
        fc.pre(covered(at < first ? at : at - first))
        const damaged = Buffer.from(bytes)
        damaged[at]! ^= 1 << bit
        const log = await openWith(damaged)
        const kept = at < first ? [] : ['a', 'b']
        expect(await values(log)).toEqual(kept)
        expect(log.highWatermark).toBe(kept.length)
        await log.delete()
      }),
      {numRuns: 150},
    )
  })

  test('in a segment takes the later segments with it, and new records follow the last good one', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir, {segmentBytes: 150})
    for (const value of ['a', 'b', 'c', 'd', 'e', 'f']) await append(log, [value])
    const killed = await afterKill(dir)
    const second = join(killed, (await segmentFiles(killed))[1]!)
    const bytes = await readFile(second)
    bytes[bytes.length - 1]! ^= 1
    await writeFile(second, bytes)

    const reopened = await PartitionLog.open(killed, {segmentBytes: 150})
    await append(reopened, ['new'])

    expect(reopened.recovered).toEqual({truncatedBytes: 3 * 69})
    expect(await values(reopened)).toEqual(['a', 'b', 'c', 'new'])
    expect((await segmentFiles(killed)).map((name) => Number(name.slice(0, 20)))).toEqual([0, 2])
    const again = await PartitionLog.open(await afterKill(killed))
    expect(await values(again)).toEqual(['a', 'b', 'c', 'new'])
  })
})

describe('after a clean shutdown', () => {
  test('batches are not read again, only their headers', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir)
    await append(log, ['a', 'b'])
    await append(log, ['c'])
    await log.close()
    const bytes = await readFile(join(dir, FIRST_SEGMENT))
    bytes[HEADER_BYTES + 8]! ^= 1
    await writeFile(join(dir, FIRST_SEGMENT), bytes)

    const reopened = await PartitionLog.open(dir)

    expect(reopened.recovered).toEqual({truncatedBytes: 0})
    expect(reopened.highWatermark).toBe(3)
  })

  test('what was written later is checked', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir)
    await append(log, ['a'])
    await log.close()
    const second = await PartitionLog.open(dir)
    await append(second, ['b'])
    const killed = await afterKill(dir)
    const bytes = await readFile(join(killed, FIRST_SEGMENT))
    bytes[bytes.length - 1]! ^= 1
    await writeFile(join(killed, FIRST_SEGMENT), bytes)

    const reopened = await PartitionLog.open(killed)

    expect(reopened.recovered).toEqual({truncatedBytes: 69})
    expect(await values(reopened)).toEqual(['a'])
  })

  test('a segment that became shorter is checked as a whole, and what is written in its place later too', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir)
    for (const value of ['a', 'b', 'c']) await append(log, [value])
    await log.close()
    await truncate(join(dir, FIRST_SEGMENT), 100)

    const reopened = await PartitionLog.open(dir)
    for (const value of ['new', 'newer', 'newest']) await append(reopened, [value])
    const killed = await afterKill(dir)
    const bytes = await readFile(join(killed, FIRST_SEGMENT))
    bytes[69 + HEADER_BYTES + 8]! ^= 1
    await writeFile(join(killed, FIRST_SEGMENT), bytes)
    const again = await PartitionLog.open(killed)

    expect(reopened.recovered).toEqual({truncatedBytes: 31})
    expect(await values(reopened)).toEqual(['a', 'new', 'newer', 'newest'])
    expect(await values(again)).toEqual(['a'])
  })

  test('nothing is written when nothing has changed', async () => {
    const dir = await temporaryDirectory()
    const log = await PartitionLog.open(dir)

    await log.close()

    await expect(readFile(join(dir, 'checkpoint'))).rejects.toMatchObject({code: 'ENOENT'})
  })
})

test('a checkpoint that is damaged, empty or of another version does not keep the log from opening', async () => {
  const dir = await temporaryDirectory()
  const log = await PartitionLog.open(dir)
  await append(log, ['a'], {producerId: 1, producerEpoch: 0, baseSequence: 0})
  await log.close()
  const good = await readFile(join(dir, 'checkpoint'), 'utf8')

  for (const text of [
    '',
    'x',
    '{}',
    good.replace('logStartOffset', 'logStartOffsex'),
    good.slice(0, -1),
    good.replace('checkpoint 1', 'checkpoint 2'),
  ]) {
    await writeFile(join(dir, 'checkpoint'), text)
    const reopened = await PartitionLog.open(dir)
    expect(await values(reopened)).toEqual(['a'])
  }
})

test('files of others are left alone, unfinished ones of its own are removed', async () => {
  const dir = await temporaryDirectory()
  await writeFile(join(dir, 'notes.txt'), 'mine')
  await writeFile(join(dir, '00000000000000000007.log.cleaned'), 'unfinished')
  await writeFile(join(dir, 'checkpoint.tmp'), 'unfinished')

  const log = await PartitionLog.open(dir)
  await append(log, ['a'])

  expect(await readFile(join(dir, 'notes.txt'), 'utf8')).toBe('mine')
  expect(await segmentFiles(dir)).toEqual([FIRST_SEGMENT])
  await expect(readFile(join(dir, '00000000000000000007.log.cleaned'))).rejects.toMatchObject({code: 'ENOENT'})
  await expect(readFile(join(dir, 'checkpoint.tmp'))).rejects.toMatchObject({code: 'ENOENT'})
})
