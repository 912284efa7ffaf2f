import {randomBytes} from 'node:crypto'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import fc from 'fast-check'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {cleanHome, type Home, skk} from '../support/skk.js'

/** What `max.message.bytes` may be at most on MSK Serverless. */
const LARGEST = 'max.message.bytes=8388608'

let home: Home
beforeAll(async () => {
  home = await cleanHome()
  await home.local()
})
afterAll(() => home.remove())

type Json = string | null | {base64: string}
type Line = {key: Json; value: Json; headers: [Json, Json][]; timestamp: number | string}

const path = (name: string): string => join(home.directory, 'work', name)
const base64 = (bytes: Buffer): Json => ({base64: bytes.toString('base64')})
const bytesOf = (json: Json): Buffer | null =>
  json === null ? null : typeof json === 'string' ? Buffer.from(json) : Buffer.from(json.base64, 'base64')

async function run(...args: string[]): Promise<void> {
  const {code, stderr} = await skk(args, {home})
  expect({args, code, stderr: code === 0 ? '' : stderr}).toEqual({args, code: 0, stderr: ''})
}

/** Produces the lines, and `consume --json | produce --format records` into a second topic; the lines of both. */
async function roundTrip(name: string, lines: readonly Line[], ...config: string[]): Promise<[Line[], Line[]]> {
  const [first, second] = [`${name}-1`, `${name}-2`]
  // Records of any time: by default those older than a week would go while they are read.
  for (const topic of [first, second]) await run('topics', 'create', topic, '--config', 'retention.ms=-1', ...config)
  await writeFile(path(`${name}-0`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  await run('produce', first, '--format', 'records', '--file', path(`${name}-0`))
  await run('consume', first, '--json', '--output-file', path(first))
  await run('produce', second, '--format', 'records', '--file', path(first))
  await run('consume', second, '--json', '--output-file', path(second))
  const read = async (topic: string): Promise<Line[]> =>
    (await readFile(path(topic), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => ({...JSON.parse(line), topic: name}))
  return [await read(first), await read(second)]
}

/** What makes a record, as it is in the log. */
const identity = ({key, value, headers, timestamp}: Line) => ({
  key: bytesOf(key)?.toString('hex') ?? null,
  value: bytesOf(value)?.toString('hex') ?? null,
  headers: headers.map(([name, text]) => [bytesOf(name)!.toString('hex'), bytesOf(text)?.toString('hex') ?? null]),
  timestamp: new Date(timestamp).getTime(),
})

describe('consume --json | produce --format records', () => {
  it('is the identity on key, value, headers and timestamp', async () => {
    const bytes = fc.oneof(
      fc.string({unit: 'binary', maxLength: 20}).map((text) => Buffer.from(text)),
      fc.uint8Array({maxLength: 20}).map((array) => Buffer.from(array)),
      fc
        .constantFrom('', '\n', '\r\n', '\0', '"', '\\', '\u2028\u0085\ufeff', '{"base64":"AA=="}')
        .map((text) => Buffer.from(text)),
    )
    const nullable = fc.option(bytes.map(base64), {nil: null})
    const name = fc.oneof(
      fc.constantFrom('trace', '').map((text) => base64(Buffer.from(text))),
      bytes.map(base64),
    )
    const line: fc.Arbitrary<Line> = fc.record({
      key: nullable,
      value: nullable,
      headers: fc.array(fc.tuple(name, nullable), {maxLength: 5}),
      timestamp: fc.oneof(fc.integer({min: 0, max: 2 ** 42}), fc.constantFrom(0, 1, 253_402_300_799_999)),
    })
    const seed = Number(process.env['SKK_SEED'] ?? Date.now() % 1_000_000)
    const [lines] = fc.sample(fc.array(line, {minLength: 1_000, maxLength: 1_000}), {numRuns: 1, seed})

    const [original, copy] = await roundTrip('small', lines!)

    expect(original.map(identity), `SKK_SEED=${seed}`).toEqual(lines!.map(identity))
    expect(copy).toEqual(original)
  }, 60_000)

  it('is the identity on huge keys and values, of text and of other bytes', async () => {
    const line = (key: Json, value: Json, headers: Line['headers'] = []): Line => ({key, value, headers, timestamp: 1})
    const lines = [
      line(null, 'x'.repeat(8_388_000)),
      line(null, base64(randomBytes(8_388_000))),
      line('\u2028'.repeat(1_000_000), null),
      line(base64(randomBytes(5_000_000)), ''),
      line('', '"\n'.repeat(2_000_000), [['h', base64(randomBytes(1_000_000))]]),
    ]

    const [original, copy] = await roundTrip('huge', lines, '--config', LARGEST)

    // Compared as a whole, and told by its index: a difference of megabytes helps nobody.
    for (const [index, each] of lines.entries()) {
      expect(JSON.stringify(identity(original[index]!)) === JSON.stringify(identity(each)), `record ${index}`).toBe(true)
      expect(JSON.stringify(copy[index]) === JSON.stringify(original[index]), `copy of record ${index}`).toBe(true)
    }
    expect([original.length, copy.length]).toEqual([lines.length, lines.length])
  }, 120_000)
})
