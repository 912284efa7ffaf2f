import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {gunzipSync, zstdDecompressSync} from 'node:zlib'

import {parquetReadObjects} from 'hyparquet'

import {directories} from '../src/core/directory.ts'
import {type FormatSettings, formatOf} from '../src/core/format.ts'
import {rowOf} from '../src/core/row.ts'
import {readSettings} from '../src/settings.ts'
import {HOUR, read, record, TEN_O_CLOCK} from './events.ts'

const PLACES = {
  prefix: 'topics',
  pathFormat: '{topic}/{partition}/{year}-{month}-{day}T{hour}',
  timeZone: 'UTC',
  timeField: '',
  value: 'bytes',
} as const

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const placeOf = (given: Parameters<typeof record>[1], settings: object = {}) =>
  directories({...PLACES, ...settings})(rowOf(record(7, given)))

describe('a directory', () => {
  it('is the hour of the record', () => {
    assert.deepEqual(placeOf({}), {directory: 'topics/orders/0/2026-11-20T10'})
    assert.deepEqual(placeOf({timestamp: TEN_O_CLOCK + HOUR - 1}), {directory: 'topics/orders/0/2026-11-20T10'})
    assert.deepEqual(placeOf({timestamp: TEN_O_CLOCK + HOUR}), {directory: 'topics/orders/0/2026-11-20T11'})
    assert.deepEqual(placeOf({timestamp: 0}), {directory: 'topics/orders/0/1970-01-01T00'})
  })

  it('follows the clocks of its time zone, when they are changed too', () => {
    const hourAt = (time: string) => placeOf({timestamp: Date.parse(time)}, {timeZone: 'Europe/Berlin'}).directory.slice(-13)

    assert.deepEqual(
      [
        '2026-03-29T00:59:59Z',
        '2026-03-29T01:00:00Z',
        '2026-10-25T00:30:00Z',
        '2026-10-25T01:30:00Z',
        '2026-12-31T23:00:00Z',
      ].map(hourAt),
      ['2026-03-29T01', '2026-03-29T03', '2026-10-25T02', '2026-10-25T02', '2027-01-01T00'],
    )
  })

  it('takes the time of a field, as a text or as milliseconds; a tombstone has only its own', () => {
    const of = (value: string | null, timeField = 'at') =>
      placeOf({value: value === null ? null : base64(value)}, {timeField}).directory

    assert.equal(of('{"at":"2026-01-02T03:04:05Z"}'), 'topics/orders/0/2026-01-02T03')
    assert.equal(of('{"at":1767323045000}'), 'topics/orders/0/2026-01-02T03')
    assert.equal(of(null), 'topics/orders/0/2026-11-20T10')
    for (const bad of ['{"at":"soon"}', '{"at":"1"}', '{"at":null}', '{}', '[]', 'null', 'no json', ''])
      assert.equal(of(bad), 'errors/orders')
    assert.equal(of('{"at":1}', '__proto__'), 'errors/orders')
  })

  it('is apart for a record without a usable time, and tells why', () => {
    for (const timestamp of [-1, 253_402_300_800_000, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])
      assert.deepEqual(placeOf({timestamp}), {directory: 'errors/orders', refused: 'it has no usable time'})
    assert.deepEqual(placeOf({value: '/wCA'}, {value: 'json'}), {directory: 'errors/orders', refused: 'the value is no JSON'})
  })
})

const FORMATS = {format: 'ndjson', compression: 'none', value: 'bytes'} as const
const encoded = (settings: Partial<FormatSettings>, ...records: ReturnType<typeof record>[]) => {
  const {encode, extension} = formatOf({...FORMATS, ...settings})
  return {bytes: encode({key: '', rows: records.map(rowOf), refused: false}), extension}
}

describe('a file of lines', () => {
  const value = (text: string, kind: 'bytes' | 'json') =>
    encoded({value: kind}, record(1, {value: base64(text)})).bytes.toString()

  it('has bytes as text where that says the same', () => {
    const {bytes} = encoded(
      {},
      record(1, {key: '', value: '/wCA', headers: [{a: []}, {a: [255]}]}),
      record(2, {key: null, value: null}),
    )

    assert.deepEqual(
      bytes
        .toString()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map(({key, value, headers}) => [key, value, headers]),
      [
        [
          '',
          {base64: '/wCA'},
          [
            ['a', ''],
            ['a', {base64: '/w=='}],
          ],
        ],
        [null, null, []],
      ],
    )
  })

  it('has a JSON text as it is, on one line', () => {
    assert.match(
      value('{"n":1.0,\r\n "big":12345678901234567890}', 'json'),
      /"value":\{"n":1\.0, {1,2}"big":12345678901234567890\},/,
    )
    assert.match(value('\uFEFF"x"', 'json'), /"value":"x",/)
    assert.equal(value('"a\nb"', 'bytes').split('\n').length, 2)
  })

  it('has the number for a time that ISO 8601 cannot write', () => {
    assert.match(encoded({}, record(1, {timestamp: 253_402_300_800_000})).bytes.toString(), /"timestamp":253402300800000,/)
    assert.match(encoded({}, record(1, {timestamp: -1})).bytes.toString(), /"timestamp":"1969-12-31T23:59:59.999Z",/)
  })

  it('is compressed as it is told, the same each time', () => {
    const plain = encoded({}, record(1)).bytes
    const [gzip, zstd] = [encoded({compression: 'gzip'}, record(1)), encoded({compression: 'zstd'}, record(1))]

    assert.deepEqual([gzip.extension, zstd.extension], ['ndjson.gz', 'ndjson.zst'])
    assert.deepEqual([gunzipSync(gzip.bytes), zstdDecompressSync(zstd.bytes)], [plain, plain])
    assert.deepEqual(gzip.bytes, encoded({compression: 'gzip'}, record(1)).bytes)
  })
})

describe('a Parquet file', () => {
  const compressors = {GZIP: (bytes: Uint8Array) => gunzipSync(bytes), ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes)}
  const rowsOf = async (bytes: Buffer) => {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
    return parquetReadObjects({file, compressors, utf8: false})
  }

  it('has the hostile event back, byte for byte', async () => {
    const records = Object.values(read('hostile').records).flat()
    for (const compression of ['gzip', 'zstd', 'none'] as const) {
      const {bytes, extension} = encoded({format: 'parquet', compression}, ...records)

      assert.equal(extension, 'parquet')
      const rows = await rowsOf(bytes)
      const found = rows.map(({offset, key, value, headers}) => [
        Number(offset),
        key && Buffer.from(key).toString('base64'),
        value && Buffer.from(value).toString('base64'),
        headers.map((header: any) => [header.name, [...header.value]]),
      ])
      assert.deepEqual(
        found,
        records.map(({offset, key = null, value = null, headers}) => [offset, key, value, headers.flatMap(Object.entries)]),
      )
    }
  })

  it('has JSON values as texts', async () => {
    const rows = await rowsOf(encoded({format: 'parquet', value: 'json'}, record(1), record(2, {value: null})).bytes)

    assert.deepEqual(
      rows.map(({value}) => value),
      ['{"n":1}', null],
    )
  })
})

describe('the settings', () => {
  it('have defaults for everything but the bucket', () => {
    const {directories, format, table, claimMs} = readSettings({BUCKET: 'b', WATERMARK_TABLE: 'w'})

    assert.deepEqual(directories, {
      prefix: 'topics',
      pathFormat: '{topic}/year={year}/month={month}/day={day}/hour={hour}',
      timeZone: 'UTC',
      timeField: '',
      value: 'bytes',
    })
    assert.deepEqual([format, table, claimMs], [{format: 'ndjson', compression: 'gzip', value: 'bytes'}, '', 20_000])
  })

  it('tell all that is wrong at once', () => {
    const bad = {PREFIX: 'errors/x', PATH_FORMAT: '{yaer}', TIME_ZONE: 'Mars/Base', DELIVERY: 'exactly-once', FORMAT: 'csv'}

    assert.throws(
      () => readSettings(bad),
      /(?=.*BUCKET)(?=.*PREFIX)(?=.*PATH_FORMAT)(?=.*TIME_ZONE)(?=.*WATERMARK_TABLE)(?=.*FORMAT must be ndjson)/,
    )
    for (const PATH_FORMAT of ['/{hour}', '{hour', 'a//b', 'a b'])
      assert.throws(() => readSettings({BUCKET: 'b', PATH_FORMAT}), /PATH_FORMAT/)
  })
})
