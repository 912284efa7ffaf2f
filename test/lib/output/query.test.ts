import {expect, it} from 'vitest'

import {compileQuery} from '../../../src/lib/output/query.js'

it('reads the JSON that --json prints', async () => {
  const query = await compileQuery('[?at > `"2026"`].{name: name, at: at}')

  expect(
    query([
      {name: 'a', at: new Date(0)},
      {name: 'b', at: new Date(1e12), other: undefined},
    ]),
  ).toEqual([])
  expect((await compileQuery('[1].at'))([{}, {at: new Date(0)}])).toBe('1970-01-01T00:00:00.000Z')
})

it.each(['[', 'a.[', 'foo('])('%s is a usage error', async (expression) => {
  await expect(compileQuery(expression)).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining('cannot apply --query'),
  })
})

it('a function that does not fit the value is a usage error when it is applied', async () => {
  const query = await compileQuery('sum(@)')

  expect(() => query('text')).toThrow(expect.objectContaining({exitCode: 2}))
})
