import {once} from 'node:events'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {afterAll, afterEach, beforeAll, describe, expect, it} from 'vitest'

import {run} from '../engines/processes.js'
import {stack} from '../support/stack.js'
import {wireClient} from '../support/wire-client.js'
import {type CommandLine, commandLine, numbered} from './command-line.js'

let cli: CommandLine
beforeAll(async () => {
  cli = await commandLine()
})
afterEach(() => cli.stack.heal())
afterAll(() => cli?.stop())

const RECORDS = 20_000
/** A program takes its time on a busy machine. */
const LONG = {timeout: 60_000, interval: 5}
const RUN = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

/** A topic with the numbers from 0, spread over three partitions. */
async function filled(flags?: string): Promise<string> {
  const topic = await cli.topic(flags)
  const {code, stderr} = await cli.run(`produce ${topic} --file ${await cli.numbers(RECORDS)}`)
  if (code !== 0) throw new Error(stderr)
  return topic
}

const sorted = (text: string): string =>
  `${text
    .trimEnd()
    .split('\n')
    .map(Number)
    .sort((a, b) => a - b)
    .join('\n')}\n`

const down = () => {
  for (const proxy of cli.stack.proxies.values()) proxy.add({type: 'down'})
}

it.each<[string, Record<string, unknown>]>([
  ['1: a broker ends connections', {api: 'Fetch', action: 'close', times: 4}],
  ['2: answers get lost', {api: 'Fetch', action: 'close', when: 'after', times: 4}],
  ['4: partitions have another leader', {api: 'Fetch', action: 'error', errorCode: 6, partition: 1, times: 4}],
  ['5: the brokers ask to slow down', {api: 'Fetch', action: 'throttle', ms: 100, times: 2}],
  ['answers come late', {api: 'Fetch', action: 'delay', when: 'after', ms: 300, times: 2}],
])('%s while reading: every record once, exit 0', async (_, rule) => {
  const topic = await filled()
  const {id} = cli.stack.fault(rule)

  const {code, stdout} = await cli.run(`consume ${topic}`)

  expect(cli.stack.local.faults.list().find((fault) => fault.id === id)!.hits).toBe(rule['times'])
  expect(code).toBe(0)
  expect(sorted(stdout)).toBe(numbered(0, RECORDS))
})

it.each(['Metadata', 'ListOffsets'])('1: connections end while it asks for %s: it asks again, exit 0', async (api) => {
  const topic = await filled()
  const {id} = cli.stack.fault({api, action: 'close', times: 4})

  const {code, stdout} = await cli.run(`consume ${topic}`)

  expect(cli.stack.local.faults.list().find((fault) => fault.id === id)!.hits).toBe(4)
  expect(code).toBe(0)
  expect(sorted(stdout)).toBe(numbered(0, RECORDS))
})

it.each([
  ['slicer', {type: 'slicer', bytes: 1_000, ms: 1}],
  ['latency', {type: 'latency', ms: 60, jitterMs: 50}],
  ['bandwidth', {type: 'bandwidth', bytesPerSecond: 100_000}],
  ['slow_close', {type: 'slow_close', ms: 300}],
] as const)('the network is one of %s: every record once, exit 0', async (_, toxic) => {
  const topic = await filled()
  for (const proxy of cli.stack.proxies.values()) proxy.add(toxic)

  const {code, stdout, stderr} = await cli.run(`consume ${topic} --timeout 20s`)

  expect([code, stderr]).toEqual([0, expect.stringContaining(`${RECORDS} records`)])
  expect(sorted(stdout)).toBe(numbered(0, RECORDS))
})

it('connections end after so many bytes of requests: every record once, exit 0', async () => {
  const topic = await filled()
  for (const proxy of cli.stack.proxies.values()) proxy.add({type: 'limit_data', bytes: 400}, 'upstream')
  const fetches = cli.stack.fault({api: 'Fetch', action: 'delay', ms: 0})

  const {code, stdout} = await cli.run(`consume ${topic} --timeout 20s`)

  expect(code).toBe(0)
  expect(sorted(stdout)).toBe(numbered(0, RECORDS))
  expect(cli.stack.local.faults.list().find(({id}) => id === fetches.id)!.hits).toBeGreaterThan(0)
})

it('1: a broker dies: its partitions are read from others, exit 0', async () => {
  const topic = await filled()
  cli.stack.fault({api: 'Fetch', action: 'delay', when: 'after', ms: 100})
  const reading = cli.start(`consume ${topic}`)
  await reading.says(/\d\n/)
  await cli.stack.local.killNode(cli.stack.local.nodeIds[0]!)

  const {code, stdout} = await reading.ended

  expect(code).toBe(0)
  expect(sorted(stdout)).toBe(numbered(0, RECORDS))
})

it('17: the disk is full: exit 9', async () => {
  const topic = await filled()

  const {code, stderr} = await cli.run(`consume ${topic} --output-file /dev/full`)

  expect(code).toBe(9)
  expect(stderr).toMatch(/error: .*\/dev\/full/)
})

it('17: the disk is full on standard output: exit 9', async () => {
  const topic = await filled()

  const {code, stderr} = await run('bash', ['-c', `exec '${process.execPath}' '${RUN}' consume ${topic} >/dev/full`], {
    env: cli.home.env,
  })

  expect(code).toBe(9)
  expect(stderr).toMatch(/error: .*no space left on device/)
})

it('17: the disk is full on the way: exit 9, and the file ends with a whole line', async () => {
  const topic = await filled('--partitions 1')
  const output = join(cli.home.directory, 'work', 'partial')

  const {code, stderr} = await limited(`consume ${topic} --output-file ${output}`)

  expect([code, stderr]).toEqual([9, expect.stringContaining(`error: cannot write "${output}"`)])
  const text = await readFile(output, 'utf8')
  expect(text === '' || numbered(0, RECORDS).startsWith(text)).toBe(true)
  expect(text).toMatch(/^$|\n$/)
})

/** What a disk says with ENOSPC, a limit of the shell says with EFBIG: at 20 KiB. */
const limited = (line: string) =>
  run('bash', ['-c', `trap '' XFSZ; ulimit -f 40; exec '${process.execPath}' '${RUN}' "$@"`, 'bash', ...line.split(' ')], {
    env: cli.home.env,
  })

it('17: the disk is full under a checkpoint: exit 9, and the same line completes the file', async () => {
  const topic = await filled()
  const output = join(cli.home.directory, 'work', 'full')
  const line = `consume ${topic} --output-file ${output} --checkpoint ${output}.checkpoint`

  const ended = await limited(line)

  expect([ended.code, ended.stderr]).toEqual([9, expect.stringContaining('error: ')])
  expect(await cli.run(line)).toMatchObject({code: 0})
  expect(sorted(await readFile(output, 'utf8'))).toBe(numbered(0, RECORDS))
})

it.each([
  ['18', 'SIGINT', 130],
  ['19', 'SIGTERM', 143],
] as const)('%s: %s while following: exit %i', async (_, signal, code) => {
  const topic = await filled()
  const reading = cli.start(`consume ${topic} --follow --from beginning`)
  await reading.says(/\d\n/)
  reading.child.kill(signal)

  expect((await reading.ended).code).toBe(code)
})

it('20: the reader goes away: exit 0, at once', async () => {
  const topic = await filled()
  const reading = cli.start(`consume ${topic} --follow --from beginning`)
  await once(reading.child.stdout!, 'data')
  reading.child.stdout!.destroy()
  const started = performance.now()
  // What is written next finds nobody.
  await cli.run(`produce ${topic}`, {input: '1\n'})

  expect((await reading.ended).code).toBe(0)
  expect(performance.now() - started).toBeLessThan(10_000)
})

it('28: all brokers vanish: exit 5 after the timeout, and what was written stays', async () => {
  const topic = await filled()
  const output = join(cli.home.directory, 'work', 'vanish')
  const reading = cli.start(`consume ${topic} --follow --from beginning --timeout 3s -o ${output}`)
  const lines = () =>
    readFile(output, 'utf8').then(
      (text) => text.split('\n').length - 1,
      () => 0,
    )
  await expect.poll(lines, LONG).toBe(RECORDS)
  down()
  const started = performance.now()

  const {code, stderr} = await reading.ended

  expect(code).toBe(5)
  expect(stderr).toContain('error: ')
  expect(performance.now() - started).toBeGreaterThan(2_500)
  expect(sorted(await readFile(output, 'utf8'))).toBe(numbered(0, RECORDS))
})

it('28: all brokers vanish under a checkpoint: exit 5, and the same line goes on', async () => {
  const topic = await filled()
  const output = join(cli.home.directory, 'work', 'vanish-checkpoint')
  const line = `consume ${topic} -o ${output} --checkpoint ${output}.checkpoint --timeout 3s`
  const {id} = cli.stack.fault({api: 'Fetch', action: 'drop', skip: 1})
  const reading = cli.start(line)
  await expect.poll(() => cli.stack.local.faults.list().find((fault) => fault.id === id)!.hits, LONG).toBeGreaterThan(0)
  down()

  expect((await reading.ended).code).toBe(5)
  await cli.stack.heal()
  expect((await cli.run(line)).code).toBe(0)
  expect(sorted(await readFile(output, 'utf8'))).toBe(numbered(0, RECORDS))
})

it('29: another consumer joins the group, and leaves it: no record is lost', async () => {
  const topic = await filled()
  const reading = cli.start(`consume ${topic} --group shared --follow --from beginning`)
  const ours = collected(reading.child.stdout!)
  await reading.says(/\d\n/)
  const other = cli.start(`consume ${topic} --group shared --follow --from beginning`)
  const theirs = collected(other.child.stdout!)
  let written = RECORDS
  const write = async () => {
    // Enough for a batch in each partition.
    await cli.run(`produce ${topic}`, {input: numbered(written, written + 3_000)})
    written += 3_000
  }
  const missing = () => {
    const seen = new Set([...ours(), ...theirs()])
    return Array.from({length: written}, (_, i) => String(i)).filter((number) => !seen.has(number)).length
  }

  // It takes partitions over: what is written from now on reaches both.
  await expect.poll(async () => write().then(() => theirs().length), {timeout: 60_000, interval: 200}).toBeGreaterThan(0)
  await write()
  await expect.poll(missing, {timeout: 60_000}).toBe(0)
  other.child.kill('SIGTERM')
  expect((await other.ended).code).toBe(143)
  await write()
  await expect.poll(missing, {timeout: 60_000}).toBe(0)

  reading.child.kill('SIGINT')
  expect((await reading.ended).code).toBe(130)
})

/** The whole lines that have come so far. */
function collected(stream: NodeJS.ReadableStream): () => string[] {
  let text = ''
  stream.on('data', (chunk: Buffer | string) => {
    text += chunk
  })
  return () => text.split('\n').slice(0, -1)
}

describe('30: retention has passed the offset', () => {
  const reading = async () => {
    const local = await stack({apiProfile: 'wide'})
    const {plaintextBootstrap} = local
    const flags = `--bootstrap ${plaintextBootstrap} --auth none`
    await cli.run(`topics create gone --config max.message.bytes=4000 ${flags}`)
    await cli.run(`produce gone --file ${await cli.numbers(RECORDS)} ${flags}`)
    const client = await wireClient(plaintextBootstrap!)
    const pass = (offset: number) =>
      client.request(21, 1, {topics: [{name: 'gone', partitions: [{partitionIndex: 0, offset}]}], timeoutMs: 1_000})
    return {flags, pass, local}
  }

  it('before it begins: exit 9, and what is left begins where', async () => {
    const {flags, pass} = await reading()
    await pass(5_000)

    const {code, stderr} = await cli.run(`consume gone --from 0 ${flags}`)

    expect(code).toBe(9)
    expect(stderr).toContain('5000')
    expect((await cli.run(`consume gone ${flags}`)).stdout).toBe(numbered(5_000, RECORDS))
  })

  it('while it reads: exit 9 with --on-gap fail, and the size of the gap with skip', async () => {
    const {flags, pass, local} = await reading()
    // Each fetch is late, and retention is faster.
    local.faults.add({api: 1, action: 'delay', when: 'before', ms: 1_500, times: 1})
    const failing = cli.start(`consume gone ${flags}`)
    await expect.poll(() => local.faults.list()[0]!.hits, LONG).toBe(1)
    await pass(5_000)
    expect(await failing.ended).toMatchObject({code: 9, stderr: expect.stringContaining('5000')})

    local.faults.clear()
    local.faults.add({api: 1, action: 'delay', when: 'before', ms: 1_500, times: 1})
    const skipping = cli.start(`consume gone --on-gap skip ${flags}`)
    await expect.poll(() => local.faults.list()[0]!.hits, LONG).toBe(1)
    await pass(7_000)
    const {code, stdout, stderr} = await skipping.ended
    expect([code, stdout]).toEqual([0, numbered(7_000, RECORDS)])
    expect(stderr).toContain('2000 offsets from 5000 on are gone')
  })
})
