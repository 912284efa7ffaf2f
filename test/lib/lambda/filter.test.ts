import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {compileFilter, compileFilters, FilterError, matches} from '../../../src/lib/lambda/filter.js'
import {filterCases} from './filter-cases.js'
import {record} from './mapping-world.js'
import {refusedPatterns} from './refused-patterns.js'

const seed = Number(process.env['SKK_SEED'] ?? Date.now() % 2 ** 31)

const lets = (pattern: string, value: Buffer | string | null): boolean =>
  matches([compileFilter(pattern)], record(0, 0, {value: typeof value === 'string' ? Buffer.from(value) : value}))

describe.each(Object.entries(filterCases))('%s', (_, cases) => {
  describe.each(cases)('$rule', ({pattern, passes, drops}) => {
    it.each(passes)('lets %s through', (value) => {
      expect(lets(pattern, value)).toBe(true)
    })

    it.each(drops)('drops %s', (value) => {
      expect(lets(pattern, value)).toBe(false)
    })
  })
})

describe('the table of cases', () => {
  it('has at least 150', () => {
    const cases = Object.values(filterCases).flat()
    const count = cases.reduce((sum, {passes, drops}) => sum + passes.length + drops.length, 0)

    expect(count).toBeGreaterThanOrEqual(150)
  })
})

describe('a pattern', () => {
  it.each(refusedPatterns)('that %s is refused, with the place', (_, pattern, message) => {
    expect(() => compileFilter(pattern)).toThrow(new FilterError(message))
  })

  it('may have 4,096 characters', () => {
    const pattern = `{"value":["${'x'.repeat(4096 - '{"value":[""]}'.length)}"]}`

    expect(() => compileFilter(pattern)).not.toThrow()
  })
})

describe('the filters of a mapping', () => {
  it('let a record through when any of them does', () => {
    const filters = compileFilters(['{"value":{"a":[1]}}', '{"value":{"b":[2]}}', '{"value":["plain"]}'])
    const through = ['{"a":1}', '{"b":2}', 'plain', '{"a":2,"b":1}'].map((value) =>
      matches(filters, record(0, 0, {value: Buffer.from(value)})),
    )

    expect(through).toEqual([true, true, true, false])
  })

  it('let everything through when there are none', () => {
    expect(matches([], record(0, 0, {value: null}))).toBe(true)
  })

  it('are at most five, ten when AWS raised the quota', () => {
    const patterns = Array.from({length: 6}, () => '{"value":["a"]}')

    expect(() => compileFilters(patterns)).toThrow(new FilterError('6 filters are more than 5'))
    expect(compileFilters(patterns, 10)).toHaveLength(6)
  })
})

describe('a tombstone', () => {
  it('passes only a pattern for a value that does not exist', () => {
    expect(lets('{"value":[{"exists":false}]}', null)).toBe(true)
    expect(lets('{"value":[{"exists":true}]}', null)).toBe(false)
    expect(lets('{"value":[null]}', null)).toBe(false)
    expect(lets('{"value":{"a":[{"exists":false}]}}', null)).toBe(false)
    expect(lets('{"value":[{"anything-but":["error"]}]}', null)).toBe(false)
  })
})

describe('hostile values', () => {
  it('that are not UTF-8 pass no pattern', () => {
    expect(lets('{"value":[{"exists":true}]}', Buffer.from([0xff, 0xfe]))).toBe(false)
    expect(lets('{"value":[{"exists":false}]}', Buffer.from([0xff, 0xfe]))).toBe(false)
  })

  it('with the names of object prototypes are ordinary fields', () => {
    expect(lets('{"value":{"__proto__":{"a":[1]}}}', '{"__proto__":{"a":1}}')).toBe(true)
    expect(lets('{"value":{"constructor":[{"exists":true}]}}', '{}')).toBe(false)
    expect(() => compileFilter('{"value":{"a":[{"numeric":["toString",1]}]}}')).toThrow(FilterError)
  })

  it('with a name twice count with the last', () => {
    expect(lets('{"value":{"a":[2]}}', '{"a":1,"a":2}')).toBe(true)
    expect(lets('{"value":{"a":[1]}}', '{"a":1,"a":2}')).toBe(false)
  })

  it('of more than 1,000 levels are text', () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

    expect(lets('{"value":{"a":[{"exists":false}]}}', nested(1_001))).toBe(true)
    expect(lets('{"value":{"a":[{"exists":false}]}}', nested(1_002))).toBe(false)
  })

  it('that are nested without end are text, and cost nothing', () => {
    const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000)

    expect(lets('{"value":{"a":[{"exists":false}]}}', deep)).toBe(false)
    expect(lets('{"value":[{"exists":true}]}', deep)).toBe(true)
  })

  it.each([
    ['a long list of objects', `[${Array.from({length: 200_000}, (_, index) => `{"b":${index}}`).join()}]`],
    ['lists in lists', `{"a":[${Array.from({length: 500}, () => `[${'{"b":{"b":1}},'.repeat(200)}{}]`).join()}]}`],
    ['a long string', `{"a":"${'\\\\'.repeat(500_000)}"}`],
    ['a number without end', `{"a":${'1'.repeat(1_000_000)}}`],
  ])('of a megabyte (%s) are judged in seconds: growing with the square would take minutes', (_, value) => {
    const pattern = '{"value":{"a":{"b":{"c":[{"exists":false},"x"],"$or":[{"d":[{"exists":false},1]},{"e":[{"prefix":"x"}]}]}}}}'
    const started = performance.now()

    lets(pattern, value)

    expect(performance.now() - started).toBeLessThan(15_000)
  })
})

describe('JSON', () => {
  it(`is told from text as JSON.parse does (seed ${seed})`, () => {
    const pattern = compileFilter('{"value":{"no such field":[{"exists":false}]}}')
    const texts = fc.oneof(
      fc.json(),
      fc.tuple(fc.json(), fc.nat(), fc.string({maxLength: 2})).map(([json, at, noise]) => {
        const cut = at % (json.length + 1)
        return json.slice(0, cut) + noise + json.slice(cut + 1)
      }),
    )

    fc.assert(
      fc.property(texts, (text) => {
        const value = Buffer.from(text)
        let json: unknown
        try {
          json = JSON.parse(value.toString())
        } catch {
          json = undefined
        }
        const expected = typeof json === 'object' && json !== null && !value.toString().includes('no such field')
        expect(matches([pattern], record(0, 0, {value}))).toBe(expected)
      }),
      {seed, numRuns: 2_000},
    )
  })
})
