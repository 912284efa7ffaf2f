import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, test} from 'vitest'

import {type Counted, judge, readWithKcat} from '../faults/count.js'
import {cleanHome, type Ended, type Home, type Running, skk, startSkk} from '../support/skk.js'
import {installKcat} from './install.js'
import {type KafkaTools, kafkaTools} from './java.js'
import {eventually} from './processes.js'
import {type RealKafka, startRealKafka} from './real-kafka.js'

/** Three brokers of Apache Kafka, one of which dies and comes back; what is left is counted by Kafka's own consumer, and by kcat. */
const RECORDS = 40_000
const FEWER = 20_000
const PER_SECOND = 3_000

let kafka: RealKafka
let tools: KafkaTools
let home: Home
beforeAll(async () => {
  await installKcat()
  tools = await kafkaTools('3.9')
  home = await cleanHome()
  kafka = await startRealKafka({nodes: 3})
  await home.context('kafka', {bootstrap: kafka.bootstrap, auth: 'none'})
})
afterAll(async () => {
  await kafka?.stop()
  await home?.remove()
})

const run = (line: string): Promise<Ended> => skk(line.split(' '), {home})
const start = (line: string): Running => startSkk(line.split(' '), {home})

/** A topic with small batches, so that a broker's death has many to happen to. */
async function topic(name: string, partitions = 3): Promise<string> {
  const {code, stderr} = await run(`topics create ${name} --partitions ${partitions} --config max.message.bytes=8000`)
  if (code !== 0) throw new Error(stderr)
  await kafka.whole(name)
  return name
}

async function file(name: string, line: (number: number) => string, records = RECORDS): Promise<string> {
  const path = join(home.directory, 'work', name)
  await writeFile(path, Array.from({length: records}, (_, i) => line(i)).join(''))
  return path
}

const keyOf = (number: number): string => `k${number % 97}`
const keyed = (number: number): string => `${keyOf(number)}:${number}\n`
const envelope = (number: number): string =>
  `${JSON.stringify({key: keyOf(number), value: String(number), headers: [['trace', 'ü']]})}\n`

/** Every record as Kafka's verifiable consumer tells it, in the order of partitions and offsets. */
async function readWithKafka(name: string, count: number): Promise<Counted[]> {
  const args = ['--bootstrap-server', kafka.bootstrap, '--topic', name, '--group-id', `verifies-${name}`]
  const {code, stdout, stderr} = await tools.run('verifiable-consumer', [...args, '--max-messages', String(count), '--verbose'])
  if (code !== 0) throw new Error(`verifiable-consumer: exit ${code}\n${stderr}`)
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const consumed = events.filter((event) => event.name === 'records_consumed').reduce((sum, event) => sum + event.count, 0)
  expect(consumed).toBe(count)
  return events
    .filter((event) => event.name === 'record_data')
    .map(({partition, offset, key, value}) => ({partition, offset, key: key ?? '', value}))
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

/** What both count, once no replica lags; they have to agree on every record. */
async function verdict(name: string, sent: number, options: {resumed?: boolean} = {}) {
  await kafka.whole(name)
  const stored = await readWithKcat(kafka.bootstrap, name)
  expect(await readWithKafka(name, stored.length)).toEqual(stored)
  return judge(stored, sent, options)
}

const clean = (sent: number) => ({stored: sent, lost: 0, duplicated: 0, reordered: 0})

/** What a command tells, as soon as the cluster can: a broker may just have died, or not have heard of a topic yet. */
async function told<Answer>(line: string): Promise<Answer> {
  let answer = ''
  await eventually(async () => {
    const {code, stdout} = await run(`${line} --json`)
    answer = stdout
    return code === 0
  })
  return JSON.parse(answer)
}

type Described = {leader: number; latestOffset: number}
const partitionsOf = async (name: string): Promise<Described[]> =>
  (await told<[{partitions: Described[]}]>(`topics describe ${name}`))[0].partitions

const isUnderWay = (name: string): Promise<void> =>
  eventually(async () => (await partitionsOf(name)).every(({latestOffset}) => latestOffset > 500))

const coordinatorOf = async (group: string): Promise<number> =>
  (await told<{coordinator: {nodeId: number}}>(`groups describe ${group}`)).coordinator.nodeId

/** Kills a node, and resolves when others lead what it has led of the topic. */
async function killUntilReplaced(node: number, name: string): Promise<void> {
  await kafka.kill(node)
  const leads = async () => (await partitionsOf(name)).some(({leader}) => leader === node)
  await eventually(async () => !(await leads()), 60_000)
}

const numbersIn = (lines: string): number[] =>
  lines
    .trim()
    .split('\n')
    .map((line) => Number(JSON.parse(line).value))
const all = (count: number): number[] => Array.from({length: count}, (_, i) => i)
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)

const LOADS = [
  {name: 'keyed', line: keyed, flags: '--key-separator : --compression none'},
  {name: 'gzip', line: keyed, flags: '--key-separator : --compression gzip'},
  {name: 'snappy', line: envelope, flags: '--format records --compression snappy'},
  {name: 'lz4', line: (number: number) => `${number}\n`, flags: '--compression lz4'},
  {name: 'zstd', line: envelope, flags: '--format records --compression zstd'},
] as const
/** What only the leader has had dies with it: of these records some may be gone, and then the run has to say so. */
const LEADER_ONLY = {name: 'acks-1', line: keyed, flags: '--key-separator : --acks 1'} as const

describe('a broker of three is killed and comes back', () => {
  test('under load: every record is there once and in order, in every codec, and read once by a group and into a checkpoint', async () => {
    await Promise.all([...LOADS, LEADER_ONLY].map(({name}) => topic(name)))
    const loads = await Promise.all(
      [...LOADS, LEADER_ONLY].map(async ({name, line, flags}) => {
        const path = await file(name, line)
        return start(`produce ${name} --file ${path} ${flags} --rate ${PER_SECOND}/s`)
      }),
    )
    const output = join(home.directory, 'work', 'read.jsonl')
    const checkpointed = `consume gzip --json --output-file ${output} --checkpoint ${output}.checkpoint`
    const killed = start(`${checkpointed} --follow --from beginning`)
    const inGroup = start(`consume keyed --json --group readers --follow --from beginning --limit ${RECORDS}`)
    await inGroup.says(/"value":"3000"/)

    // The one that the group depends on, too.
    const node = await coordinatorOf('readers')
    await killUntilReplaced(node, 'keyed')
    killed.child.kill('SIGKILL')
    await kafka.revive(node)

    const [leaderOnly, ...others] = (await Promise.all(loads.map(({ended}) => ended))).reverse()
    const allAcked = ` = ${RECORDS} acked `
    for (const ended of others) expect(ended).toMatchObject({code: 0, stderr: expect.stringContaining(allAcked)})
    // It either lost nothing, or noticed that it did: the next leader lacked what only the dead one had acknowledged.
    const {code, stderr} = leaderOnly!
    const lost = code === 10
    if (lost) expect(stderr).toContain(': records that were acknowledged are gone')
    else expect(leaderOnly).toMatchObject({code: 0, stderr: expect.stringContaining(allAcked)})
    const verdicts = await Promise.all(LOADS.map(({name}) => verdict(name, RECORDS)))
    expect(verdicts).toEqual(LOADS.map(() => clean(RECORDS)))
    expect(await verdict(LEADER_ONLY.name, RECORDS)).toMatchObject({duplicated: 0, reordered: 0, ...(!lost && clean(RECORDS))})
    const grouped = await inGroup.ended
    expect([grouped.code, grouped.stderr]).toEqual([0, `${RECORDS} records\n`])
    expect(sorted(numbersIn(grouped.stdout))).toEqual(all(RECORDS))
    expect((await run('consume keyed --group readers')).stdout).toBe('')
    expect((await run(checkpointed)).code).toBe(0)
    expect(sorted(numbersIn(await readFile(output, 'utf8')))).toEqual(all(RECORDS))
  }, 300_000)

  test('just before kill -9 of produce, which is resumed at once: every record is there once, with keys and without', async () => {
    const lines = {'resumed-keyed': keyed, 'resumed-keyless': (number: number) => `${number}\n`}
    const names = Object.keys(lines) as (keyof typeof lines)[]
    const commands = await Promise.all(
      names.map(async (name) => {
        await topic(name)
        const flags = name === 'resumed-keyed' ? ' --key-separator :' : ''
        return `produce ${name} --file ${await file(name, lines[name], FEWER)}${flags}`
      }),
    )
    // So slowly that none is done before it is killed.
    const loads = commands.map((command) => start(`${command} --rate ${PER_SECOND / 3}/s`))
    await Promise.all(names.map(isUnderWay))

    await kafka.kill(1)
    for (const {child} of loads) child.kill('SIGKILL')
    for (const {ended} of loads) expect((await ended).signal).toBe('SIGKILL')
    const resumed = await Promise.all(commands.map((command) => run(`${command} --resume`)))
    await kafka.revive(1)

    for (const ended of resumed) expect(ended).toMatchObject({code: 0, stderr: expect.stringContaining(` = ${FEWER} acked `)})
    for (const name of names) expect([name, await verdict(name, FEWER, {resumed: true})]).toEqual([name, clean(FEWER)])
  }, 240_000)
})

test('two of three are killed under load, and come back within the delivery timeout: every record is there once and in order', async () => {
  const name = await topic('without-quorum')
  const running = start(`produce ${name} --file ${await file(name, keyed, FEWER)} --key-separator : --rate ${PER_SECOND}/s`)
  await isUnderWay(name)

  await Promise.all([kafka.kill(2), kafka.kill(3)])
  await Promise.all([kafka.revive(2), kafka.revive(3)])

  expect(await running.ended).toMatchObject({code: 0, stderr: expect.stringContaining(` = ${FEWER} acked `)})
  expect(await verdict(name, FEWER)).toEqual(clean(FEWER))
}, 240_000)

test('a replica hangs beyond the delivery timeout: exit 10, and the resumed run finds what the leader had kept back', async () => {
  const name = await topic('kept-back', 1)
  // One batch.
  const records = 300
  const [{leader}] = (await partitionsOf(name)) as [Described]
  // Nobody but the leader is asked, and its first producer id comes with more, which it has to give when the controller hangs.
  const to = [name, '--key-separator : --bootstrap', kafka.bootstrap.split(',')[leader - 1]!, '--auth none'].join(' ')
  expect((await run(`produce ${to} --file ${await file('first', keyed, 1)}`)).code).toBe(0)
  const rest = records - 1
  const produce = `produce ${to} --file ${await file('rest', (number) => keyed(number + 1), rest)}`
  const follower = [1, 2, 3].find((node) => node !== leader)!

  kafka.pause(follower)
  const unanswered = await run(`${produce} --delivery-timeout 2s`)
  kafka.resume(follower)
  const resumed = await run(`${produce} --resume`)

  expect(unanswered).toMatchObject({code: 10, stderr: expect.stringContaining(` ${rest} unknown `)})
  expect(resumed).toMatchObject({code: 0, stderr: expect.stringContaining(`had written ${rest} of these`)})
  expect(await verdict(name, records)).toEqual(clean(records))
}, 240_000)
