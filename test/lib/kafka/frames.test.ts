import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {Frames} from '../../../src/lib/kafka/frames.js'

const frame = (bytes: number, filling = 0xee): Buffer => {
  const whole = Buffer.alloc(4 + bytes, filling)
  whole.writeInt32BE(bytes)
  return whole
}

const prefix = (length: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(length)
  return bytes
}

const cut = (whole: Buffer, sizes: readonly number[]): Buffer[] => {
  const chunks: Buffer[] = []
  let at = 0
  for (const size of sizes) {
    chunks.push(whole.subarray(at, at + size))
    at += size
  }
  return [...chunks, whole.subarray(at)]
}

/** As a socket does that reads into the buffer it is given, at most so many bytes at a time. */
function read(frames: Frames, bytes: Buffer): NodeJS.ErrnoException | null {
  for (let at = 0; at < bytes.length; ) {
    const count = bytes.copy(frames.room(), 0, at)
    const refusal = frames.took(count)
    if (refusal) return refusal
    at += count
  }
  return null
}

const ways = {read, pushed: (frames: Frames, bytes: Buffer) => frames.push(bytes)}
const lengths = fc.array(fc.oneof(fc.integer({min: 4, max: 100}), fc.integer({min: 60_000, max: 70_000})), {maxLength: 8})
const sizes = fc.array(fc.integer({min: 1, max: 40_000}))

describe.each(Object.entries(ways))('frames that are %s', (_, take) => {
  it('come whole and in order, however the stream is cut, and stay as they are', () => {
    fc.assert(
      fc.property(lengths, sizes, (some, cuts) => {
        const frames = new Frames()
        const seen: Buffer[] = []
        frames.onFrame = (each) => seen.push(each)
        const sent = some.map((length, index) => frame(length, index))

        for (const chunk of cut(Buffer.concat(sent), cuts)) expect(take(frames, chunk)).toBeNull()

        expect(seen.map((each) => each.toString('latin1'))).toEqual(sent.map((each) => each.toString('latin1')))
      }),
    )
  })

  it('end with the first length that is too long or too short, however the stream is cut', () => {
    const bad = fc.oneof(fc.integer({min: 101, max: 2 ** 31 - 1}), fc.integer({min: -(2 ** 31), max: 3}))
    fc.assert(
      fc.property(
        fc.array(fc.integer({min: 4, max: 100})),
        bad,
        fc.array(fc.integer({min: 1, max: 40})),
        (some, length, cuts) => {
          const frames = new Frames(100)
          let seen = 0
          frames.onFrame = () => seen++
          const stream = Buffer.concat([...some.map((each) => frame(each)), prefix(length)])

          const refusals = cut(stream, cuts)
            .map((chunk) => take(frames, chunk))
            .filter(Boolean)

          expect(refusals).toEqual([expect.objectContaining({code: expect.stringMatching(/^(EFRAME|ESPEAKSTLS)$/)})])
          expect(seen).toBe(some.length)
        },
      ),
    )
  })

  it('are not there where TLS is spoken', () => {
    expect(take(new Frames(), Buffer.from('15030300020246', 'hex'))).toMatchObject({code: 'ESPEAKSTLS'})
  })
})
