import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'

import {expect, it, onTestFinished, vi} from 'vitest'

import {startRunner} from '../../../src/lib/dev/runner.js'

/** A package with esbuild's interface that takes the types away as a line at the top says. */
const esbuild = {
  'node_modules/esbuild/package.json': '{"name": "esbuild", "main": "main.js"}',
  'node_modules/esbuild/main.js': `const {readFileSync} = require('node:fs'), {join} = require('node:path')
exports.build = async ({absWorkingDir, entryPoints}) => {
  const source = readFileSync(join(absWorkingDir, entryPoints[0]), 'utf8')
  if (source.includes('oops')) throw Object.assign(new Error('failed'), {errors: [{text: 'oops', location: null}]})
  return {outputFiles: [{contents: Buffer.from(source.replaceAll(': unknown', ''))}]}
}`,
}

async function project(files: Record<string, string>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'skk-runner-'))
  onTestFinished(() => rm(dir, {recursive: true}))
  for (const [name, content] of Object.entries(files)) await write(dir, name, content)
  return dir
}

async function write(dir: string, name: string, content: string): Promise<void> {
  await mkdir(dirname(join(dir, name)), {recursive: true})
  await writeFile(join(dir, name), content)
}

async function runner(path: string, more: {handler?: string} = {}) {
  const reloads: (string | undefined)[] = []
  const lines: string[] = []
  const started = await startRunner({
    path,
    handler: more.handler,
    functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:under-test',
    timeoutMs: 5_000,
    memoryMb: 256,
    environment: {PATH: process.env.PATH!, OWN: 'yes'},
    log: (line) => lines.push(line),
    onReload: (failure) => reloads.push(failure?.message),
  })
  onTestFinished(() => started.stop())
  return {...started, reloads, lines}
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

it('runs the handler of a directory with its context and environment', async () => {
  const dir = await project({
    'src/index.mjs': `export const handler = async (event, context) =>
      [event.n, context.functionName, context.getRemainingTimeInMillis() > 4000, process.env.OWN, process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE]`,
  })

  const {invoke} = await runner(dir)

  expect(await invoke(json({n: 1}))).toEqual({ok: true, payload: [1, 'under-test', true, 'yes', '256']})
})

it('runs what another export of a file says, and keeps its state between invocations', async () => {
  const dir = await project({'app.mjs': 'let n = 0; export const count = async () => ++n'})

  const {invoke} = await runner(join(dir, 'app.mjs'), {handler: 'app.count'})

  expect(await invoke(json({}))).toEqual({ok: true, payload: 1})
  expect(await invoke(json({}))).toEqual({ok: true, payload: 2})
})

it('runs several invocations at once, each in a process of its own', async () => {
  const dir = await project({
    'index.mjs': 'export const handler = async () => { await new Promise((done) => setTimeout(done, 300)); return process.pid }',
  })

  const {invoke} = await runner(dir)
  const [first, second] = await Promise.all([invoke(json({})), invoke(json({}))])

  expect(first).toMatchObject({ok: true})
  expect(first).not.toEqual(second)
})

it('bundles TypeScript, follows its changes, and says what cannot be bundled', async () => {
  const dir = await project({...esbuild, 'src/handler.ts': 'export const handler = async (event: unknown) => 1'})
  const {invoke, reloads} = await runner(dir)
  expect(await invoke(json({}))).toEqual({ok: true, payload: 1})

  await write(dir, 'src/handler.ts', 'oops')
  await vi.waitFor(() => expect(reloads).toEqual(['cannot bundle "src/handler.ts": oops']), 30_000)
  const broken = await invoke(json({}))
  await write(dir, 'src/handler.ts', 'export const handler = async (event: unknown) => 2')
  await vi.waitFor(() => expect(reloads).toHaveLength(2), 30_000)

  expect(broken).toMatchObject({ok: false, kind: 'unavailable'})
  expect(await invoke(json({}))).toEqual({ok: true, payload: 2})
})

it('does not count an invocation that a change ended as a failure of the function', async () => {
  const dir = await project({
    'index.mjs': 'console.log("up"); export const handler = () => new Promise(() => setInterval(() => {}, 1e6))',
  })
  const {invoke, lines} = await runner(dir)

  const running = invoke(json({}))
  await vi.waitFor(() => expect(lines.join()).toContain('up'), 30_000)
  await write(dir, 'index.mjs', 'export const handler = async () => "new"')

  expect(await running).toEqual({ok: false, kind: 'unavailable', message: 'the handler changed'})
  await vi.waitFor(async () => expect(await invoke(json({}))).toEqual({ok: true, payload: 'new'}), 30_000)
})

it('is not restarted by what the handler writes beside itself', async () => {
  const dir = await project({'index.mjs': 'export const handler = async () => process.pid'})
  const {invoke, reloads} = await runner(dir)
  const first = await invoke(json({}))

  for (const name of ['out.jsonl', 'a.log', '.hidden/x.js', 'node_modules/x/index.js']) await write(dir, name, 'x')
  await new Promise((done) => setTimeout(done, 400))

  expect(reloads).toEqual([])
  expect(await invoke(json({}))).toEqual(first)
})

it('needs an esbuild for TypeScript', async () => {
  const dir = await project({'index.ts': 'export const handler = 1'})

  await expect(runner(dir)).rejects.toMatchObject({code: 'ESBUILD_MISSING', exitCode: 2})
})
