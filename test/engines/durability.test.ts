import {createHash} from 'node:crypto'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {afterAll, beforeAll, expect, test} from 'vitest'

import {installKcat, installPython} from './install.js'
import {eventually, expectSuccess, runForBytes, start} from './processes.js'
import {createTopic, type SkkLocal, startSkkLocal} from './skk.js'

const ROUNDS = process.env['SKK_FULL'] ? 50 : 5

type Load = {acked: Map<string, string>; acknowledgedTwice: string[]; end(): Promise<number>}

let local: SkkLocal
let bin: string
beforeAll(async () => {
  bin = await installPython()
  await installKcat()
  local = await startSkkLocal()
})
afterAll(() => local?.stop())

/** Starts an independent producer that tells each acknowledgement as it comes; it lives through every crash. */
function startLoad(topic: string, idempotent: boolean, codec: string): Load {
  const args = [join(import.meta.dirname, 'python/with_load.py'), local.plaintextBootstrap, topic, String(idempotent), codec]
  const child = start(join(bin, 'python'), args)
  const load: Omit<Load, 'end'> = {acked: new Map(), acknowledgedTwice: []}
  let rest = ''
  let produced = -1
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [partition, offset, value] = line.split(' ')
      if (partition === 'produced') produced = Number(offset)
      else if (load.acked.has(`${partition}:${offset}`)) load.acknowledgedTwice.push(line)
      else load.acked.set(`${partition}:${offset}`, value ?? '')
    }
  })
  const end = () =>
    new Promise<number>((resolve, reject) => {
      child.once('close', (code) =>
        code === 0 ? resolve(produced) : reject(new Error(`load on ${topic}: exit ${code}\n${stderr}`)),
      )
      child.stdin.end()
    })
  return {...load, end}
}

/** Every record of the topic by `partition:offset`, read by kcat with all checksums checked. */
async function readAll(topic: string): Promise<Map<string, string>> {
  const args = [
    '-b',
    local.plaintextBootstrap,
    '-C',
    '-t',
    topic,
    '-o',
    'beginning',
    '-e',
    '-q',
    '-X',
    'check.crcs=true',
    '-f',
    '%p:%o %s\n',
  ]
  const {code, stdout, stderr} = await runForBytes('kcat', args)
  expect({code, stderr}).toEqual({code: 0, stderr: ''})
  const lines = stdout.toString().split('\n').slice(0, -1)
  return new Map(lines.map((line) => line.split(' ') as [string, string]))
}

const isWhole = (value: string) => {
  const [text = '', hash] = value.split(':')
  return createHash('sha256').update(text).digest('hex') === hash
}

test(
  `${ROUNDS} crashes under load: no acknowledged record is missing or torn, and an idempotent producer writes none twice`,
  async () => {
    for (const topic of ['idempotent', 'plain']) await createTopic(local.plaintextBootstrap, topic, {partitions: 3})
    const idempotent = startLoad('idempotent', true, 'lz4')
    const plain = startLoad('plain', false, 'zstd')

    for (let round = 0; round < ROUNDS; round++) {
      const before = [idempotent.acked.size, plain.acked.size] as const
      // Both producers have to be at it again, else this round would test only the crash before.
      await eventually(async () => idempotent.acked.size > before[0] + 100 && plain.acked.size > before[1] + 100)
      await sleep((round * 373) % 900)
      await local.kill()
      await local.restart()
    }

    for (const [topic, load] of Object.entries({idempotent, plain})) {
      const produced = await load.end()
      const stored = await readAll(topic)
      const missing = [...load.acked].filter(([place, value]) => stored.get(place) !== value)
      expect(missing).toEqual([])
      expect([...stored.values()].filter((value) => !isWhole(value))).toEqual([])
      expect(load.acknowledgedTwice).toEqual([])
      expect(new Set(stored.values()).size).toBe(produced)
      if (topic === 'idempotent') expect(stored.size).toBe(produced)
    }
  },
  ROUNDS * 30_000,
)

test('topics, committed offsets and producer ids survive a crash', async () => {
  await createTopic(local.plaintextBootstrap, 'survives', {partitions: 2, config: ['retention.ms=3600000']})
  const kcat = async (args: string[], input = '') =>
    (await expectSuccess('kcat', ['-b', local.plaintextBootstrap, ...args], {input})).stdout
  const group = ['-G', 'survivors', '-q', '-e', '-X', 'auto.offset.reset=earliest', 'survives']
  await kcat(['-P', '-t', 'survives'], 'a\nb\nc\n')
  expect((await kcat(group)).trim().split('\n').sort()).toEqual(['a', 'b', 'c'])

  await local.kill()
  await local.restart()
  await kcat(['-P', '-t', 'survives', '-X', 'enable.idempotence=true'], 'd\n')

  expect(await kcat(group)).toBe('d\n')
  const {topics} = JSON.parse(await kcat(['-L', '-J', '-t', 'survives']))
  expect(topics[0].partitions).toHaveLength(2)
})
