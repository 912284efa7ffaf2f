import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {
  type BatchHeader,
  batchCrc,
  compressionOf,
  crcMatches,
  type DecodedRecord,
  decodeBatch,
  encodeBatch,
  HEADER_BYTES,
  isControl,
  isTransactional,
  type RecordInput,
  readBatchHeader,
  timestampType,
  writeBatchHeader,
} from '../../../src/lib/records/batch.js'
import {RecordError} from '../../../src/lib/records/record-error.js'
import {fixture, javaRecord, kcatLine} from './vectors.js'

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

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

describe('decodeBatch', () => {
  test.each(CODECS)('reads what the Java clients wrote with codec %s', async (codec) => {
    const bytes = fixture(`java-${codec}`)

    const records = await decodeBatch(bytes)

    const count = codec === 'none' ? 20 : 600
    expect(records).toEqual(Array.from({length: count}, (_, i) => ({offset: 5_000_000_000 + i, ...javaRecord(i)})))
    const header = readBatchHeader(bytes)
    expect(compressionOf(header)).toBe(codec)
    expect(header).toMatchObject({
      baseOffset: 5_000_000_000,
      leaderEpoch: 3,
      producerId: 4_000_000_001,
      producerEpoch: 7,
      baseSequence: 42,
      recordCount: count,
      lastOffsetDelta: count - 1,
      sizeInBytes: bytes.length,
    })
  })

  test.each(CODECS)('reads what kcat sent with codec %s', async (codec) => {
    const bytes = fixture(`kcat-${codec}`)

    const records = await decodeBatch(bytes)

    const {baseTimestamp, maxTimestamp} = readBatchHeader(bytes)
    expect(compressionOf(readBatchHeader(bytes))).toBe(codec)
    expect(records.map(({timestamp, ...record}) => record)).toEqual(
      Array.from({length: codec === 'none' ? 20 : 600}, (_, offset) => ({offset, ...kcatLine(offset)})),
    )
    expect(records[0]!.timestamp).toBe(baseTimestamp)
    expect(Math.max(...records.map((record) => record.timestamp))).toBe(maxTimestamp)
  })

  test('gives every record the time of the batch under LogAppendTime', async () => {
    const records = await decodeBatch(fixture('java-log-append-time'))

    expect(records.map((record) => record.timestamp)).toEqual(Array(5).fill(1_700_000_009_999))
  })

  test('reads a batch at any place, and leaves what follows it alone', async () => {
    const batch = fixture('java-lz4')

    const records = await decodeBatch(Buffer.concat([Buffer.alloc(9), batch, batch]), 9)

    expect(records).toHaveLength(600)
  })

  test('of a transaction marker shows it, and the header tells that it is one', async () => {
    const bytes = fixture('java-commit-marker')

    expect(isControl(readBatchHeader(bytes))).toBe(true)
    expect(await decodeBatch(bytes)).toMatchObject([{offset: 77, key: Buffer.from([0, 0, 0, 1])}])
  })

  test('refuses a flipped bit anywhere behind the leader epoch', async () => {
    const bytes = fixture('java-none')

    for (let at = 16; at < bytes.length; at += 5) {
      const flipped = Buffer.from(bytes)
      flipped[at]! ^= 1
      await expect(decodeBatch(flipped), `byte ${at}`).rejects.toThrow(RecordError)
    }
  })

  test('refuses a batch that is cut off anywhere', async () => {
    const bytes = fixture('java-log-append-time')

    for (let end = 0; end < bytes.length; end++) {
      await expect(decodeBatch(bytes.subarray(0, end)), `${end} bytes`).rejects.toThrow(RecordError)
    }
  })

  test('refuses a batch that decompresses to more than is allowed', async () => {
    for (const codec of CODECS.slice(1)) {
      await expect(decodeBatch(fixture(`java-${codec}`), 0, {maxBytes: 20_000}), codec).rejects.toThrow(RecordError)
    }
  })

  test('refuses malformed records under a right checksum, whatever is malformed, and throws nothing else', async () => {
    const template = await encodeBatch(Array.from({length: 4}, (_, i) => javaRecord(i)))
    await fc.assert(
      fc.asyncProperty(fc.nat(template.length - 22), fc.nat(255), fc.nat(template.length), async (place, byte, cut) => {
        const bytes = Buffer.from(template.subarray(0, Math.max(cut, HEADER_BYTES)))
        bytes[Math.min(21 + place, bytes.length - 1)] = byte
        bytes.writeInt32BE(bytes.length - 12, 8)
        bytes.writeUInt32BE(batchCrc(bytes, 0, bytes.length), 17)
        const result = await decodeBatch(bytes).catch((error: unknown) => error)
        expect(Array.isArray(result) || result instanceof RecordError, String(result)).toBe(true)
      }),
    )
  })

  test('allocates nothing for two billion records that are not there', async () => {
    const bytes = await encodeBatch([javaRecord(0)])
    bytes.writeInt32BE(0x7fffffff, 57)
    bytes.writeUInt32BE(batchCrc(bytes, 0, bytes.length), 17)

    await expect(decodeBatch(bytes)).rejects.toThrow('do not fit')
  })
})

const bytes = fc.uint8Array({maxLength: 300}).map((array) => Buffer.from(array))
const nullable = fc.option(bytes, {nil: null})
const record: fc.Arbitrary<RecordInput> = fc.record({
  key: nullable,
  value: nullable,
  headers: fc.array(fc.record({key: bytes, value: nullable}), {maxLength: 4}),
  timestamp: fc.integer({min: -1, max: 2 ** 50}),
})

describe('encodeBatch', () => {
  test('writes, uncompressed, the very bytes of the Java clients', async () => {
    const java = fixture('java-none')
    const records = Array.from({length: 20}, (_, i) => javaRecord(i))

    const ours = await encodeBatch(records, {producerId: 4_000_000_001, producerEpoch: 7, baseSequence: 42})

    const offsetAndEpoch = java.subarray(0, 16)
    offsetAndEpoch.copy(ours)
    expect(ours.toString('hex')).toBe(java.toString('hex'))
  })

  test.each(CODECS)('with codec %s decodes to the same records', async (compression) => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, {minLength: 1, maxLength: 30}), async (records) => {
        const batch = await encodeBatch(records, {compression})
        const decoded = await decodeBatch(batch)
        expect(decoded).toEqual(records.map((input, offset): DecodedRecord => ({offset, ...input})))
        expect(readBatchHeader(batch)).toMatchObject({
          recordCount: records.length,
          baseTimestamp: records[0]!.timestamp,
          maxTimestamp: Math.max(...records.map(({timestamp}) => timestamp)),
          producerId: -1,
        })
      }),
    )
  })

  test('refuses an empty batch, and timestamps that are not whole or too far apart', async () => {
    const at = (timestamp: number): RecordInput => ({key: null, value: null, headers: [], timestamp})

    await expect(encodeBatch([])).rejects.toThrow(RecordError)
    await expect(encodeBatch([at(0.5)])).rejects.toThrow(RecordError)
    await expect(encodeBatch([at(2 ** 53)])).rejects.toThrow(RecordError)
    await expect(encodeBatch([at(0), at(2 ** 53 - 1)])).rejects.toThrow(RecordError)
  })
})
