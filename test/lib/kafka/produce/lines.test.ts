import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {type Line, LineSplitter, LineTooLongError} from '../../../../src/lib/kafka/produce/lines.js'

/** Bytes with many newlines, cut anywhere. */
const chunked = fc
  .tuple(
    fc.array(
      fc.oneof({weight: 3, arbitrary: fc.integer({min: 0, max: 255})}, {weight: 1, arbitrary: fc.constantFrom(0x0a, 0x0d)}),
    ),
    fc.array(fc.nat(50)),
  )
  .map(([bytes, cuts]) => {
    const whole = Buffer.from(bytes)
    const chunks: Buffer[] = []
    let at = 0
    for (const cut of cuts) {
      chunks.push(whole.subarray(at, at + cut))
      at = Math.min(whole.length, at + cut)
    }
    return {whole, chunks: [...chunks, whole.subarray(at)]}
  })

const split = (chunks: readonly Buffer[], splitter = new LineSplitter()): Line[] => [
  ...chunks.flatMap((chunk) => splitter.push(chunk)),
  ...splitter.end(),
]

describe('lines', () => {
  it('are the input again when they are joined, whatever the bytes and however they arrive', () => {
    fc.assert(
      fc.property(chunked, ({whole, chunks}) => {
        const lines = split(chunks)

        const joined = Buffer.concat(lines.flatMap(({bytes}) => [bytes, Buffer.from('\n')]))
        const missesLastNewline = whole.length > 0 && whole.at(-1) !== 0x0a
        expect(missesLastNewline ? joined.subarray(0, -1) : joined).toEqual(whole)
      }),
    )
  })

  it('know their numbers and where they begin', () => {
    fc.assert(
      fc.property(chunked, ({whole, chunks}) => {
        for (const [index, {bytes, number, offset}] of split(chunks).entries()) {
          expect(number).toBe(index + 1)
          expect(whole.subarray(offset, offset + bytes.length)).toEqual(bytes)
        }
      }),
    )
  })

  it('keep what is not UTF-8, a lone CR and the line separators of Unicode', () => {
    const lines = split([Buffer.from('a\u2028b\rc\n'), Buffer.from([0xff, 0xfe, 0x0a])])

    expect(lines.map(({bytes}) => bytes)).toEqual([Buffer.from('a\u2028b\rc'), Buffer.from([0xff, 0xfe])])
  })

  it('include an empty one, and a last one without newline', () => {
    expect(split([Buffer.from('\na')]).map(({bytes}) => bytes.toString())).toEqual(['', 'a'])
  })

  it('tell of CR LF, and leave the CR in', () => {
    const splitter = new LineSplitter()

    const [line] = split([Buffer.from('a\r'), Buffer.from('\n')], splitter)

    expect(splitter.sawCarriageReturn).toBe(true)
    expect(line!.bytes.toString()).toBe('a\r')
  })

  it('are refused when they are too long, before they fill the memory', () => {
    const splitter = new LineSplitter(10)
    splitter.push(Buffer.from('short\n123456'))

    expect(() => splitter.push(Buffer.from('78901'))).toThrow(LineTooLongError)
    expect(() => new LineSplitter(10).push(Buffer.from('12345678901\n'))).toThrow(expect.objectContaining({line: 1, offset: 0}))
  })
})
