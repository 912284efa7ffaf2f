import {mkdtemp, readdir, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {afterAll, beforeAll, describe, expect, test} from 'vitest'

import {installKcat} from './install.js'
import {expectSuccess, runForBytes} from './processes.js'
import {createTopic, type SkkLocal, skk, startSkkLocal} from './skk.js'

const RECORDS = 100_000
const lines = Array.from(
  {length: RECORDS},
  (_, i) => `{"order":${i},"customer":"c-${i % 977}","items":[{"sku":"sku-${i % 131}","quantity":${i % 7}}],"note":"ünïcode €"}`,
)
const input = Buffer.from(`${lines.join('\n')}\n`)

let local: SkkLocal
let dir: string
const kcat = async (...args: string[]) => (await expectSuccess('kcat', ['-b', local.plaintextBootstrap, ...args])).stdout
const kcatIn = (text: string | Buffer, ...args: string[]) =>
  expectSuccess('kcat', ['-b', local.plaintextBootstrap, ...args], {input: text})

beforeAll(async () => {
  await installKcat()
  local = await startSkkLocal()
  dir = await mkdtemp(join(tmpdir(), 'skk-kcat-'))
})
afterAll(async () => {
  await local?.stop()
  await rm(dir, {recursive: true, force: true})
})

test('kcat -L lists the broker and the partitions of each topic', async () => {
  await createTopic(local.plaintextBootstrap, 'listed', {partitions: 3})

  const metadata = JSON.parse(await kcat('-L', '-J', '-t', 'listed'))

  expect(metadata.brokers.map((broker: {name: string}) => broker.name)).toEqual([local.plaintextBootstrap])
  expect(metadata.topics[0]).toMatchObject({topic: 'listed'})
  expect(metadata.topics[0].partitions.map((partition: {partition: number}) => partition.partition).sort()).toEqual([0, 1, 2])
})

test('kcat -L on a topic that does not exist does not make one', async () => {
  const metadata = JSON.parse(await kcat('-L', '-J', '-t', 'absent'))

  expect(metadata.topics[0].error).toMatch(/Unknown topic or partition/)
  expect(JSON.parse(await kcat('-L', '-J')).topics.map((topic: {topic: string}) => topic.topic)).not.toContain('absent')
})

describe.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('codec %s', (codec) => {
  test(`${RECORDS} records come back byte for byte`, async () => {
    const topic = `codec-${codec}`
    const file = join(dir, 'input')
    await createTopic(local.plaintextBootstrap, topic, {partitions: 3})
    await writeFile(file, input)
    const before = await sizeOf(local.dataDir)

    await kcat('-P', '-t', topic, '-z', codec, '-l', file)

    const args = ['-b', local.plaintextBootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-X', 'check.crcs=true']
    const {stdout} = await runForBytes('kcat', args)
    expect(sortedLines(stdout).equals(sortedLines(input))).toBe(true)
    // librdkafka silently sends plain batches to brokers whose version ranges it does not trust with a codec.
    const stored = (await sizeOf(local.dataDir)) - before
    if (codec === 'none') expect(stored).toBeGreaterThan(input.length)
    else expect(stored).toBeLessThan(input.length / 2)
  })
})

test('skk local with three brokers shares the partitions out among them', async () => {
  const three = await startSkkLocal(['--brokers', '3'])
  try {
    const server = ['-b', three.plaintextBootstrap]
    await createTopic(three.plaintextBootstrap, 'shared', {partitions: 6})
    await expectSuccess('kcat', [...server, '-P', '-t', 'shared'], {input})

    const {brokers, topics} = JSON.parse((await expectSuccess('kcat', [...server, '-L', '-J', '-t', 'shared'])).stdout)
    const {stdout} = await runForBytes('kcat', [...server, '-C', '-t', 'shared', '-o', 'beginning', '-e', '-q'])

    expect(brokers).toHaveLength(3)
    expect(new Set(topics[0].partitions.map(({leader}: {leader: number}) => leader)).size).toBe(3)
    expect(sortedLines(stdout).equals(sortedLines(input))).toBe(true)
  } finally {
    await three.stop()
  }
})

test('an idempotent producer writes each record once and in order', async () => {
  await createTopic(local.plaintextBootstrap, 'idempotent')
  const file = join(dir, 'idempotent')
  await writeFile(file, input)

  await kcat('-P', '-t', 'idempotent', '-X', 'enable.idempotence=true', '-l', file)

  const {stdout} = await runForBytes('kcat', [
    '-b',
    local.plaintextBootstrap,
    '-C',
    '-t',
    'idempotent',
    '-o',
    'beginning',
    '-e',
    '-q',
  ])
  expect(stdout.equals(input)).toBe(true)
})

test('keys, headers and tombstones of kcat come out of skk consume', async () => {
  await createTopic(local.plaintextBootstrap, 'from-kcat')
  await kcatIn('a:1\nb:\n', '-P', '-t', 'from-kcat', '-K', ':', '-Z', '-H', 'trace=1', '-H', 'trace=2')

  const {stdout, code} = await skk(['consume', 'from-kcat', '--json', '--bootstrap', local.plaintextBootstrap, '--auth', 'none'])

  expect(code).toBe(0)
  const headers = [
    ['trace', '1'],
    ['trace', '2'],
  ]
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    {topic: 'from-kcat', partition: 0, offset: 0, key: 'a', value: '1', headers},
    {topic: 'from-kcat', partition: 0, offset: 1, key: 'b', value: null, headers},
  ])
})

test('keys, headers, tombstones and bytes of skk produce come out of kcat', async () => {
  await createTopic(local.plaintextBootstrap, 'to-kcat')
  const records = [
    {
      key: 'a',
      value: '1',
      headers: [
        ['trace', '1'],
        ['trace', '2'],
      ],
    },
    {key: 'b', value: null},
    {key: null, value: ''},
    {key: {base64: '/wA='}, value: {base64: 'gIE='}},
  ]
  const target = ['--bootstrap', local.plaintextBootstrap, '--auth', 'none']
  const produced = await skk(['produce', 'to-kcat', '--format', 'records', ...target], {
    input: records.map((record) => JSON.stringify(record)).join('\n'),
  })
  expect(produced.stderr).toContain('4 read = 4 acked')

  const args = ['-b', local.plaintextBootstrap, '-C', '-t', 'to-kcat', '-e', '-q', '-f', '%K|%k|%S|%s|%h\n']
  const {stdout} = await runForBytes('kcat', args)

  const expected = [
    Buffer.from('1|a|1|1|trace=1,trace=2\n1|b|-1||\n-1||0||\n2|'),
    Buffer.from([0xff, 0]),
    Buffer.from('|2|'),
    Buffer.from([0x80, 0x81]),
    Buffer.from('|\n'),
  ]
  expect(stdout.toString('latin1')).toBe(Buffer.concat(expected).toString('latin1'))
})

test('a timestamp is turned into the offset of the first record that is not older', async () => {
  await createTopic(local.plaintextBootstrap, 'times')
  await kcatIn('old-1\nold-2\n', '-P', '-t', 'times')
  await sleep(20)
  const between = Date.now()
  await sleep(20)
  await kcatIn('new-1\nnew-2\n', '-P', '-t', 'times')

  expect(await kcat('-C', '-t', 'times', '-o', `s@${between}`, '-e', '-q')).toBe('new-1\nnew-2\n')
  expect(await kcat('-C', '-t', 'times', '-o', 's@0', '-o', `e@${between}`, '-e', '-q')).toBe('old-1\nold-2\n')
  expect(await kcat('-Q', '-t', `times:0:${between}`)).toMatch(/times \[0\] offset 2/)
  expect(await kcat('-Q', '-t', 'times:0:-1')).toMatch(/times \[0\] offset 4/)
})

test('a consumer group goes on where its last member stopped', async () => {
  await createTopic(local.plaintextBootstrap, 'grouped', {partitions: 2})
  const all = Array.from({length: 100}, (_, i) => `g-${i}`)
  await kcatIn(`${all.join('\n')}\n`, '-P', '-t', 'grouped')

  const first = await kcat('-G', 'readers', '-q', '-c', '30', '-X', 'auto.offset.reset=earliest', 'grouped')
  const second = await kcat('-G', 'readers', '-q', '-e', '-X', 'auto.offset.reset=earliest', 'grouped')
  const third = await kcat('-G', 'readers', '-q', '-e', '-X', 'auto.offset.reset=earliest', 'grouped')

  expect(first.trim().split('\n')).toHaveLength(30)
  expect([...first.trim().split('\n'), ...second.trim().split('\n')].sort()).toEqual(all.sort())
  expect(third).toBe('')
})

function sortedLines(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').split('\n').sort().join('\n'), 'latin1')
}

async function sizeOf(dir: string): Promise<number> {
  const entries = await readdir(dir, {recursive: true, withFileTypes: true})
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  return sizes.reduce((total, size) => total + size, 0)
}
