import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {RecordError} from '../../../src/lib/records/record-error.js'
import {readVarint, readVarlong, sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong} from '../../../src/lib/records/varint.js'

/** Of Apache Kafka's ByteUtilsTest. */
const VARINTS: [number, string][] = [
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [63, '7e'],
  [-64, '7f'],
  [64, '8001'],
  [-65, '8101'],
  [8191, 'fe7f'],
  [-8192, 'ff7f'],
  [8192, '808001'],
  [-8193, '818001'],
  [1048575, 'feff7f'],
  [134217727, 'feffff7f'],
  [-134217728, 'ffffff7f'],
  [134217728, '8080808001'],
  [2147483647, 'feffffff0f'],
  [-2147483648, 'ffffffff0f'],
]

const VARLONGS: [number, string][] = [
  ...VARINTS,
  [17179869183, 'feffffff7f'],
  [-17179869184, 'ffffffff7f'],
  [17179869184, '808080808001'],
  [281474976710655, 'feffffffffff7f'],
  [-281474976710656, 'ffffffffffff7f'],
]

const cursor = (bytes: Buffer) => ({bytes, at: 0, end: bytes.length})

describe.each([
  {name: 'a varint', vectors: VARINTS, read: readVarint, write: writeVarint, size: sizeOfVarint, bound: 2 ** 31 - 1},
  {name: 'a varlong', vectors: VARLONGS, read: readVarlong, write: writeVarlong, size: sizeOfVarlong, bound: 2 ** 52 - 1},
])('$name', ({vectors, read, write, size, bound}) => {
  test.each(vectors)('%d is %s', (value, hex) => {
    const bytes = Buffer.alloc(hex.length / 2)

    expect(write(bytes, value, 0)).toBe(bytes.length)

    expect(bytes.toString('hex')).toBe(hex)
    expect(size(value)).toBe(bytes.length)
    expect(read(cursor(bytes))).toBe(value)
  })

  test('reads back as what was written, and ends where it says', () => {
    fc.assert(
      fc.property(fc.integer({min: -bound, max: bound}), (value) => {
        const bytes = Buffer.alloc(12)
        const end = write(bytes, value, 1)
        const from = {bytes, at: 1, end}
        expect([read(from), from.at, size(value)]).toEqual([value, end, end - 1])
      }),
    )
  })

  test('that is cut off or does not end is a RecordError', () => {
    expect(() => read(cursor(Buffer.from('8080', 'hex')))).toThrow(RecordError)
    expect(() => read(cursor(Buffer.alloc(20, 0x80)))).toThrow(RecordError)
    expect(() => read({bytes: Buffer.from('8001', 'hex'), at: 0, end: 1})).toThrow(RecordError)
  })
})

test('a varlong that a number cannot hold exactly is a RecordError, read or written', () => {
  expect(() => readVarlong(cursor(Buffer.from('feffffffffffffffff01', 'hex')))).toThrow('beyond 2^52')
  expect(() => sizeOfVarlong(2 ** 53)).toThrow(RecordError)
  expect(() => writeVarlong(Buffer.alloc(12), -(2 ** 53), 0)).toThrow(RecordError)
})
