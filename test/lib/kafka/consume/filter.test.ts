import {describe, expect, it} from 'vitest'

import type {SkkError} from '../../../../src/lib/errors.js'
import {allOf, grep, type RecordFilter, where} from '../../../../src/lib/kafka/consume/filter.js'
import {encodeBatch, openBatch, type RecordInput} from '../../../../src/lib/records/batch.js'
import {forEachRecord} from '../../../../src/lib/records/record.js'

const record = (value: string | null, rest: Partial<RecordInput> = {}): RecordInput => ({
  key: null,
  value: value === null ? null : Buffer.from(value),
  headers: [],
  timestamp: Date.UTC(2026, 10, 20, 10),
  ...rest,
})

/** The values that get through, of partition 3. */
async function through(filter: RecordFilter | null, ...records: RecordInput[]): Promise<(string | null)[]> {
  const {header, section} = await openBatch(await encodeBatch(records))
  const values: (string | null)[] = []
  forEachRecord(section, header, (bounds) => {
    if (!filter!(section, bounds, 3)) return
    values.push(bounds.valueStart < 0 ? null : section.toString('utf8', bounds.valueStart, bounds.valueEnd))
  })
  return values
}

describe('--where', () => {
  const key = (text: string | null) => ({key: text === null ? null : Buffer.from(text)})
  const headers = (...pairs: [string, string | null][]) => ({
    headers: pairs.map(([name, value]) => ({key: Buffer.from(name), value: value === null ? null : Buffer.from(value)})),
  })

  it.each([
    ['{"value":{"status":["failed"]}}', [record('{"status":"failed"}'), record('{"status":"ok"}'), record('failed')], [0]],
    ['{"value":[{"prefix":"a"}]}', [record('abc'), record('bc')], [0]],
    ['{"value":[{"exists":false}]}', [record(null), record('')], [0]],
    ['{"key":["k1"]}', [record('a', key('k1')), record('b', key('k2')), record('c', key(null))], [0]],
    ['{"key":[{"exists":false}]}', [record('a', key('k1')), record('b', key(null))], [1]],
    ['{"key":{"id":[7]}}', [record('a', key('{"id":7}')), record('b', key('7'))], [0]],
    [
      '{"headers":{"trace":["2"]}}',
      [record('a', headers(['trace', '1'], ['trace', '2'])), record('b', headers(['trace', '1']))],
      [0],
    ],
    [
      '{"headers":{"trace":[{"exists":false}]}}',
      [record('a', headers(['trace', '1'])), record('b', headers(['x', '1'])), record('c')],
      [1, 2],
    ],
    ['{"headers":{"trace":[null]}}', [record('a', headers(['trace', null])), record('b', headers(['trace', '']))], [0]],
    ['{"partition":[3]}', [record('a')], [0]],
    ['{"partition":[4]}', [record('a')], []],
    ['{"offset":[{"numeric":[">=",1,"<",3]}]}', [record('a'), record('b'), record('c'), record('d')], [1, 2]],
    ['{"timestamp":[{"prefix":"2026-11-20T10"}]}', [record('a'), record('b', {timestamp: 0})], [0]],
    ['{"value":{"a":[1]},"key":["k"]}', [record('{"a":1}', key('k')), record('{"a":1}'), record('{"a":2}', key('k'))], [0]],
    ['{"$or":[{"key":["k"]},{"partition":[9]}]}', [record('a', key('k')), record('b')], [0]],
  ])('%s', async (pattern, records, indexes) => {
    const expected = records
      .filter((_, index) => (indexes as number[]).includes(index))
      .map(({value}) => value?.toString() ?? null)

    expect(await through(where([pattern]), ...records)).toEqual(expected)
  })

  it('lets through what any of several patterns does', async () => {
    const filter = where(['{"value":["a"]}', '{"value":["b"]}'])

    expect(await through(filter, record('a'), record('b'), record('c'))).toEqual(['a', 'b'])
  })

  it.each([
    ['{"value":', 'cannot apply --where: the pattern is no JSON: '],
    [
      '{"topic":["a"]}',
      'cannot apply --where: a record has "value", "key", "headers", "partition", "offset", "timestamp", and no "topic"',
    ],
    ['{"value":[{"wildcard":"*"}]}', 'cannot apply --where: Lambda\'s filters have no operator "wildcard"'],
  ])('refuses %s', (pattern, message) => {
    expect(() => where([pattern])).toThrow(
      expect.objectContaining({exitCode: 2, message: expect.stringContaining(message)}) as SkkError,
    )
  })
})

describe('--grep', () => {
  it('finds in values and keys', async () => {
    const filter = await grep('o-0*7|^secret$')

    expect(
      await through(filter, record('{"id":"o-0007"}'), record('other'), record('x', {key: Buffer.from('secret')}), record(null)),
    ).toEqual(['{"id":"o-0007"}', 'x'])
  })

  it('takes linear time for what is exponential elsewhere', async () => {
    const filter = await grep('^(a+)+$')
    const started = Date.now()

    expect(await through(filter, record(`${'a'.repeat(50_000)}b`))).toEqual([])
    expect(Date.now() - started).toBeLessThan(10_000)
  })

  it('refuses what is no expression of RE2', async () => {
    await expect(grep('(')).rejects.toMatchObject({exitCode: 2, message: expect.stringContaining('cannot apply --grep: ')})
    await expect(grep('(?<=a)b')).rejects.toMatchObject({exitCode: 2})
  })
})

describe('several filters', () => {
  it('have to agree', async () => {
    const filter = allOf([where(['{"value":[{"prefix":"a"}]}']), await grep('b$'), null])

    expect(await through(filter, record('ab'), record('a'), record('b'))).toEqual(['ab'])
    expect(allOf([null, await grep(undefined), where([])])).toBeNull()
  })
})
