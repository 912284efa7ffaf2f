import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, expect, it, vi} from 'vitest'

import type {Local} from '../../../src/lib/local/index.js'
import {until} from '../../support/lambda.js'
import {cleanHome, type Ended, type Home, skk} from '../../support/skk.js'
import {kafkaOf} from '../../support/topic.js'

/** The verbs for mappings against a stack, which has brokers and groups, unlike the scripted endpoint. */

vi.setConfig({testTimeout: 60_000})

let home: Home
let local: Local
beforeAll(async () => {
  home = await cleanHome()
  local = await home.local({plaintextPort: {wanted: 0, mayMove: true}})
  await deploy('f', 'export const handler = async () => {}')
  await deploy('failing', `export const handler = async () => { throw new Error('no') }`)
}, 60_000)
afterAll(() => home.remove())

const run = (line: string, options: {input?: string} = {}): Promise<Ended> => skk(line.split(' '), {home, ...options})

async function deploy(name: string, source: string): Promise<void> {
  const dir = join(home.directory, 'work', name)
  await mkdir(dir, {recursive: true})
  await writeFile(join(dir, 'index.mjs'), source)
  const {code, stderr} = await run(`functions deploy ${name} --name ${name} --handler index.handler`)
  expect(code, stderr).toBe(0)
}

async function topic(name: string, values: readonly string[] = []): Promise<void> {
  await run(`topics create ${name}`)
  if (values.length > 0) await run(`produce ${name}`, {input: values.map((value) => `${value}\n`).join('')})
}

it('a mapping is healthy once a member is in its group, though its topic is empty', async () => {
  await topic('quiet')

  const {code, stdout, stderr} = await run('esm attach --function f --topic quiet --until healthy --retry --json')

  expect(code, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({state: 'Enabled', evidence: 'a member of its group'})
  expect(stderr).toContain('preflight: 4 checks ok\n')
})

it('an existing group goes on where it was, and that is said', async () => {
  await topic('older', ['a', 'b'])
  await run('groups reset f.older --topic older --to latest --yes')

  const {code, stderr} = await run('esm attach --function f --topic older --disabled')

  expect(stderr).toContain('group "f.older" has offsets of topic "older": it goes on there, and the starting position is ignored')
  expect(code).toBe(0)
  const described = await run('esm describe --function f --topic older --json')
  expect(JSON.parse(described.stdout)).toMatchObject({state: 'Disabled', lag: {records: 0, source: 'brokers'}})
})

it('describe tells how far behind a mapping is', async () => {
  await topic('behind', ['a', 'b', 'c'])
  await run('esm attach --function failing --topic behind --until healthy --timeout 10s')

  const {stdout} = await run('esm describe --function failing --topic behind')

  expect(stdout).toMatch(/^lag +3 records \(the brokers, now\)$/m)
})

it('describe has the metrics that a mapping asks for, and of no other', async () => {
  await topic('counted', ['a', 'b', 'c'])
  await run('esm attach --function f --topic counted --metrics EventCount --metrics KafkaMetrics --batch-size 3 --until healthy')
  const describe = async () => JSON.parse((await run('esm describe --function f --topic counted --json')).stdout)

  const counted = await until(describe, ({metricValues}) => metricValues?.SumOffsetLag === 0, 50_000)

  expect(counted.metrics).toEqual(['EventCount', 'KafkaMetrics'])
  expect(counted.metricValues).toMatchObject({
    PolledEventCount: 3,
    FilteredOutEventCount: 0,
    InvokedEventCount: 3,
    FailedInvokeEventCount: 0,
    MaxOffsetLag: 0,
  })
  const {stdout} = await run('esm describe --function f --topic counted')
  expect(stdout).toMatch(/^InvokedEventCount, 15m +3$/m)

  await run('esm attach --function failing --topic counted --until healthy')
  const {stdout: other} = await run('esm describe --function failing --topic counted --json')
  expect(JSON.parse(other)).toMatchObject({metrics: [], metricValues: null})
})

it('a topic that does not exist is 3 before anything is made', async () => {
  const {code, stderr} = await run('esm attach --function f --topic nowhere')

  const destination = await run('esm attach --function f --topic quiet --group g --on-failure kafka://nowhere --replace')

  expect(code).toBe(3)
  expect(stderr).toContain(
    'error: preflight: topic "nowhere" does not exist\nhint:  Create it with `skk topics create nowhere`, or pass',
  )
  expect(destination).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('topic "nowhere", the on-failure destination, does not exist'),
  })
  expect(JSON.parse((await run('esm list --json')).stdout)).not.toContainEqual(expect.objectContaining({topic: 'nowhere'}))
})

it('a group that another mapping uses is 6', async () => {
  await topic('shared')
  await topic('shared-too')
  await run('esm attach --function f --topic shared --group one')

  const {code, stderr} = await run('esm attach --function f --topic shared-too --group one')

  expect(code).toBe(6)
  expect(stderr).toContain('"one"')
})

it('two at once of the same 16 make 16 at the rate of an account, and both are 0', async () => {
  const names = Array.from({length: 16}, (_, i) => `many-${i}`)
  const {admin} = await kafkaOf(local)
  await admin.createTopics({topics: names.map((name) => ({topic: name, numPartitions: 1}))})
  await writeFile(
    join(home.directory, 'work/mappings.yaml'),
    `mappings:\n${names.map((name) => `  - {function: f, topic: ${name}}\n`).join('')}`,
  )

  const both = await Promise.all([1, 2].map(() => run('esm apply --yes --retry --json')))

  expect(both.map(({code, stderr}) => [code, code === 0 ? '' : stderr])).toEqual([
    [0, ''],
    [0, ''],
  ])
  const listed: {topic: string}[] = JSON.parse((await run('esm list --json')).stdout)
  expect(listed.filter((mapping) => names.includes(mapping.topic))).toHaveLength(16)
}, 120_000)
