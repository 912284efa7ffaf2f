import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, expect, it} from 'vitest'

import {cleanHome, type Ended, type Home, skk, startSkk} from '../../support/skk.js'

let home: Home
beforeAll(async () => {
  home = await cleanHome()
  await home.local()
})
afterAll(() => home.remove())

const run = (line: string, options: {input?: string} = {}): Promise<Ended> => skk(line.split(' '), {home, ...options})

/** A directory with a handler below the home's working directory. */
async function project(name: string, handler: string, more: Record<string, unknown> = {}): Promise<string> {
  const dir = join(home.directory, 'work', name)
  await mkdir(dir, {recursive: true})
  await writeFile(join(dir, 'handler.mjs'), handler)
  await writeFile(join(dir, 'skk.project.json'), JSON.stringify({name, ...more}))
  return dir
}

const ECHO = `export const handler = async (event) => {
  console.log('got', event.n)
  return {doubled: event.n * 2, greeting: process.env.GREETING, brokers: Boolean(process.env.SKK_BROKERS)}
}`

it('deploys a directory, and updates only what differs', async () => {
  await project('orders', ECHO, {environment: {GREETING: 'hello'}, memory: 256})

  const first = await run('functions deploy orders')
  const same = await run('functions deploy orders --json')
  await writeFile(join(home.directory, 'work/orders/handler.mjs'), `${ECHO}\n// more`)
  const changed = await run('functions deploy orders --env GREETING=bye --function-timeout 30s --json')

  expect(first, first.stderr).toMatchObject({code: 0, stdout: expect.stringContaining('created function "orders" (')})
  expect(JSON.parse(same.stdout)).toMatchObject({
    change: 'none',
    code: {changed: false},
    function: {state: 'Active', memoryMb: 256},
  })
  expect(JSON.parse(changed.stdout)).toMatchObject({
    change: 'update',
    settings: ['timeoutSeconds', 'environment.GREETING'],
    code: {changed: true, bundled: false},
    function: {timeoutSeconds: 30, lastUpdateStatus: 'Successful'},
  })
})

it('invokes with the environment it was given, and shows the log', async () => {
  await project('greeter', ECHO)
  await run('functions deploy greeter --env GREETING=hello')

  const {stdout, stderr, code} = await run('functions invoke greeter --payload - --tail', {input: '{"n": 21}'})
  const logs = await run('functions logs greeter')

  expect(JSON.parse(stdout)).toEqual({doubled: 42, greeting: 'hello', brokers: true})
  expect(stderr).toMatch(/INFO\tgot 21/)
  expect(code).toBe(0)
  expect(logs.stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z .*\tINFO\tgot 21$/m)
})

it('follows a log', async () => {
  await project('chatty', ECHO)
  await run('functions deploy chatty')
  const following = startSkk(['functions', 'logs', 'chatty', '--follow', '--json'], {home})

  await run('functions invoke chatty --payload -', {input: '{"n": 7}'})
  await following.says(/got 7/)
  following.child.kill('SIGINT')

  const {stdout, code} = await following.ended
  expect(code).toBe(130)
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).message),
  ).toContainEqual(expect.stringContaining('got 7'))
})

it('ends with 7 when the function fails, and still prints what Lambda answered', async () => {
  await project('broken', 'export const handler = async () => { throw new TypeError("no such thing") }')
  await run('functions deploy broken')

  const {stdout, stderr, code} = await run('functions invoke broken')

  expect(code).toBe(7)
  expect(JSON.parse(stdout)).toMatchObject({errorType: 'TypeError', errorMessage: 'no such thing'})
  expect(stderr).toContain('error: function "broken" failed: TypeError: no such thing')
})

it('queues an invocation with --async', async () => {
  await project('queued', ECHO)
  await run('functions deploy queued')

  const {stderr, code} = await run('functions invoke queued --async')

  expect(stderr).toContain('queued an invocation of "queued"')
  expect(code).toBe(0)
})

it('refuses a payload that is not JSON', async () => {
  const {stderr, code} = await run('functions invoke orders --payload -', {input: '{oops'})

  expect(stderr).toContain('error: standard input is not JSON')
  expect(code).toBe(9)
})

it('changes nothing with --dry-run', async () => {
  await project('dry', ECHO)

  const {stdout} = await run('functions deploy dry --dry-run')

  expect(stdout).toMatch(/^would create function "dry" \(/)
  expect((await run('functions logs dry')).code).toBe(3)
})

it('lists and deletes', async () => {
  await project('gone', ECHO)
  await run('functions deploy gone')

  expect(JSON.parse((await run('functions list --json')).stdout)).toContainEqual(expect.objectContaining({name: 'gone'}))
  expect(await run('functions delete gone')).toMatchObject({code: 2})
  expect(await run('functions delete gone --yes')).toMatchObject({code: 0, stdout: 'deleted function "gone"\n'})
  expect(await run('functions delete gone --yes')).toMatchObject({code: 3})
  expect(JSON.parse((await run('functions list --json')).stdout)).not.toContainEqual(expect.objectContaining({name: 'gone'}))
})

it('deploys an archive once it knows the handler', async () => {
  const {zip} = await import('../../../src/lib/functions/zip.js')
  const dir = await project('archived', ECHO)
  const archive = await zip([{name: 'main.mjs', content: await readFile(join(dir, 'handler.mjs'))}])
  await writeFile(join(home.directory, 'work/main.zip'), archive)

  const without = await run('functions deploy main.zip --name zipped')
  const {code} = await run('functions deploy main.zip --name zipped --handler main.handler')

  expect(without).toMatchObject({code: 2, stderr: expect.stringContaining('needs --handler')})
  expect(code).toBe(0)
  expect((await run('functions invoke zipped --payload -', {input: '{"n": 1}'})).stdout).toContain('"doubled":2')
})
