import {Readable} from 'node:stream'

import fc from 'fast-check'
import {describe, expect, it, vi} from 'vitest'

import {linesOf} from '../../../../src/lib/kafka/produce/lines.js'
import {emptyRecord} from '../../../../src/lib/kafka/produce/placed-record.js'
import {BadLineError} from '../../../../src/lib/kafka/produce/portion.js'
import {lineParser} from '../../../../src/lib/kafka/produce/records.js'
import {Arena, elsewhere} from '../../../../src/lib/records/arena.js'
import {plainLines} from '../records-fixture.js'

type Line = {bytes: Buffer; offset: number}
type Read = {lines: Line[]; refused: {offset: number; reason: string; ends: boolean}[]; carriageReturns: number}

/** Of so few bytes that what is read next comes to lie behind, before and instead of what is being taken. */
const smallRoom = fc.integer({min: 4, max: 100}).map(elsewhere)

/** Bytes with many newlines, cut anywhere. */
const chunked = fc
  .tuple(
    fc.array(
      fc.oneof({weight: 9, arbitrary: fc.integer({min: 0, max: 255})}, {weight: 1, arbitrary: fc.constantFrom(0x0a, 0x0d)}),
      {maxLength: 1_000, size: 'max'},
    ),
    fc.array(fc.integer({min: 1, max: 100}), {maxLength: 50, size: 'max'}),
  )
  .map(([bytes, cuts]) => {
    const whole = Buffer.from(bytes)
    const chunks: Buffer[] = []
    let at = 0
    for (const cut of cuts) {
      chunks.push(whole.subarray(at, at + cut))
      at = Math.min(whole.length, at + cut)
    }
    return {whole, chunks: [...chunks, whole.subarray(at)].filter(({length}) => length > 0)}
  })

async function read(chunks: readonly Buffer[], maxLineBytes?: number, input = new Arena(0).input): Promise<Read> {
  const spy = vi.spyOn(process, 'stdin', 'get').mockReturnValue(Readable.from(chunks) as never)
  const found: Read = {lines: [], refused: [], carriageReturns: 0}
  const record = emptyRecord()
  const portions = linesOf(lineParser(plainLines), maxLineBytes)(
    [{name: 'standard input', bytes: null, modified: null}],
    {onCarriageReturn: () => found.carriageReturns++},
    new AbortController().signal,
    {input, spare: elsewhere(1024)},
  )
  for await (const portion of portions) {
    const next = (): boolean => {
      try {
        if (!portion.next(record)) return false
        const bytes = Buffer.from(record.value!.subarray(record.valueStart, record.valueEnd))
        expect(portion.raw().equals(bytes)).toBe(true)
        found.lines.push({bytes, offset: portion.offset()})
      } catch (error) {
        if (!(error instanceof BadLineError)) throw error
        found.refused.push({offset: portion.offset(), reason: error.message, ends: error.ends})
      }
      return true
    }
    while (next());
  }
  spy.mockRestore()
  return found
}

describe('lines', () => {
  it('are the input again when they are joined, whatever the bytes and however they arrive', async () => {
    await fc.assert(
      fc.asyncProperty(chunked, smallRoom, async ({whole, chunks}, room) => {
        const {lines} = await read(chunks, undefined, room)

        const joined = Buffer.concat(lines.flatMap(({bytes}) => [bytes, Buffer.from('\n')]))
        const missesLastNewline = whole.length > 0 && whole.at(-1) !== 0x0a
        expect(missesLastNewline ? joined.subarray(0, -1) : joined).toEqual(whole)
      }),
    )
  })

  it('know where they begin', async () => {
    await fc.assert(
      fc.asyncProperty(chunked, smallRoom, async ({whole, chunks}, room) => {
        const {lines} = await read(chunks, undefined, room)

        for (const {bytes, offset} of lines) expect(whole.subarray(offset, offset + bytes.length)).toEqual(bytes)
      }),
    )
  })

  it('may be larger than what is read at once', async () => {
    const line = Buffer.alloc(3_000_000, 'x')

    const {lines} = await read([Buffer.from('a\n'), line, Buffer.from('\nb\n')])

    expect(lines.map(({bytes}) => bytes.length)).toEqual([1, 3_000_000, 1])
    expect(lines[1]!.bytes.equals(line)).toBe(true)
  })

  it('keep what is not UTF-8, a lone CR and the line separators of Unicode', async () => {
    const {lines} = await read([Buffer.from('a\u2028b\rc\n'), Buffer.from([0xff, 0xfe, 0x0a])])

    expect(lines.map(({bytes}) => bytes)).toEqual([Buffer.from('a\u2028b\rc'), Buffer.from([0xff, 0xfe])])
  })

  it('include an empty one, and a last one without newline', async () => {
    expect((await read([Buffer.from('\na')])).lines.map(({bytes}) => bytes.toString())).toEqual(['', 'a'])
  })

  it('tell of CR LF once, and leave the CR in', async () => {
    const {lines, carriageReturns} = await read([Buffer.from('a\r'), Buffer.from('\nb\r\n')])

    expect(carriageReturns).toBe(1)
    expect(lines[0]!.bytes.toString()).toBe('a\r')
  })

  it('are refused when they are too long, before they fill the memory', async () => {
    const endless = await read([Buffer.from('short\n123456'), Buffer.from('78901'), Buffer.from('\nnever seen\n')], 10)
    const whole = await read([Buffer.from('12345678901\nshort\n')], 10)

    expect(endless.lines).toHaveLength(1)
    expect(endless.refused).toEqual([{offset: 6, reason: 'the line is longer than 10 bytes', ends: true}])
    expect(whole.refused).toEqual([{offset: 0, reason: 'the line is longer than 10 bytes', ends: false}])
    expect(whole.lines).toHaveLength(1)
  })
})
