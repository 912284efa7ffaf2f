import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {decodeBatch, encodeBatch, type RecordInput} from '../../../src/lib/records/batch.js'
import {BatchWriter, encodeHeaders, largestSize, type RecordSpans} from '../../../src/lib/records/batch-writer.js'
import {compress} from '../../../src/lib/records/compression.js'

const IDENTITY = {producerId: 2 ** 40 + 1, producerEpoch: 3, baseSequence: 12_345}
const HEADROOM = 100

const bytes = fc.uint8Array({maxLength: 200}).map((array) => Buffer.from(array))
const record: fc.Arbitrary<RecordInput> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.record({key: bytes, value: fc.option(bytes)}), {maxLength: 3}),
  timestamp: fc.oneof(fc.integer({min: -1, max: 2 ** 42}), fc.constantFrom(1_700_000_000_000, 1_700_000_000_001)),
})

/** The record as spans of a buffer that has other things before and after. */
function spansOf({key, value, headers, timestamp}: RecordInput): RecordSpans {
  const input = Buffer.concat([Buffer.from('before'), key ?? Buffer.alloc(0), value ?? Buffer.alloc(0), Buffer.from('after')])
  const encoded = encodeHeaders(headers)
  const keyEnd = 6 + (key?.length ?? 0)
  return {
    key: key === null ? null : input,
    keyStart: 6,
    keyEnd,
    value: value === null ? null : input,
    valueStart: keyEnd,
    valueEnd: keyEnd + (value?.length ?? 0),
    headers: encoded,
    headersStart: 0,
    headersEnd: encoded?.length ?? 0,
    timestamp,
  }
}

function written(records: readonly RecordInput[], writer = new BatchWriter(Buffer.alloc(1_000_000), HEADROOM)): BatchWriter {
  writer.reset(0)
  for (const input of records) writer.append(spansOf(input))
  return writer
}

describe('a batch that is written record by record', () => {
  it('is the one that is encoded as a whole', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, {minLength: 1, maxLength: 30}), async (records) => {
        expect(written(records).finish(IDENTITY)).toEqual(await encodeBatch(records, IDENTITY))
      }),
    )
  })

  it('is the same in a buffer that was used before, and under another identity', async () => {
    const [first, second] = fc.sample(fc.array(record, {minLength: 1, maxLength: 300}), {numRuns: 2, seed: 7})
    const writer = written(first!)
    writer.finish(IDENTITY)

    const batch = written(second!, writer).finish({producerId: -1, producerEpoch: -1, baseSequence: -1})

    expect(batch).toEqual(await encodeBatch(second!))
  })

  it('has the index of each record at all its widths', async () => {
    const one = {key: null, value: Buffer.from('x'), headers: [], timestamp: 5}
    const records = Array.from({length: 20_000}, () => one)

    const decoded = await decodeBatch(written(records).finish(IDENTITY))

    expect(decoded.map(({offset}) => offset)).toEqual(records.map((_, index) => index))
  })

  it('gives records without a time that of the batch', async () => {
    const writer = new BatchWriter(Buffer.alloc(1_000), HEADROOM)
    writer.reset(1_700_000_000_000)
    for (let i = 0; i < 3; i++) {
      writer.append(spansOf({key: null, value: Buffer.from('v'), headers: [], timestamp: Number.NaN}))
    }

    const decoded = await decodeBatch(writer.finish(IDENTITY))

    expect(decoded.map(({timestamp}) => timestamp)).toEqual([1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_000])
  })

  it('never takes more than the largest size of its records', () => {
    fc.assert(
      fc.property(record, (input) => {
        const spans = spansOf(input)

        expect(written([input]).size - written([]).size).toBeLessThanOrEqual(largestSize(spans))
      }),
    )
  })

  it('refuses what does not fit before it runs over the end', () => {
    const input = {key: null, value: Buffer.alloc(500), headers: [], timestamp: 0}
    const writer = new BatchWriter(Buffer.alloc(HEADROOM + 1_000), HEADROOM)
    writer.reset(0)

    expect(writer.fits(spansOf(input))).toBe(true)
    writer.append(spansOf(input))
    expect(writer.fits(spansOf(input))).toBe(false)
  })

  it.each(['gzip', 'lz4', 'snappy', 'zstd'] as const)('compressed with %s has the same records', async (codec) => {
    const records = fc.sample(record, {numRuns: 200, seed: 11})
    const writer = written(records)

    // The bytes of a larger batch before it are still there.
    writer.takeCompressed(Buffer.alloc(2 * writer.size, 'x'))

    writer.takeCompressed(await compress(codec, writer.section))
    const {batch} = writer.finishCompressed(IDENTITY, codec)

    expect(await decodeBatch(batch)).toEqual(records.map((input, offset) => ({...input, offset})))
  })
})
