import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, expect, it, onTestFinished} from 'vitest'

import {cleanHome, type Ended, type Home, type Running, skk, startSkk} from '../support/skk.js'

let home: Home
beforeAll(async () => {
  home = await cleanHome()
  await home.local()
})
afterAll(() => home.remove())

const run = (line: string, options: {input?: string} = {}): Promise<Ended> => skk(line.split(' '), {home, ...options})

/** Starts `skk dev`; ends it with the test, if it has not ended. */
function dev(...args: string[]): Running {
  const running = startSkk(['dev', ...args], {home, env: {AWS_SECRET_ACCESS_KEY: 'a real one'}})
  onTestFinished(async () => {
    running.child.kill('SIGKILL')
    await running.ended
  })
  return running
}

const interrupted = async (running: Running): Promise<Ended> => {
  running.child.kill('SIGINT')
  return running.ended
}

/** A topic with one partition and these values. */
async function topic(name: string, values: readonly string[]): Promise<void> {
  await run(`topics create ${name}`)
  await run(`produce ${name}`, {input: values.map((value) => `${value}\n`).join('')})
}

async function handler(name: string, body: string): Promise<string> {
  const dir = join(home.directory, 'work', name)
  await mkdir(dir, {recursive: true})
  const file = join(dir, 'handler.mjs')
  await writeFile(
    file,
    `const values = (event) => Object.values(event.records).flat().map(({value}) => Buffer.from(value, 'base64').toString())
export const handler = async (event, context) => {${body}}`,
  )
  return file
}

it('gives the records of a topic to a handler, and commits nothing', async () => {
  await topic('plain', ['a', 'b', 'c'])
  const file = await handler('plain', `console.log('saw', values(event).join()); return {key: process.env.AWS_SECRET_ACCESS_KEY}`)

  const running = dev(file, '--topic', 'plain')
  await running.says(/plain-0 0\.\.2 /)
  const {stdout, stderr, code} = await interrupted(running)

  expect(stdout).toMatch(/^plain-0 0\.\.2 \(3 records, [\d.]+ KiB\): ok, \{"key":"test"\} in \d+ ms\n$/)
  expect(stderr).toMatch(/INFO\tsaw a,b,c/)
  expect(code).toBe(130)
  expect(JSON.parse((await run('groups list --json')).stdout)).toEqual([])
})

it('delivers what comes later, and only what a filter lets through', async () => {
  await topic('filtered', ['{"n": 1}', '{"n": 2}'])
  const file = await handler('filtered', 'return values(event)')

  const running = dev(file, '--topic', 'filtered', '--filter', '{"value": {"n": [{"numeric": [">", 1]}]}}')
  await running.says(/filtered-0 1 /)
  await run('produce filtered', {input: '{"n": 0}\n{"n": 3}\n'})
  await running.says(/filtered-0 3 /)
  const {stdout} = await interrupted(running)

  expect(stdout.match(/filtered-0/g)).toHaveLength(2)
})

it('halves a batch down to the record that fails, and says what Lambda would do with it', async () => {
  await topic('poison', ['1', '2', 'bad', '4'])
  const file = await handler('poison', `if (values(event).includes('bad')) throw new TypeError('cannot')`)

  const running = dev(
    file,
    '--topic',
    'poison',
    '--bisect',
    '--max-retries',
    '0',
    '--on-failure',
    'arn:aws:sqs:us-east-1:123456789012:q',
  )
  await running.says(/poison-0 3 /)
  const {stdout} = await interrupted(running)

  expect(stdout).toMatch(
    /^poison-0 0\.\.3 \(4 records, [\d.]+ KiB\): TypeError: cannot in \d+ ms\n {2}Lambda halves the batch: 2 and 2\n/,
  )
  expect(stdout).toContain(
    '  Lambda gives up 1 record (poison-0 2; RetriesExhausted) and sends it to the on-failure destination\n',
  )
})

it('takes up a handler that was corrected, and tries again at once', async () => {
  await topic('mended', ['1'])
  const file = await handler('mended', `throw new Error('first')`)

  const running = dev(file, '--topic', 'mended')
  await running.says(/attempt 4\): Error: first/)
  await handler('mended', `return 'second'`)
  await running.says(/ok, "second"/)
  const {stdout, stderr} = await interrupted(running)

  expect(stdout).toContain('it goes on for ever, and what comes after in their partitions waits')
  expect(stderr).toContain('the handler changed; it starts anew')
})

it('tells a timeout as Lambda does', async () => {
  await topic('slow', ['1'])
  const file = await handler('slow', 'await new Promise((resolve) => setTimeout(resolve, 60_000))')

  const running = dev(file, '--topic', 'slow', '--function-timeout', '200ms', '--json')
  await running.says(/"kind":"timeout","message":"[^"]*Task timed out after 0\.20 seconds"/)
  const {stdout} = await interrupted(running)

  expect(JSON.parse(stdout.split('\n')[0]!)).toMatchObject({
    type: 'invoked',
    partitions: {'slow-0': {from: 0, to: 0}},
    error: {kind: 'timeout'},
  })
})

it('prints the events instead of running a handler', async () => {
  await topic('shown', ['v'])

  const running = dev('--topic', 'shown', '--event-only')
  await running.says(/eventSource/)
  const {stdout} = await interrupted(running)

  expect(JSON.parse(stdout)).toMatchObject({
    eventSource: 'aws:kafka',
    eventSourceArn: expect.stringMatching(/^arn:aws:kafka:us-east-1:123456789012:cluster\/local\//),
    records: {'shown-0': [{offset: 0, timestampType: 'CREATE_TIME', value: 'dg=='}]},
  })
})

it('records events, and replays them without a cluster', async () => {
  await topic('taped', ['1', '2'])
  const file = await handler('taped', `return {batchItemFailures: []}`)
  const tape = join(home.directory, 'work/tape.jsonl')
  const running = dev(file, '--topic', 'taped', '--record', tape)
  await running.says(/taped-0 0\.\.1 /)
  await interrupted(running)

  const other = await handler('other', `return {batchItemFailures: [{itemIdentifier: {partition: 'taped-0', offset: 1}}]}`)
  const good = await run(`dev ${file} --replay ${tape}`)
  const bad = await run(`dev ${other} --replay ${tape} --report-batch-item-failures`)

  expect((await readFile(tape, 'utf8')).trim().split('\n')).toHaveLength(1)
  expect(good, good.stderr).toMatchObject({code: 0, stdout: expect.stringMatching(/^taped-0 0\.\.1 \(2 records, .*: ok, /)})
  expect(bad.stdout).toMatch(/: 1 of 2 failed, /)
  expect(bad).toMatchObject({code: 7, stderr: expect.stringContaining('error: 1 of 1 event failed')})
})

it.each([
  [['--topic', 'plain', '--filter', '{"value": 1}'], 2, 'Lambda would refuse the filter'],
  [['--topic', 'nowhere', '--event-only'], 3, 'topic "nowhere" does not exist'],
  [['missing.mjs', '--topic', 'plain'], 3, 'there is no "missing.mjs"'],
  [['missing.mjs', '--replay', 'missing.jsonl'], 9, 'cannot read "missing.jsonl"'],
])('%j ends with %i', async (args, exit, message) => {
  const {code, stderr} = await skk(['dev', ...args], {home})

  expect(stderr).toContain(message)
  expect(code).toBe(exit)
})
