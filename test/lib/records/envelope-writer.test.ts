import fc from 'fast-check'
import {describe, expect, test} from 'vitest'

import {encodeBatch, type Header, openBatch, type RecordInput} from '../../../src/lib/records/batch.js'
import {ByteWriter} from '../../../src/lib/records/byte-writer.js'
import {readEnvelope, writeEnvelope} from '../../../src/lib/records/envelope.js'
import {envelopeWriter} from '../../../src/lib/records/envelope-writer.js'
import {forEachRecord} from '../../../src/lib/records/record.js'

const text = (value: string) => Buffer.from(value)

/** What the two ways could take differently: escapes, what ends a line, characters of two to four bytes, and no UTF-8. */
const bytes = fc.oneof(
  fc.uint8Array({maxLength: 60}).map((array) => Buffer.from(array)),
  fc.string({unit: 'binary', maxLength: 60}).map(text),
  fc.string({unit: 'grapheme', maxLength: 20}).map(text),
  fc.constantFrom(
    ...['', '\0\u001f"\\/\b\f\n\r\t\u007f', '\u0080\u009f\u00a0', '\u2027\u2028\u2029\u202a', '\ufefe\ufeff', 'é€😀'].map(text),
    Buffer.from('eda080', 'hex'),
    Buffer.from('c080', 'hex'),
    Buffer.from('41efbb', 'hex'),
    Buffer.from('e2', 'hex'),
    Buffer.from('41c2', 'hex'),
  ),
)
const nullable = fc.option(bytes, {nil: null})
const header: fc.Arbitrary<Header> = fc.record({key: bytes, value: nullable})
const record = (timestamp: fc.Arbitrary<number>): fc.Arbitrary<RecordInput> =>
  fc.record({key: nullable, value: nullable, headers: fc.array(header, {maxLength: 3}), timestamp})

async function written(topic: string, partition: number, batch: Buffer): Promise<string[]> {
  const {header, section} = await openBatch(batch)
  const out = new ByteWriter()
  const write = envelopeWriter(topic)
  const lines: string[] = []
  forEachRecord(section, header, (bounds) => {
    const {at} = out
    write(out, section, bounds, partition)
    lines.push(out.written().subarray(at).toString('latin1'))
  })
  return lines
}

const slowly = (topic: string, partition: number, records: readonly RecordInput[]): string[] =>
  records.map((each, offset) => writeEnvelope({topic, partition, offset, ...each}).toString('latin1'))

describe('envelopes written from a batch', () => {
  test.each([
    ['of today', fc.integer({min: 1_700_000_000_000, max: 1_700_000_003_000})],
    ['around the ends of what has four digits of a year', fc.constantFrom(253_402_300_799_999, 253_402_300_800_000)],
    ['before the year 0', fc.constantFrom(-62_167_219_200_000, -62_167_219_200_001, -62_167_219_199_001)],
    ['around 1970', fc.integer({min: -1_001, max: 1_001})],
  ])('are those of writeEnvelope, byte for byte, at times %s', async (_, timestamp) => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({maxLength: 10}),
        fc.nat(100_000),
        fc.array(record(timestamp), {minLength: 1, maxLength: 5}),
        async (topic, partition, records) => {
          expect(await written(topic, partition, await encodeBatch(records))).toEqual(slowly(topic, partition, records))
        },
      ),
      {numRuns: 500},
    )
  })

  test('hold a value of 8,388,000 bytes, whatever they are', async () => {
    for (const byte of [0x00, 0x41, 0xff]) {
      const value = Buffer.alloc(8_388_000, byte)
      const batch = await encodeBatch([{key: null, value, headers: [], timestamp: 0}])

      const [line] = await written('t', 0, batch)

      expect(readEnvelope(Buffer.from(line!, 'latin1')).value!.equals(value)).toBe(true)
    }
  })
})

describe('whole numbers', () => {
  test('are written as decimals', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer()), (value) => {
        const out = new ByteWriter()
        out.integer(value)
        expect(out.written().toString()).toBe(String(value))
      }),
    )
  })
})
