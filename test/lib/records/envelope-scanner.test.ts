import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {emptyRecord} from '../../../src/lib/kafka/produce/placed-record.js'
import {encodeHeaders} from '../../../src/lib/records/batch-writer.js'
import {EnvelopeError, type EnvelopeRecord, readEnvelope} from '../../../src/lib/records/envelope.js'
import {EnvelopeScanner} from '../../../src/lib/records/envelope-scanner.js'

const scanner = new EnvelopeScanner()

/** What the scanner makes of a line that stands among other bytes, null where it leaves it to the long way. */
function scanned(
  line: Buffer,
  behind: string,
  hasSpare = true,
): (Omit<EnvelopeRecord, 'headers'> & {headers: Buffer | null}) | null {
  const before = Buffer.from('{"value":"before"}\n')
  const guard = Buffer.alloc(64, 'g')
  const bytes = Buffer.concat([before, line, Buffer.from(behind), Buffer.alloc(hasSpare ? 3 * line.length + 64 : 0), guard])
  const spare = {bytes, start: before.length + line.length + behind.length, end: bytes.length - guard.length}
  const record = emptyRecord()
  const isTaken = scanner.scan(bytes, before.length, before.length + line.length, record, spare)
  expect(bytes.subarray(0, spare.start)).toEqual(Buffer.concat([before, line, Buffer.from(behind)]))
  expect(bytes.subarray(spare.end)).toEqual(guard)
  if (!isTaken) return null
  return {
    key: record.key && Buffer.from(record.key.subarray(record.keyStart, record.keyEnd)),
    value: record.value && Buffer.from(record.value.subarray(record.valueStart, record.valueEnd)),
    headers: record.headers && Buffer.from(record.headers.subarray(record.headersStart, record.headersEnd)),
    ...(Number.isNaN(record.timestamp) ? {} : {timestamp: record.timestamp}),
    ...(scanner.partition < 0 ? {} : {partition: scanner.partition}),
  }
}

/** The same the long way; null where that refuses it. */
function read(line: Buffer): ReturnType<typeof scanned> {
  try {
    const {headers, ...rest} = readEnvelope(line)
    return {...rest, headers: encodeHeaders(headers)}
  } catch (error) {
    if (error instanceof EnvelopeError) return null
    throw error
  }
}

const behind = ['\n', '', '}', '"}', '\n{"value":"after"}\n', ',"key":"x"}\n']

const text = fc.oneof(
  fc.string(),
  fc.string({unit: 'binary'}),
  fc.constantFrom('\\', '"', '\u2028', 'ü', '\u0000', '😀', '{"a":"b"}'),
)
const member = fc.oneof(
  fc.tuple(fc.constantFrom('key', 'value', 'topic'), fc.option(text)),
  fc.tuple(fc.constant('headers'), fc.array(fc.tuple(text, fc.option(text)), {maxLength: 3})),
  fc.tuple(fc.constantFrom('partition', 'offset', 'timestamp'), fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double())),
  fc.tuple(
    fc.constant('timestamp'),
    fc
      .date({min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true})
      .map((date) => date.toISOString()),
  ),
  fc.tuple(fc.constantFrom('valu', 'Key', 'base64'), fc.constant(1)),
)
const envelope = fc
  .tuple(fc.option(text), fc.array(member, {maxLength: 5}), fc.constantFrom('', ' ', '\t '))
  .map(([value, members, space]) => {
    const all = [...members, ['value', value] as const]
    return Buffer.from(
      `{${all.map(([name, content]) => `${JSON.stringify(name)}${space}:${space}${JSON.stringify(content)}`).join(`,${space}`)}}`,
    )
  })

describe('the envelope scanner', () => {
  it('reads what it takes as the long way does, and takes nothing that the long way refuses', () => {
    fc.assert(
      fc.property(envelope, fc.constantFrom(...behind), fc.boolean(), (line, after, hasSpare) => {
        const found = scanned(line, after, hasSpare)

        if (found !== null) expect(found).toEqual(read(line))
      }),
      {numRuns: 5_000},
    )
  })

  it('does so for lines that were damaged anywhere', () => {
    const damage = fc.tuple(fc.nat(), fc.integer({min: -1, max: 255}))
    fc.assert(
      fc.property(
        envelope,
        fc.array(damage, {minLength: 1, maxLength: 3}),
        fc.constantFrom(...behind),
        (line, damages, after) => {
          let damaged = line
          for (const [place, byte] of damages) {
            const at = place % damaged.length
            damaged = Buffer.concat([damaged.subarray(0, at), Buffer.from(byte < 0 ? [] : [byte]), damaged.subarray(at + 1)])
            if (damaged.length === 0) return
          }
          damaged = Buffer.from(damaged.map((byte) => (byte === 0x0a ? 0x20 : byte)))

          const found = scanned(damaged, after)

          if (found !== null) expect(found).toEqual(read(damaged))
        },
      ),
      {numRuns: 10_000},
    )
  })

  it.each([
    '{"value":"v"}',
    '{"topic":"t","partition":2,"offset":41,"timestamp":"2026-11-20T10:00:00.123Z","key":"k","value":"v","headers":[["trace","1"],["trace",null]]}',
    '{"key":null,"value":null,"headers":[]}',
    '{"value":"{\\"order\\":1,\\"note\\":\\"\\u00fcber\\/\\n\\"}","key":"grün","timestamp":-5}',
    '{"value":"","timestamp":"1969-07-20T20:17:40.000Z"}',
  ])('takes %s', (line) => {
    const found = scanned(Buffer.from(line), '\n')

    expect(found).not.toBeNull()
    expect(found).toEqual(read(Buffer.from(line)))
  })

  it.each(['{"value":{"base64":"AA=="}}', '{"value":"\\ud83d\\ude00"}', '{"value":"v","timestamp":"2024-02-29T00:00:00.000Z"}'])(
    'leaves %s to the long way',
    (line) => {
      expect(scanned(Buffer.from(line), '\n')).toBeNull()
      expect(read(Buffer.from(line))).not.toBeNull()
    },
  )
})
