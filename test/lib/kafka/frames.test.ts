import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {frameGuard} from '../../../src/lib/kafka/socket.js'

const frame = (bytes: number): Buffer => {
  const whole = Buffer.alloc(4 + bytes, 0xee)
  whole.writeInt32BE(bytes)
  return whole
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

const sizes = fc.array(fc.integer({min: 1, max: 40}))

describe('the guard of response frames', () => {
  it('lets every stream of frames pass, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({min: 4, max: 100})), sizes, (lengths, cuts) => {
        const accepts = frameGuard(100)

        for (const chunk of cut(Buffer.concat(lengths.map(frame)), cuts)) expect(accepts(chunk)).toBeNull()
      }),
    )
  })

  it('refuses the first length that is too long or too short, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({min: 4, max: 100})),
        fc.oneof(fc.integer({min: 101}), fc.integer({max: 3})),
        sizes,
        (lengths, bad, cuts) => {
          const accepts = frameGuard(100)
          const prefix = Buffer.alloc(4)
          prefix.writeInt32BE(Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, bad)))

          const refusals = cut(Buffer.concat([...lengths.map(frame), prefix]), cuts)
            .map(accepts)
            .filter(Boolean)

          expect(refusals).toEqual([expect.objectContaining({code: expect.stringMatching(/^(EFRAME|ESPEAKSTLS)$/)})])
        },
      ),
    )
  })

  it('recognises a TLS alert', () => {
    expect(frameGuard()(Buffer.from('15030300020246', 'hex'))).toMatchObject({code: 'ESPEAKSTLS'})
  })
})
