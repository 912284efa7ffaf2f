import {describe, expect, it} from 'vitest'

import type {FetchedBatch} from '../../../../src/lib/kafka/consume/fetch-loop.js'
import {envelopes, type RecordFormat, values} from '../../../../src/lib/kafka/consume/format.js'
import type {Output} from '../../../../src/lib/kafka/consume/output.js'
import {createSink, type SinkOptions} from '../../../../src/lib/kafka/consume/sink.js'
import {encodeBatch, openBatch} from '../../../../src/lib/records/batch.js'

type Options = Partial<SinkOptions> & {output?: Output}

/** A batch of the values at the offsets from `baseOffset` on. */
async function batch(
  values: readonly (string | null)[],
  options: Partial<FetchedBatch> & {baseOffset?: number} = {},
): Promise<FetchedBatch> {
  const {baseOffset = 0, ...rest} = options
  const records = values.map((value) => ({
    key: null,
    value: value === null ? null : Buffer.from(value),
    headers: [],
    timestamp: 0,
  }))
  const {header, section} = await openBatch(await encodeBatch(records))
  return {
    header: {...header, baseOffset},
    section,
    nextOffset: baseOffset + values.length,
    partition: 0,
    first: 0,
    end: Number.POSITIVE_INFINITY,
    ...rest,
  }
}

function sink(options: Options = {}) {
  const written: string[] = []
  const output = {
    isEmpty: true,
    write: async (...parts: Buffer[]) => {
      written.push(Buffer.concat(parts).toString())
    },
    close: async () => {},
  }
  return {
    written,
    ...createSink({format: rawValues, filter: null, limit: Number.POSITIVE_INFINITY, output, ...options}),
  }
}

const rawValues = values('string', Buffer.from('\n'))

/** Without the fast way. */
const slowRawValues: RecordFormat = {write: rawValues.write}

describe.each([
  ['compacted', rawValues],
  ['written', slowRawValues],
])('values %s', (_, format) => {
  it('are those of the range, each on its line, empty for a tombstone', async () => {
    const {take, flush, written, counts, progress} = sink({format})

    expect(await take(await batch(['a', null, 'ccc', '', 'e'], {first: 1, end: 4}))).toBe(true)
    await flush()

    expect(written.join('')).toBe('\nccc\n\n')
    expect(counts()).toEqual({scanned: 3, written: 3})
    expect([...progress()]).toEqual([[0, 4]])
  })

  it('end at the limit, which counts what is written, and progress ends behind the last one', async () => {
    const filter = (section: Buffer, {valueStart}: {valueStart: number}) => section[valueStart] !== 'x'.charCodeAt(0)
    const {take, flush, written, counts, progress, isFull} = sink({format, filter, limit: 3})

    expect(await take(await batch(['a', 'x', 'b']))).toBe(true)
    expect(await take(await batch(['x', 'c', 'd', 'e'], {baseOffset: 3}))).toBe(false)
    await flush()

    expect(written.join('')).toBe('a\nb\nc\n')
    expect(counts()).toEqual({scanned: 5, written: 3})
    expect([...progress()]).toEqual([[0, 5]])
    expect(isFull()).toBe(true)
  })

  it('are no longer than they were, however long', async () => {
    const texts = ['', 'a'.repeat(10_000), 'b', 'c'.repeat(200_000)]
    const {take, flush, written} = sink({format})

    for (const each of [['small'], texts, ['between'], texts, texts, ['last']]) await take(await batch(each))
    await flush()

    const lines = texts.map((value) => `${value}\n`).join('')
    expect(written.join('') === `small\n${lines}between\n${lines}${lines}last\n`).toBe(true)
  })
})

describe('a sink', () => {
  it('tells progress only of what is written, once', async () => {
    const writes: (() => void)[] = []
    const {take, push, flush, counts, progress} = sink({
      output: {isEmpty: true, write: () => new Promise((resolve) => writes.push(resolve)), close: async () => {}},
    })

    await take(await batch(['a']))
    await push()
    await take(await batch(['b'], {baseOffset: 1}))
    expect([...progress()]).toEqual([])
    expect(counts()).toEqual({scanned: 2, written: 0})

    writes.shift()!()
    const flushed = flush()
    await new Promise((resolve) => setImmediate(resolve))
    expect([...progress()]).toEqual([[0, 1]])

    writes.shift()!()
    await flushed
    expect([...progress()]).toEqual([[0, 2]])
    expect([...progress()]).toEqual([])
  })

  it('keeps its buffers apart when it is flushed while a batch is on its way', async () => {
    const written: string[] = []
    const {take, push, flush, counts} = sink({
      output: {
        isEmpty: true,
        async write(bytes) {
          await new Promise((resolve) => setImmediate(resolve))
          written.push(bytes.toString())
        },
        close: async () => {},
      },
    })

    await take(await batch(['a']))
    const pushes = [push(), flush()]
    await take(await batch(['b'], {baseOffset: 1}))
    pushes.push(push(), flush())
    await take(await batch(['c'], {baseOffset: 2}))
    await Promise.all([...pushes, flush()])

    expect(written.join('')).toBe('a\nb\nc\n')
    expect(counts().written).toBe(3)
  })

  it('writes small batches and a large one after them in one, which is written as a whole or not at all', async () => {
    const {take, flush, written, counts, progress} = sink()

    await take(await batch(['small']))
    await take(await batch(['x'.repeat(200_000)], {baseOffset: 1}))
    await flush()

    expect(written.map(({length}) => length)).toEqual(['small\n'.length + 200_001])
    expect(counts().written).toBe(2)
    expect([...progress()]).toEqual([[0, 2]])
  })

  it('moves on over batches of which nothing is seen', async () => {
    const {take, flush, written, progress} = sink()

    await take(await batch(['marker'], {section: null, nextOffset: 9}))
    await flush()

    expect(written).toEqual([])
    expect([...progress()]).toEqual([[0, 9]])
  })

  it('writes nothing of a batch that does not hold together, and all of those before it', async () => {
    const broken = await batch(['one', 'two', 'three'], {baseOffset: 1})
    broken.section![broken.section!.length - 3] = 0x7f
    const {take, flush, written, counts, progress} = sink({format: envelopes('t', 'string')})

    await take(await batch(['fine']))
    await expect(take({...broken, section: broken.section!.subarray(0, -1)})).rejects.toThrow()
    await flush()

    expect(written.join('').trim().split('\n')).toHaveLength(1)
    expect(counts()).toEqual({scanned: 1, written: 1})
    expect([...progress()]).toEqual([[0, 1]])
  })

  it('begins with the head of its format, also where no record follows, but not where a file goes on', async () => {
    const format = {head: 'names\n', write: rawValues.write}
    const [empty, going] = [
      sink({format}),
      sink({format, output: {isEmpty: false, write: async () => {}, close: async () => {}}}),
    ]

    await empty.flush()
    await going.take(await batch(['a']))
    await going.flush()

    expect(empty.written).toEqual(['names\n'])
    expect(going.written).toEqual([])
  })

  it('fails where its output fails, and has not progressed', async () => {
    const {take, push, flush, counts, progress} = sink({
      output: {
        isEmpty: true,
        write: async () => {
          throw new Error('full')
        },
        close: async () => {},
      },
    })

    await take(await batch(['a']))
    await push()

    await expect(flush()).rejects.toThrow('full')
    expect(counts().written).toBe(0)
    expect([...progress()]).toEqual([])
  })
})
