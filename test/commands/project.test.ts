import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, expect, it, vi} from 'vitest'

import {cleanHome, type Ended, type Home, skk, startSkk} from '../support/skk.js'

/** In a directory with a project file the daily commands need no flags. */

vi.setConfig({testTimeout: 60_000})

let home: Home
let dir: string
beforeAll(async () => {
  home = await cleanHome()
  await home.local()
  dir = join(home.directory, 'work', 'shop')
  await mkdir(join(dir, 'src'), {recursive: true})
  await writeFile(join(dir, 'src/main.mjs'), `export const run = async (event) => ({greeting: process.env.GREETING})`)
  await write({})
  await here('topics create placed')
}, 60_000)
afterAll(() => home.remove())

const here = (line: string, options: {input?: string} = {}): Promise<Ended> => skk(line.split(' '), {home, cwd: dir, ...options})

const write = (mapping: Record<string, unknown>) =>
  writeFile(
    join(dir, 'skk.project.json'),
    JSON.stringify({
      template: 'pattern-4',
      version: '0.1.0',
      answers: {},
      name: 'shop',
      handler: 'src/main.run',
      memory: 256,
      environment: {GREETING: 'hello'},
      topic: 'placed',
      mapping,
    }),
  )

it('deploys, attaches and tries the function that it describes', async () => {
  await write({batchSize: 7, filters: [{value: {n: [{numeric: ['>', 1]}]}}], metrics: ['EventCount']})

  const deployed = await here('functions deploy')
  const attached = await here('esm attach --retry')
  const described = await here('esm describe --function shop --json')

  expect(deployed, deployed.stderr).toMatchObject({code: 0})
  expect(attached, attached.stderr).toMatchObject({code: 0})
  expect(attached.stderr).toContain('from "skk.project.json": function "shop", topic "placed", settings of the mapping')
  expect(JSON.parse(described.stdout)).toMatchObject({
    function: 'shop',
    topic: 'placed',
    group: 'shop.placed',
    batchSize: 7,
    filters: ['{"value":{"n":[{"numeric":[">",1]}]}}'],
    metrics: ['EventCount'],
  })
})

it('dev takes handler, topic, environment and filters from it', async () => {
  await write({filters: [{value: {n: [{numeric: ['>', 1]}]}}]})
  await here('produce placed', {input: '{"n": 1}\n{"n": 2}\n'})

  const running = startSkk(['dev'], {home, cwd: dir})
  await running.says(/placed-0 1 \(1 record, .*ok, \{"greeting":"hello"\}/)
  running.child.kill('SIGINT')

  expect((await running.ended).stdout).not.toContain('placed-0 0')
})

it('flags win, and another function has nothing to do with it', async () => {
  await write({batchSize: 7, bisect: true})
  await here('topics create other')
  await here('functions deploy --name other')

  const flags = await here('esm attach --topic other --batch-size 9 --dry-run --json')
  const foreign = await here('esm attach --function other --dry-run')

  expect(JSON.parse(flags.stdout)).toMatchObject({function: 'shop', topic: 'other', result: 'would create'})
  expect(flags.stderr).toContain('bisect only with provisioned pollers')
  expect(foreign).toMatchObject({code: 2, stderr: expect.stringContaining('missing --topic')})
})

it('a member of its mapping that there is not is 2 with the nearest', async () => {
  await write({batchsize: 7})

  for (const command of ['esm attach', 'dev', 'functions deploy']) {
    const {code, stderr} = await here(command)
    expect(code).toBe(2)
    expect(stderr).toContain('error: unknown key "batchsize" of mapping in "skk.project.json"\nhint:  Did you mean "batchSize"?')
  }
})
