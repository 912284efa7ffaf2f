import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {type Envelope, EnvelopeError, readEnvelope, writeEnvelope} from '../../../src/lib/records/envelope.js'

const text = (value: string) => Buffer.from(value)
const read = (line: string) => readEnvelope(Buffer.from(line))

/** Bytes that are text more often than not, and text that readers of JSON and of lines stumble over. */
const bytes = fc.oneof(
  fc.uint8Array({maxLength: 60}).map((array) => Buffer.from(array)),
  fc.string({unit: 'binary', maxLength: 60}).map(text),
  fc.constantFrom(
    ...[
      '\u2028\u2029',
      '\0',
      '\u0085\u009b2J',
      '\u007f',
      '\ufeff',
      '"\\/\b\f\n\r\t',
      '\u{1f600}',
      '\ufffe\uffff',
      '{"base64":"AA=="}',
    ].map(text),
    Buffer.from('eda080', 'hex'), // the CESU-8 form of a lone surrogate
    Buffer.from('c080', 'hex'), // an overlong NUL
    Buffer.from('efbbbf41', 'hex'),
  ),
)
const nullable = fc.option(bytes, {nil: null})
const envelope: fc.Arbitrary<Envelope> = fc.record(
  {
    topic: fc.string({maxLength: 20}),
    partition: fc.nat(2 ** 31 - 1),
    offset: fc.maxSafeNat(),
    timestamp: fc.oneof(fc.maxSafeInteger(), fc.integer({min: -62_167_219_200_000, max: 253_402_300_799_999})),
    key: nullable,
    value: nullable,
    headers: fc.array(fc.record({key: bytes, value: nullable}), {maxLength: 4}),
  },
  {requiredKeys: ['key', 'value', 'headers']},
)

describe('an envelope', () => {
  test('is the line that the documentation shows', () => {
    const line = writeEnvelope({
      topic: 'orders',
      partition: 2,
      offset: 41,
      timestamp: Date.UTC(2026, 10, 20, 10, 0, 0, 123),
      key: text('k'),
      value: text('v'),
      headers: [
        {key: text('trace'), value: text('1')},
        {key: text('trace'), value: text('2')},
      ],
    })

    expect(line.toString()).toBe(
      '{"topic":"orders","partition":2,"offset":41,"timestamp":"2026-11-20T10:00:00.123Z","key":"k","value":"v","headers":[["trace","1"],["trace","2"]]}',
    )
  })

  test('reads back as the same bytes, whatever they are', () => {
    fc.assert(
      fc.property(envelope, (written) => {
        const {topic, offset, ...record} = written
        expect(readEnvelope(writeEnvelope(written))).toEqual(record)
      }),
      {numRuns: 2000},
    )
  })

  test('is JSON for others too, on one line by any reading, without control characters', () => {
    fc.assert(
      fc.property(envelope, (written) => {
        const line = writeEnvelope(written).toString()
        const parsed = JSON.parse(line)
        expect(bytesOf(parsed.key)).toEqual(written.key)
        expect(bytesOf(parsed.value)).toEqual(written.value)
        expect(parsed.headers.map((pair: JsonBytes[]) => pair.map(bytesOf))).toEqual(
          written.headers.map(({key, value}) => [key, value]),
        )
        expect(parsed.topic).toBe(written.topic)
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/)
      }),
      {numRuns: 2000},
    )
  })

  test('tells null, empty, text and other bytes apart', () => {
    const line = writeEnvelope({key: null, value: text(''), headers: [{key: Buffer.from([0xff]), value: null}]}).toString()

    expect(line).toBe('{"key":null,"value":"","headers":[[{"base64":"/w=="},null]]}')
  })

  test('has the number as timestamp only outside the years 0000 to 9999', () => {
    const written = (timestamp: number) =>
      JSON.parse(writeEnvelope({timestamp, key: null, value: null, headers: []}).toString()).timestamp

    expect(written(-62_167_219_200_000)).toBe('0000-01-01T00:00:00.000Z')
    expect(written(-62_167_219_200_001)).toBe(-62_167_219_200_001)
    expect(written(253_402_300_799_999)).toBe('9999-12-31T23:59:59.999Z')
    expect(written(253_402_300_800_000)).toBe(253_402_300_800_000)
    expect(written(-1)).toBe('1969-12-31T23:59:59.999Z')
  })
})

describe('reading an envelope', () => {
  test('needs only a value: the key is null and there are no headers', () => {
    expect(read('{"value":"v"}')).toEqual({key: null, value: text('v'), headers: []})
    expect(read(' { "value" : null } \r')).toEqual({key: null, value: null, headers: []})
  })

  test('drops the topic and the offset, which never route, and keeps the partition', () => {
    expect(read('{"topic":"t","partition":7,"offset":3,"value":""}')).toEqual({
      key: null,
      value: text(''),
      headers: [],
      partition: 7,
    })
  })

  test('takes escapes for what they stand for, in names too', () => {
    expect(read('{"\\u0076alue":"\\u00e9\\n\\ud83d\\ude00\\/"}').value).toEqual(text('é\n😀/'))
    expect(read('{"value":"v","headers":[["\\u0074",{"base64":"AAE="}]]}').headers).toEqual([
      {key: text('t'), value: Buffer.from([0, 1])},
    ])
  })

  test.each([
    ['"2026-11-20T10:00:00.123Z"', Date.UTC(2026, 10, 20, 10, 0, 0, 123)],
    ['"2026-11-20T10:00:00.1Z"', Date.UTC(2026, 10, 20, 10, 0, 0, 100)],
    ['"2026-11-20T10:00:00"', Date.UTC(2026, 10, 20, 10)],
    ['"2026-11-20T10:00+02:00"', Date.UTC(2026, 10, 20, 8)],
    ['"2026-11-20T10:00:00-05:30"', Date.UTC(2026, 10, 20, 15, 30)],
    ['"2024-02-29T00:00:00Z"', Date.UTC(2024, 1, 29)],
    ['1700000000000', 1_700_000_000_000],
    ['-1', -1],
    ['-0', 0],
    ['9007199254740991', 9_007_199_254_740_991],
  ])('takes the timestamp %s', (json, timestamp) => {
    expect(read(`{"value":"v","timestamp":${json}}`).timestamp).toBe(timestamp)
  })

  test.each([
    ['"2026-02-30T10:00:00Z"'],
    ['"2026-11-20T24:00:00Z"'],
    ['"2026-11-20T10:00:00.1234Z"'],
    ['"2026-11-20T10:00:00+24:00"'],
    ['"2026-11-20 10:00:00"'],
    ['"yesterday"'],
    ['9007199254740992'],
    ['1700000000000.5'],
    ['1.7e12'],
    ['01'],
    ['1-1'],
    ['-'],
    ['null'],
    ['true'],
  ])('refuses the timestamp %s', (json) => {
    expect(() => read(`{"value":"v","timestamp":${json}}`)).toThrow(EnvelopeError)
  })

  test.each([
    ['', 'the line ends where "{" is expected at column 1'],
    ['plain text', 'expected "{", found "p" at column 1'],
    ['{"key":"é"}', 'the record has no member "value" (null is a tombstone) at column 12'],
    ['{}', 'the record has no member "value" (null is a tombstone) at column 3'],
    ['{"value":"v","vaule":1}', 'unknown member "vaule" at column 14'],
    ['{"value":"v","__proto__":1}', 'unknown member "__proto__" at column 14'],
    ['{"value":"v", "key":"a", "key":"a"}', 'duplicate member "key" at column 26'],
    ['{"value":null,"value":null}', 'duplicate member "value" at column 15'],
    ['{"k\\u0065y":"a","key":"a","value":""}', 'duplicate member "key" at column 17'],
    ['{"value":"\\ud800"}', 'a string with half of a surrogate pair at column 10'],
    ['{"value":"\\udc00\\ud800"}', 'a string with half of a surrogate pair at column 10'],
    ['{"value":"\\x"}', 'a string with an invalid escape at column 10'],
    ['{"value":"\\u12"}', 'a string with an invalid escape at column 10'],
    ['{"value":"v', 'a string without an end at column 10'],
    ['{"value":"v\\', 'a string without an end at column 10'],
    ['{"value":"v\\"', 'a string without an end at column 10'],
    ['{"value":"a\tb"}', 'a raw control character at column 12'],
    ['{"value":1}', 'expected a string, null or {"base64": "…"}, found "1" at column 10'],
    ['{"value":nul}', 'expected null, found "n" at column 10'],
    ['{"value":[]}', 'expected a string, null or {"base64": "…"}, found "[" at column 10'],
    ['{"value":{"base64":"AA"}}', 'not base64 in its standard, padded form at column 20'],
    ['{"value":{"base64":"A_8="}}', 'not base64 in its standard, padded form at column 20'],
    ['{"value":{"base64":"AB=="}}', 'not base64 in its standard, padded form at column 20'],
    ['{"value":{"base64":null}}', 'expected a base64 string, found "n" at column 20'],
    ['{"value":{"base64":"","base64":""}}', 'expected "}", found "," at column 22'],
    ['{"value":{"text":"AA"}}', 'unknown member "text" where only "base64" can be at column 11'],
    ['{"value":{}}', 'expected a member name, found "}" at column 11'],
    ['{"value":"v"} x', 'expected the end of the line, found "x" at column 15'],
    ['{"value":"v",}', 'expected a member name, found "}" at column 14'],
    ['{"value":"v"', 'the line ends where "}" is expected at column 13'],
    ['{"value":"v","headers":{}}', 'expected "[", found "{" at column 24'],
    ['{"value":"v","headers":[["a"]]}', 'expected ",", found "]" at column 29'],
    ['{"value":"v","headers":[[null,"b"]]}', 'expected a header name (a string or {"base64": "…"}), found "n" at column 26'],
    ['{"value":"v","headers":[["a","b","c"]]}', 'expected "]", found "," at column 33'],
    ['{"value":"v","headers":[["a","b"],]}', 'expected "[", found "]" at column 35'],
    ['{"value":"v","partition":-1}', 'expected a whole number from 0 to 2147483647 at column 26'],
    ['{"value":"v","partition":2147483648}', 'expected a whole number from 0 to 2147483647 at column 26'],
    ['{"value":"v","offset":"1"}', 'expected a whole number from 0 to 9007199254740991 at column 23'],
    ['{"value":"v","topic":null}', 'expected a string, found "n" at column 22'],
    ['\ufeff{"value":"v"}', 'expected "{", found "\\ufeff" at column 1'],
  ])('refuses %s', (line, message) => {
    expect(() => read(line)).toThrow(new EnvelopeError(message))
  })

  test('refuses bytes that are not UTF-8, and says where', () => {
    const line = Buffer.concat([text('{"value":"é'), Buffer.from([0xff]), text('"}')])

    expect(() => readEnvelope(line)).toThrow('bytes that are not UTF-8 (write them as {"base64": "…"}) at column 12')
    expect(() => readEnvelope(text('{"value":"é').subarray(0, -1))).toThrow('at column 11')
  })

  test('takes only what JSON.parse takes, and takes it for the same', () => {
    const line = writeEnvelope({
      topic: 't',
      partition: 1,
      offset: 2,
      timestamp: 3,
      key: text('k"é'),
      value: Buffer.from([0xff, 1]),
      headers: [{key: text('h'), value: null}],
    })
    const damage = fc.tuple(fc.nat(line.length), fc.nat(3), fc.constantFrom(...'{}[]",:\\ntu0-1.e \t'))
    fc.assert(
      fc.property(fc.array(damage, {minLength: 1, maxLength: 3}), (damages) => {
        let changed = line.toString()
        for (const [at, removed, added] of damages) changed = changed.slice(0, at) + added + changed.slice(at + removed)
        const taken = outcome(changed)
        if (taken instanceof EnvelopeError) return
        const parsed = JSON.parse(changed)
        expect(bytesOf(parsed.value)).toEqual(taken.value)
        expect(bytesOf(parsed.key ?? null)).toEqual(taken.key)
      }),
      {numRuns: 5000},
    )
  })
})

function outcome(line: string): ReturnType<typeof readEnvelope> | EnvelopeError {
  try {
    return read(line)
  } catch (error) {
    if (error instanceof EnvelopeError) return error
    throw error
  }
}

type JsonBytes = string | null | {base64: string}

function bytesOf(json: JsonBytes): Buffer | null {
  if (json === null) return null
  return typeof json === 'string' ? Buffer.from(json) : Buffer.from(json.base64, 'base64')
}
