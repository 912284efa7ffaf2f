import {afterAll, beforeAll, expect, it} from 'vitest'

import {EXIT} from '../../src/lib/errors.js'
import {cleanHome, type Home, skk} from '../support/skk.js'

let home: Home
beforeAll(async () => {
  home = await cleanHome()
})
afterAll(() => home.remove())

it('the root help tells every exit code', async () => {
  const {code, stdout} = await skk(['--help'], {home})

  for (const exitCode of Object.values(EXIT)) expect(stdout).toMatch(new RegExp(`^ +${exitCode} {2}\\S`, 'm'))
  expect(code).toBe(0)
})

it.each([
  ['topics', 'create', '--help'],
  ['topics', 'create', '-h'],
  ['help', 'topics', 'create'],
])('`skk %s %s %s` is the same help', async (...words) => {
  const {code, stdout} = await skk(words, {home})

  expect(stdout.split('\n').slice(0, 4)).toEqual(['create topics', '', 'USAGE', '  $ skk topics create [TOPICS...] [FLAGS]'])
  expect(code).toBe(0)
})

it('a group of commands shows its commands', async () => {
  expect(await skk(['topics'], {home})).toMatchObject({code: 0, stdout: expect.stringMatching(/^ {2}topics list +list topics$/m)})
})

it.each(['--version', '-v'])('%s is one line', async (flag) => {
  expect(await skk([flag], {home})).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^skk\/\d+\.\d+\.\d+ \S+ node-v\S+\n$/),
    stderr: '',
  })
})
