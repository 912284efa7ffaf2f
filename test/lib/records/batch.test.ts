import {describe, expect, test} from 'vitest'
import {
  type BatchHeader,
  batchCrc,
  compressionOf,
  crcMatches,
  HEADER_BYTES,
  isControl,
  isTransactional,
  readBatchHeader,
  timestampType,
  writeBatchHeader,
} from '../../../src/lib/records/batch.js'
import {RecordError} from '../../../src/lib/records/record-error.js'

const header: BatchHeader = {
  baseOffset: 2 ** 41 + 7,
  batchLength: 53,
  leaderEpoch: 3,
  magic: 2,
  crc: 0,
  attributes: 0,
  lastOffsetDelta: 9,
  baseTimestamp: 1_700_000_000_123,
  maxTimestamp: 1_700_000_000_456,
  producerId: 4_000_000_001,
  producerEpoch: 5,
  baseSequence: 100,
  recordCount: 10,
  sizeInBytes: 65,
}

function batchAt(at: number, payload = Buffer.from('data')): {bytes: Buffer; header: BatchHeader} {
  const bytes = Buffer.concat([Buffer.alloc(at), Buffer.alloc(HEADER_BYTES), payload])
  writeBatchHeader(bytes, header, at)
  const crc = batchCrc(bytes, at, header.sizeInBytes)
  writeBatchHeader(bytes, {...header, crc}, at)
  return {bytes, header: {...header, crc}}
}

describe('the header of a batch', () => {
  test('reads back as it was written, at any place', () => {
    const written = batchAt(11)

    expect(readBatchHeader(written.bytes, 11)).toEqual(written.header)
  })

  test('keeps the -1 of a producer without an id', () => {
    const bytes = Buffer.alloc(HEADER_BYTES)

    writeBatchHeader(bytes, {...header, producerId: -1, producerEpoch: -1, baseSequence: -1, maxTimestamp: -1})

    expect(readBatchHeader(bytes)).toMatchObject({producerId: -1, producerEpoch: -1, baseSequence: -1, maxTimestamp: -1})
  })

  test('of fewer than 61 bytes is a RangeError', () => {
    expect(() => readBatchHeader(Buffer.alloc(60))).toThrow(RangeError)
  })
})

describe('crcMatches', () => {
  test('holds for an untouched batch, and still after the offset and the leader epoch were set', () => {
    const batch = batchAt(3)

    batch.bytes.writeInt32BE(77, 3 + 4)
    batch.bytes.writeInt32BE(78, 3 + 12)

    expect(crcMatches(batch.bytes, 3, batch.header)).toBe(true)
  })

  test('fails when any byte from the attributes on changes', () => {
    const {bytes, header} = batchAt(0)

    for (let at = 21; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 0x40
      expect(crcMatches(changed, 0, header), `byte ${at}`).toBe(false)
    }
  })

  test('fails when the batch is longer than what is there or shorter than its own header', () => {
    const batch = batchAt(0)

    expect(crcMatches(batch.bytes.subarray(0, -1), 0, batch.header)).toBe(false)
    expect(crcMatches(batch.bytes, 0, {...batch.header, sizeInBytes: 12})).toBe(false)
    expect(crcMatches(batch.bytes, 0, {...batch.header, sizeInBytes: -5})).toBe(false)
  })
})

describe('the attributes of a batch', () => {
  test('tell the codec', () => {
    expect([0, 1, 2, 3, 4].map((attributes) => compressionOf({attributes}))).toEqual(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
    expect(() => compressionOf({attributes: 5})).toThrow(RecordError)
  })

  test('tell who stamped the records, and whether they are transactional or a marker', () => {
    expect(timestampType({attributes: 0x07})).toBe('CreateTime')
    expect(timestampType({attributes: 0x08})).toBe('LogAppendTime')
    expect(isTransactional({attributes: 0x10})).toBe(true)
    expect(isTransactional({attributes: 0x2f})).toBe(false)
    expect(isControl({attributes: 0x20})).toBe(true)
    expect(isControl({attributes: 0x1f})).toBe(false)
  })
})
