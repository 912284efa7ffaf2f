import {once} from 'node:events'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, afterEach, beforeAll, describe, expect, it} from 'vitest'

import {fullBacklog} from '../support/full-backlog.js'
import {type CommandLine, commandLine, countsOf, numbered} from './command-line.js'

let cli: CommandLine
beforeAll(async () => {
  cli = await commandLine()
})
afterEach(() => cli.stack.heal())
afterAll(() => cli?.stop())

const RECORDS = 20_000
const CLEAN = {stored: RECORDS, lost: 0, duplicated: 0, reordered: 0}
const ALL = {read: RECORDS, acked: RECORDS, rejected: 0, unknown: 0, unsent: 0}

/** Resolves when a fault has happened so many times. */
const happened = (id: number, times: number): Promise<void> =>
  expect
    .poll(() => cli.stack.local.faults.list().find((fault) => fault.id === id)?.hits, {timeout: 60_000, interval: 5})
    .toBeGreaterThanOrEqual(times) as Promise<void>

/** Each acknowledgement takes a moment, so that a run lasts. */
const slowly = (ms = 30) => cli.stack.fault({api: 'Produce', action: 'delay', when: 'after', ms})

const down = () => {
  for (const proxy of cli.stack.proxies.values()) proxy.add({type: 'down'})
}

describe('1: a broker dies', () => {
  it('others lead its partitions: everything arrives, exit 0', async () => {
    const topic = await cli.topic()
    const {id} = slowly()
    const running = cli.start(`produce ${topic} --file ${await cli.numbers(RECORDS)}`)
    await happened(id, 5)
    await cli.stack.local.killNode(cli.stack.local.nodeIds[1]!)

    const ended = await running.ended

    expect([ended.code, countsOf(ended)]).toEqual([0, ALL])
    expect(await cli.verdict(topic, RECORDS)).toEqual(CLEAN)
  })

  it('it comes back within the delivery timeout: everything arrives, exit 0', async () => {
    const topic = await cli.topic()
    const {id} = slowly()
    const running = cli.start(`produce ${topic} --file ${await cli.numbers(RECORDS)}`)
    await happened(id, 5)
    const [proxy] = cli.stack.proxies.values()
    const up = proxy!.add({type: 'down'})
    setTimeout(up, 1_500)

    const ended = await running.ended

    expect([ended.code, countsOf(ended)]).toEqual([0, ALL])
    expect(await cli.verdict(topic, RECORDS)).toEqual(CLEAN)
  })

  it('all go and stay away between two batches: exit 5, and what was not sent is counted', async () => {
    const topic = await cli.topic()
    const {id} = slowly(0)
    const running = cli.start(`produce ${topic} --delivery-timeout 2s`, {input: {silent: true}})
    running.child.stdin!.write(numbered(0, 100))
    await happened(id, 1)
    await expect.poll(() => cli.stored(topic).then(({length}) => length), {timeout: 60_000}).toBe(100)
    down()
    running.child.stdin!.end(numbered(100, 200))

    const ended = await running.ended

    expect([ended.code, countsOf(ended)]).toEqual([5, {read: 200, acked: 100, rejected: 0, unknown: 0, unsent: 100}])
    await cli.stack.heal()
    expect(await cli.verdict(topic, 100)).toEqual({stored: 100, lost: 0, duplicated: 0, reordered: 0})
  })

  it('all go and stay away after a batch was stored and before it was answered: exit 10', async () => {
    const topic = await cli.topic('--partitions 1 --config max.message.bytes=4000')
    const {id} = cli.stack.fault({api: 'Produce', action: 'drop', when: 'after', skip: 3, times: 1})
    const running = cli.start(`produce ${topic} --file ${await cli.numbers(RECORDS)} --delivery-timeout 2s`)
    await happened(id, 1)
    down()

    const ended = await running.ended

    const {read, acked, unknown, unsent} = countsOf(ended)
    expect(ended.code).toBe(10)
    expect(unknown).toBeGreaterThan(0)
    expect(read).toBe(acked + unknown + unsent)
    await cli.stack.heal()
    expect(await cli.verdict(topic, acked + unknown)).toEqual({stored: acked + unknown, lost: 0, duplicated: 0, reordered: 0})
  })
})

it.each([
  ['2: connections are reset before the request arrives', 'before'],
  ['3: connections are reset after the append, before the ack', 'after'],
])('%s: exit 0', async (_, when) => {
  const topic = await cli.topic()
  const {id} = cli.stack.fault({api: 'Produce', action: 'close', when, skip: 2, times: 6})

  const ended = await cli.run(`produce ${topic} --file ${await cli.numbers(RECORDS)}`)

  expect(cli.stack.local.faults.list().find((fault) => fault.id === id)!.hits).toBe(6)
  expect([ended.code, countsOf(ended)]).toEqual([0, ALL])
  expect(await cli.verdict(topic, RECORDS)).toEqual(CLEAN)
})

it.each(['Metadata', 'ListOffsets', 'DescribeConfigs', 'InitProducerId'])(
  '2: connections are reset while the run asks for %s: it asks again, exit 0',
  async (api) => {
    const topic = await cli.topic('--partitions 3')
    // Once for each broker that could be asked, and once more.
    const {id} = cli.stack.fault({api, action: 'close', times: 4})

    const ended = await cli.run(`produce ${topic} --file ${await cli.numbers(RECORDS)}`)

    expect(cli.stack.local.faults.list().find((fault) => fault.id === id)!.hits).toBe(4)
    expect([ended.code, countsOf(ended)]).toEqual([0, ALL])
    expect(await cli.verdict(topic, RECORDS)).toEqual(CLEAN)
  },
)

it('2: connections are reset as long as the run is prepared: exit 5 within 10 s', async () => {
  const topic = await cli.topic('--partitions 3')
  cli.stack.fault({api: 'ListOffsets', action: 'close'})
  const started = performance.now()

  const {code, stderr} = await cli.run(`produce ${topic} --file ${await cli.numbers(10)}`)

  expect([code, stderr]).toEqual([5, expect.stringContaining('error: ')])
  expect(performance.now() - started).toBeLessThan(15_000)
})

it('4: one partition has another leader: only its batches are sent again, exit 0', async () => {
  const topic = await cli.topic()
  cli.stack.fault({api: 'Produce', action: 'error', errorCode: 6, partition: 1, skip: 1, times: 4})
  const others = cli.stack.fault({api: 'Produce', action: 'delay', partition: 0, ms: 0})

  const ended = await cli.run(`produce ${topic} --file ${await cli.numbers(RECORDS)}`)

  const batches = cli.stack.local.faults.list().find(({id}) => id === others.id)!.hits
  expect([ended.code, countsOf(ended)]).toEqual([0, ALL])
  expect(await cli.verdict(topic, RECORDS)).toEqual(CLEAN)
  // Those of partition 0 were sent once each: as many requests as batches.
  const inPartition = (await cli.stored(topic)).filter(({partition}) => partition === 0)
  expect(batches).toBeLessThanOrEqual(Math.ceil(inPartition.length / 100))
})

it('5: the brokers ask to slow down: never an error, exit 0', async () => {
  const topic = await cli.topic()
  const {id} = cli.stack.fault({api: 'Produce', action: 'throttle', ms: 200, skip: 2, times: 5})

  const ended = await cli.run(`produce ${topic} --file ${await cli.numbers(RECORDS)}`)

  expect(cli.stack.local.faults.list().find((fault) => fault.id === id)!.hits).toBe(5)
  expect([ended.code, countsOf(ended)]).toEqual([0, ALL])
  expect(await cli.verdict(topic, RECORDS)).toEqual(CLEAN)
})

it('5: a pause that a broker asks for is kept, and told: by the closing note and under --json', async () => {
  const topic = await cli.topic('--partitions 1 --config max.message.bytes=4000')
  cli.stack.fault({api: 'Produce', action: 'throttle', ms: 500, skip: 1, times: 4})
  const started = performance.now()

  const ended = await cli.run(`produce ${topic} --file ${await cli.numbers(RECORDS)} --json`)

  expect(ended.code).toBe(0)
  expect(performance.now() - started).toBeGreaterThan(2_000)
  expect(JSON.parse(ended.stdout)).toMatchObject({acked: RECORDS, throttledMs: 2_000})
  expect(ended.stderr).toContain('the brokers held back answers for 2.0 s to keep their quota')
  expect(await cli.verdict(topic, RECORDS)).toEqual(CLEAN)
})

it('6: a record is larger than the topic allows: exit 9 with its place, and with skip its neighbours arrive', async () => {
  const topic = await cli.topic('--partitions 1')
  const large = 'x'.repeat(9 * 1024 * 1024)
  const line = `produce ${topic} --file ${await cli.file(`0\n1\n${large}\n2\n`)}`
  const rejects = join(cli.home.directory, 'work', 'rejects')

  const stopped = await cli.run(line)
  const skipped = await cli.run(`${line} --resume --on-error skip --rejects ${rejects}`)

  expect(stopped.code, stopped.stderr).toBe(9)
  expect(stopped.stderr).toMatch(/error: line 3 of ".*", byte 4: it takes 94\d+ bytes, and the topic allows \d+/)
  expect(countsOf(stopped)).toEqual({read: 3, acked: 2, rejected: 1, unknown: 0, unsent: 0})
  expect(skipped.code, skipped.stderr).toBe(7)
  expect(countsOf(skipped)).toEqual({read: 4, acked: 3, rejected: 1, unknown: 0, unsent: 0})
  expect(await readFile(rejects, 'utf8')).toBe(`${large}\n`)
  expect(await cli.verdict(topic, 3, {resumed: true})).toEqual({stored: 3, lost: 0, duplicated: 0, reordered: 0})
})

it('8: an SSO session has ended: exit 4, and the line that renews it', async () => {
  await mkdir(join(cli.home.directory, '.aws'), {recursive: true})
  await writeFile(
    join(cli.home.directory, '.aws/config'),
    `[profile work]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\nregion = us-east-1
[sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = us-east-1\nsso_registration_scopes = sso:account:access\n`,
  )
  const {code, stderr} = await cli.run(`produce orders --bootstrap ${cli.stack.local.bootstrap} --auth iam --profile work`, {
    input: '1\n',
  })

  expect(code).toBe(4)
  expect(stderr).toContain('hint:  Run `aws sso login --profile work`, then the same command again.')
})

it('12: nobody answers the first packet: exit 5 within 10 s, and the layer', async () => {
  const port = await fullBacklog()
  const started = performance.now()

  const {code, stderr} = await cli.run(`produce orders --bootstrap 127.0.0.1:${port} --auth none`, {input: '1\n'})

  expect(code).toBe(5)
  expect(stderr).toMatch(/error: .*127\.0\.0\.1:\d+/)
  expect(performance.now() - started).toBeLessThan(12_000)
})

it('13: the last line has no end: it is a record all the same', async () => {
  const topic = await cli.topic('--partitions 1')

  const ended = await cli.run(`produce ${topic} --file ${await cli.file('0\n1\n2')}`)

  expect([ended.code, countsOf(ended).acked]).toEqual([0, 3])
  expect((await cli.stored(topic)).map(({value}) => value)).toEqual(['0', '1', '2'])
})

it('15: a bad line in the middle: exit 9 with its place, and all before it is stored', async () => {
  const topic = await cli.topic()
  const good = Array.from({length: RECORDS}, (_, i) => `k${i % 7}:${i}\n`)
  good.splice(RECORDS / 2, 0, 'no separator\n')

  const ended = await cli.run(`produce ${topic} --key-separator : --file ${await cli.file(good.join(''))}`)

  const offset = Buffer.byteLength(good.slice(0, RECORDS / 2).join(''))
  expect(ended.code).toBe(9)
  expect(ended.stderr).toMatch(new RegExp(`error: line ${RECORDS / 2 + 1} of ".*", byte ${offset}: `))
  expect(await cli.verdict(topic, RECORDS / 2)).toEqual({stored: RECORDS / 2, lost: 0, duplicated: 0, reordered: 0})
})

it('16: bytes that are no UTF-8 are stored as they are', async () => {
  const topic = await cli.topic('--partitions 1')
  const bytes = Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28, 0x0d, 0xe2, 0x80, 0xa8])

  const ended = await cli.run(`produce ${topic} --file ${await cli.file(bytes)}`)
  const consumed = await cli.run(`consume ${topic} --json`)

  expect(ended.code).toBe(0)
  expect(JSON.parse(consumed.stdout).value).toEqual({base64: bytes.toString('base64')})
})

it.each([
  ['18', 'SIGINT', 130],
  ['19', 'SIGTERM', 143],
] as const)('%s: %s: exit within 5 s, and what is counted is stored', async (_, signal, code) => {
  const topic = await cli.topic()
  const {id} = slowly(50)
  const running = cli.start(`produce ${topic} --file ${await cli.numbers(200_000)}`)
  await happened(id, 10)
  const started = performance.now()
  running.child.kill(signal)

  const ended = await running.ended

  expect(ended.code).toBe(code)
  expect(performance.now() - started).toBeLessThan(10_000)
  const {acked, unknown} = countsOf(ended)
  expect(unknown).toBe(0)
  const stored = await cli.stored(topic)
  expect([stored.length, new Set(stored.map(({value}) => value)).size]).toEqual([acked, acked])
})

it('18: a second Ctrl-C ends it at once', async () => {
  const topic = await cli.topic()
  const {id} = cli.stack.fault({api: 'Produce', action: 'drop', when: 'after'})
  const running = cli.start(`produce ${topic} --file ${await cli.numbers(RECORDS)}`)
  await happened(id, 1)
  running.child.kill('SIGINT')
  await running.says(/stopping/)
  const started = performance.now()
  running.child.kill('SIGINT')
  await once(running.child, 'exit')

  expect(performance.now() - started).toBeLessThan(1_000)
  expect((await running.ended).code).toBe(130)
})
