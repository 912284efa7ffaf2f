import {describe, expect, it} from 'vitest'

import {type Claim, Coverage} from '../../../../src/lib/kafka/produce/coverage.js'

const claim = (partition: number, ranges: Partial<Pick<Claim, 'keyed' | 'keyless'>>, count: number): Claim => ({
  partition,
  count,
  keyed: null,
  keyless: null,
  ...ranges,
  identity: null,
  sequence: 0,
  offset: 0,
  seen: 0,
})

describe('what earlier runs have written', () => {
  it('of keyed records is told by partition: ranges of several overlap', () => {
    const [even, odd] = [claim(0, {keyed: {first: 0, last: 8}}, 5), claim(1, {keyed: {first: 1, last: 5}}, 3)]
    const coverage = new Coverage([odd, even])

    const found = Array.from({length: 12}, (_, ordinal) => coverage.claimOf(ordinal, ordinal % 2)?.partition ?? null)

    expect(found).toEqual([0, 1, 0, 1, 0, 1, 0, null, 0, null, null, null])
  })

  it('of keyless records is told by their numbers, wherever they went', () => {
    const coverage = new Coverage([claim(2, {keyless: {first: 3, last: 4}}, 2), claim(0, {keyless: {first: 0, last: 1}}, 2)])

    const found = Array.from({length: 6}, (_, ordinal) => coverage.claimOf(ordinal, -1)?.partition ?? null)

    expect(found).toEqual([0, 0, null, 2, 2, null])
  })

  it('may be a batch of both kinds', () => {
    const coverage = new Coverage([claim(1, {keyed: {first: 0, last: 6}, keyless: {first: 2, last: 3}}, 4)])

    expect([coverage.claimOf(2, 1), coverage.claimOf(2, -1), coverage.claimOf(2, 0), coverage.claimOf(5, -1)]).toEqual([
      expect.anything(),
      expect.anything(),
      null,
      null,
    ])
  })

  it('is complete once each of its records was seen', () => {
    const one = claim(0, {keyless: {first: 0, last: 1}}, 2)
    const coverage = new Coverage([one])

    one.seen = 1
    expect(coverage.isComplete()).toBe(false)
    one.seen = 2
    expect(coverage.isComplete()).toBe(true)
  })
})
