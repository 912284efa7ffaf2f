import {createRequire} from 'node:module'

import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {Partitioner} from '../../../../src/lib/kafka/produce/partitioner.js'

/** kafkajs' own, which follows Java's: an implementation that is not ours. */
const murmur2: (key: Buffer) => number = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2.js')

describe('the partition of a record', () => {
  it('with a key is the one that Java and kafkajs choose', () => {
    fc.assert(
      fc.property(fc.uint8Array({maxLength: 64}), fc.integer({min: 1, max: 1000}), (bytes, count) => {
        const key = Buffer.from(bytes)

        expect(new Partitioner(count).choose(key)).toBe((murmur2(key) & 0x7fffffff) % count)
      }),
      {numRuns: 2000},
    )
  })

  it('without a key stays the same until its batch is full, then is the next', () => {
    const partitioner = new Partitioner(3)
    const choose = () => partitioner.choose(null)

    expect([choose(), choose()]).toEqual([0, 0])
    partitioner.sealed(2)
    expect(choose()).toBe(0)
    partitioner.sealed(0)
    partitioner.sealed(1)
    expect(choose()).toBe(2)
    partitioner.sealed(2)
    expect(choose()).toBe(0)
  })

  it('without a key begins where it is told to', () => {
    const partitioner = new Partitioner(3, 2)

    expect(partitioner.choose(null)).toBe(2)
    partitioner.sealed(2)
    expect(partitioner.choose(null)).toBe(0)
  })
})
