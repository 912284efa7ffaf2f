import {appendFile, mkdir, rm, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {cleanHome, skk, startSkk} from '../support/skk.js'
import {makeTopic} from '../support/topic.js'
import {type CommandLine, commandLine, countsOf, numbered} from './command-line.js'
import {judge, readWithKcat} from './count.js'

let cli: CommandLine
beforeAll(async () => {
  cli = await commandLine()
})
afterEach(() => cli.stack.heal())
afterAll(() => cli?.stop())

const RECORDS = 20_000
const CLEAN = {stored: RECORDS, lost: 0, duplicated: 0, reordered: 0}

const happened = (id: number, times: number): Promise<void> =>
  expect
    .poll(() => cli.stack.local.faults.list().find((fault) => fault.id === id)?.hits, {timeout: 60_000, interval: 5})
    .toBeGreaterThanOrEqual(times) as Promise<void>

const slowly = (ms = 30) => cli.stack.fault({api: 'Produce', action: 'delay', when: 'after', ms})

const down = () => {
  for (const proxy of cli.stack.proxies.values()) proxy.add({type: 'down'})
}

/** The hint of an error, or the note at the end, names the line that goes on; it does, and every record is there once. */
async function resumes(line: string, topic: string, {stderr}: {stderr: string}): Promise<void> {
  expect(stderr).toContain(`${line} --resume`)
  await cli.stack.heal()
  const resumed = await cli.run(`${line} --resume`)
  expect([resumed.code, countsOf(resumed)]).toEqual([0, {read: RECORDS, acked: RECORDS, rejected: 0, unknown: 0, unsent: 0}])
  expect(await cli.verdict(topic, RECORDS, {resumed: true})).toEqual(CLEAN)
}

describe('1: all brokers go and stay away past the delivery timeout', () => {
  it('between two batches: exit 5, and resumed', async () => {
    const topic = await cli.topic()
    const {id} = slowly()
    const line = `produce ${topic} --file ${await cli.numbers(RECORDS)} --delivery-timeout 2s`
    const running = cli.start(line)
    await happened(id, 5)
    down()

    const ended = await running.ended

    expect([5, 10]).toContain(ended.code)
    expect(ended.code === 10).toBe(countsOf(ended).unknown > 0)
    await resumes(line, topic, ended)
  })

  it('after a batch was stored and before it was answered: exit 10, and resumed', async () => {
    const topic = await cli.topic('--partitions 1 --config max.message.bytes=4000')
    const {id} = cli.stack.fault({api: 'Produce', action: 'drop', when: 'after', skip: 3, times: 1})
    const line = `produce ${topic} --file ${await cli.numbers(RECORDS)} --delivery-timeout 2s`
    const running = cli.start(line)
    await happened(id, 1)
    down()

    const ended = await running.ended

    expect(ended.code).toBe(10)
    await resumes(line, topic, ended)
  })
})

describe('8: while it runs', () => {
  it('the permission to write is taken away: exit 4 with the action, and resumed when it is back', async () => {
    const topic = await cli.topic()
    const {id} = cli.stack.fault({api: 'Produce', action: 'error', errorCode: 29, skip: 10})
    const line = `produce ${topic} --file ${await cli.numbers(RECORDS)}`

    const ended = await cli.run(line)

    expect(cli.stack.local.faults.list().find((fault) => fault.id === id)!.hits).toBeGreaterThan(0)
    expect([ended.code, ended.stderr]).toEqual([4, expect.stringMatching(/error: .*kafka-cluster:WriteData/)])
    expect(countsOf(ended)).toMatchObject({rejected: 0, unknown: 0})
    expect(countsOf(ended).acked).toBeGreaterThan(0)
    await resumes(line, topic, ended)
  })

  it('credentials end and are not renewed: exit 4, and resumed when they are', async () => {
    const home = await cleanHome()
    onTestFinished(() => home.remove())
    const local = await home.local({maxSessionMs: 1_000, plaintextPort: {wanted: 0, mayMove: true}})
    const over = join(home.directory, 'work', 'over')
    await credentialsUntil(over, home.directory)
    const flags = `--bootstrap ${local.bootstrap} --auth iam --profile work`
    const topic = await makeTopic(local, 'orders', {partitions: 3, config: {'max.message.bytes': '2000'}})
    const file = join(home.directory, 'work', 'numbers')
    await writeFile(file, numbered(0, RECORDS))
    const {id} = local.faults.add({api: 0, action: 'delay', when: 'after', ms: 1_000})
    const line = ['produce', topic, '--file', file, ...flags.split(' ')]
    const running = startSkk(line, {home})
    await expect.poll(() => local.faults.list().find((fault) => fault.id === id)!.hits, {timeout: 60_000}).toBeGreaterThan(5)
    await writeFile(over, '')

    const ended = await running.ended

    expect([ended.code, ended.stderr]).toEqual([4, expect.stringMatching(/error: the AWS credentials expire in \d+ s\n/)])
    expect(countsOf(ended)).toMatchObject({rejected: 0, unknown: 0})
    expect(countsOf(ended).unsent).toBeGreaterThan(0)
    local.faults.clear()
    await rm(over)
    const resumed = await skk([...line, '--resume'], {home})
    expect([resumed.code, countsOf(resumed).acked]).toEqual([0, RECORDS])
    const records = await readWithKcat(local.plaintextBootstrap!, topic)
    expect(judge(records, RECORDS, {resumed: true})).toEqual(CLEAN)
  })
})

/** A profile whose credentials are asked for at each login, and are refused once the file `over` is there. */
async function credentialsUntil(over: string, directory: string): Promise<void> {
  const script = join(directory, 'credentials.mjs')
  await writeFile(
    script,
    `import {existsSync} from 'node:fs'
if (existsSync(${JSON.stringify(over)})) process.exit(1)
// For little longer than a login needs them to last.
const Expiration = new Date(Date.now() + 75_000).toISOString()
console.log(JSON.stringify({Version: 1, AccessKeyId: 'test', SecretAccessKey: 'test', Expiration}))
`,
  )
  await mkdir(join(directory, '.aws'), {recursive: true})
  const credentialProcess = `credential_process = "${process.execPath}" "${script}"`
  await writeFile(join(directory, '.aws/config'), `[profile work]\nregion = us-east-1\n${credentialProcess}\n`)
}

it.each([
  ['14: the input grows while it is read', (file: string) => appendFile(file, 'more\n')],
  ['14: the input is cut while it is read', (file: string) => truncate(file, 1_000)],
])('%s: exit 9, and says so', async (_, change) => {
  const topic = await cli.topic()
  const file = await cli.numbers(RECORDS)
  const {id} = slowly(0)
  const running = cli.start(`produce ${topic} --file ${file} --rate 4000/s`)
  await happened(id, 1)
  await change(file)

  const ended = await running.ended

  expect(ended.code).toBe(9)
  expect(ended.stderr).toContain('has changed')
})

it('14: the input has changed before the run is resumed: exit 9, and nothing is sent', async () => {
  const topic = await cli.topic()
  const {id} = slowly(50)
  const file = await cli.numbers(RECORDS)
  const running = cli.start(`produce ${topic} --file ${file}`)
  await happened(id, 3)
  running.child.kill('SIGKILL')
  await running.ended
  await cli.stack.heal()
  const before = (await cli.stored(topic)).length
  await appendFile(file, 'more\n')

  const resumed = await cli.run(`produce ${topic} --file ${file} --resume`)

  expect(resumed.code).toBe(9)
  expect(resumed.stderr).toContain('has changed')
  expect((await cli.stored(topic)).length).toBe(before)
})

it.each([
  ['18', 'SIGINT', 130],
  ['19', 'SIGTERM', 143],
] as const)('%s: %s says how to go on, and it does', async (_, signal, code) => {
  const topic = await cli.topic()
  const {id} = slowly(50)
  const line = `produce ${topic} --file ${await cli.numbers(RECORDS)}`
  const running = cli.start(line)
  await happened(id, 10)
  running.child.kill(signal)

  const ended = await running.ended

  expect(ended.code).toBe(code)
  await resumes(line, topic, ended)
})

it('18: a second Ctrl-C ends it at once, and the run is resumed', async () => {
  const topic = await cli.topic()
  const {id} = cli.stack.fault({api: 'Produce', action: 'drop', when: 'after', skip: 6})
  const line = `produce ${topic} --file ${await cli.numbers(RECORDS)}`
  const running = cli.start(line)
  await happened(id, 1)
  running.child.kill('SIGINT')
  await running.says(/stopping/)
  running.child.kill('SIGINT')
  expect((await running.ended).code).toBe(130)

  await resumes(line, topic, {stderr: `${line} --resume`})
})

describe('31: two runs on one token', () => {
  it('the second is exit 6 and names the pid of the first', async () => {
    const topic = await cli.topic()
    const {id} = slowly(50)
    const line = `produce ${topic} --file ${await cli.numbers(RECORDS)}`
    const running = cli.start(line)
    await happened(id, 3)

    const second = await cli.run(`${line} --resume`)

    expect(second.code).toBe(6)
    expect(second.stderr).toContain(String(running.child.pid))
    await cli.stack.heal()
    expect((await running.ended).code).toBe(0)
    expect(await cli.verdict(topic, RECORDS)).toEqual(CLEAN)
  })

  it('one that neither resumes nor restarts an unfinished run is exit 6', async () => {
    const topic = await cli.topic()
    const {id} = slowly(50)
    const line = `produce ${topic} --file ${await cli.numbers(RECORDS)}`
    const running = cli.start(line)
    await happened(id, 3)
    running.child.kill('SIGKILL')
    await running.ended
    await cli.stack.heal()

    const again = await cli.run(line)

    expect(again.code).toBe(6)
    expect(again.stderr).toMatch(/--resume.*--restart/)
    await resumes(line, topic, {stderr: `${line} --resume`})
  })
})
