import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {InvokeCommand, LambdaClient} from '@aws-sdk/client-lambda'
import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {installKcat} from '../engines/install.js'
import {eventually, expectSuccess} from '../engines/processes.js'
import {createTopic, testCredentials} from '../engines/skk.js'
import {stack as localStack} from '../support/stack.js'
import {type Deployment, startWorld, type World} from './world.js'

const FULL = process.env['SKK_FULL'] !== undefined
const REQUESTS = FULL ? 1000 : 100
/** Between two deaths of brokers. */
const SOME_REQUESTS = FULL ? 500 : 100
/** Instances of the function at once: each is a process of its own. */
const INSTANCES = 8
const KEYS = 20
const PATIENCE_MS = 120_000

type Stack = {bootstrap: string; plaintextBootstrap: string; endpoint: string}
type Place = {partition: number; offset: number}
type Said = {status: number; headers: Record<string, string>; body: any}
/** What differs from the golden event of the project; a header that is null is not there. */
type Change = {
  body?: string | undefined
  path?: string
  method?: string
  headers?: Record<string, string | null>
  isBase64Encoded?: boolean
}

let world: World
let stack: Stack
let kcat: string
let lambda: LambdaClient
beforeAll(async () => {
  kcat = await installKcat()
  world = await startWorld(['--brokers', '3'])
  stack = JSON.parse((await world.skk(['local', 'env', '--json'])).stdout)
  const credentials = {accessKeyId: testCredentials.AWS_ACCESS_KEY_ID, secretAccessKey: testCredentials.AWS_SECRET_ACCESS_KEY}
  lambda = new LambdaClient({endpoint: stack.endpoint, region: testCredentials.AWS_REGION, credentials})
})
afterAll(async () => {
  lambda?.destroy()
  await world?.stop()
})

/** The function, asked as API Gateway asks it: with an event for each request, by so many instances at once. */
async function pattern(options: Deployment) {
  const deployed = await world.deployed('pattern-1', {attached: false, partitions: 3, ...options})
  onTestFinished(() => deployed.remove())
  const read = async (path: string) => JSON.parse(await readFile(join(deployed.dir, path), 'utf8'))
  const golden = await read('events/golden.json')
  const atOnce = limited(INSTANCES)
  const ask = (change: Change): Promise<Said> =>
    atOnce(async () => {
      const {body: _, ...event} = changed(golden, change)
      const Payload = JSON.stringify({...event, ...(change.body !== undefined && {body: change.body})})
      const answer = await lambda.send(new InvokeCommand({FunctionName: options.name, Payload}))
      const said = JSON.parse(Buffer.from(answer.Payload!).toString())
      if (answer.FunctionError) throw new Error(`${answer.FunctionError}: ${JSON.stringify(said)}`)
      return {status: said.statusCode, headers: said.headers, body: JSON.parse(said.body)}
    })
  return {deployed, ask, hostile: await read('events/hostile.json')}
}

function changed(golden: any, {path = golden.rawPath, method = 'POST', headers = {}, isBase64Encoded = false}: Change) {
  const present = Object.entries({...golden.headers, ...headers}).filter(([, value]) => value !== null)
  const http = {...golden.requestContext.http, method, path}
  const requestContext = {...golden.requestContext, http}
  return {...golden, rawPath: path, headers: Object.fromEntries(present), isBase64Encoded, requestContext}
}

/** Lets so many run at once; the others wait. */
function limited(most: number) {
  const waiting: (() => void)[] = []
  let running = 0
  return async <Value>(work: () => Promise<Value>): Promise<Value> => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}

const record = (value: unknown, more: object = {}): Change => ({body: JSON.stringify({records: [{value, ...more}]})})
const placeOf = ({body}: Said): Place => body.offsets[0]
const at = ({partition, offset}: Place) => `${partition}/${offset}`

/** What kcat reads in a topic, by place. */
async function readByKcat(bootstrap: string, topic: string): Promise<Map<string, {key: string; value: string}>> {
  const format = ['-f', '%p\t%o\t%k\t%s\n']
  const {stdout} = await expectSuccess(kcat, ['-C', '-b', bootstrap, '-t', topic, '-o', 'beginning', '-e', '-q', ...format])
  const lines = stdout.split('\n').filter(Boolean)
  return new Map(
    lines.map((line) => {
      const [partition, offset, key, value] = line.split('\t') as [string, string, string, string]
      return [`${partition}/${offset}`, {key, value}]
    }),
  )
}

describe('pattern-1, on a stack of three brokers', () => {
  it(`stores ${REQUESTS} concurrent requests where it says, each in a place of its own`, async () => {
    const {ask} = await pattern({name: 'stored'})
    const keyOf = (number: number) => `k${number % KEYS}`

    const requests = Array.from({length: REQUESTS}, (_, number) => ask(record({number}, {key: keyOf(number)})))
    const said = await Promise.all(requests)

    expect([...new Set(said.map(({status}) => status))]).toEqual([200])
    const places = said.map(placeOf)
    expect(new Set(places.map(at)).size).toBe(REQUESTS)
    const found = await readByKcat(stack.plaintextBootstrap, 'stored')
    expect(found.size).toBe(REQUESTS)
    for (const [number, place] of places.entries())
      expect(found.get(at(place))).toEqual({key: keyOf(number), value: `{"number":${number}}`})

    // A key has the partition that Kafka's own hash gives it.
    const byKey = new Map(places.map(({partition}, number) => [keyOf(number), partition]))
    await world.skk(['topics', 'create', 'by-kcat', '--partitions', '3'])
    const input = [...byKey.keys()].map((key) => `${key}:\n`).join('')
    const hash = ['-X', 'topic.partitioner=murmur2_random']
    await expectSuccess(kcat, ['-P', '-b', stack.plaintextBootstrap, '-t', 'by-kcat', '-K:', ...hash], {input})
    const ofKcat = [...(await readByKcat(stack.plaintextBootstrap, 'by-kcat'))].map(([place, {key}]) => [key, Number(place[0])])
    expect(Object.fromEntries(ofKcat)).toEqual(Object.fromEntries(byKey))
  })

  it('opens no connection when it is warm', async () => {
    const {ask} = await pattern({name: 'warm'})
    // Each partition has its leader, and so its connection.
    for (const partition of [0, 1, 2]) await ask(record('cold', {partition}))
    const before = await connections()
    expect(before.size).toBeGreaterThan(0)

    for (const partition of [0, 1, 2, 0, 1, 2]) expect((await ask(record('warm', {partition}))).status).toBe(200)

    expect([...(await connections())].filter((port) => !before.has(port))).toEqual([])
  })

  it('answers every bad request with its status, and stores nothing of it', async () => {
    const {ask, hostile} = await pattern({name: 'refusing'})
    const topics = (await world.skk(['topics', 'list', '--plain'])).stdout

    const said = await Promise.all(hostile.map((change: Change) => ask(change)))

    expect(said.map(({status}, index) => [hostile[index].what, status])).toEqual(
      hostile.map(({what, status}: {what: string; status: number}) => [what, status]),
    )
    expect((await ask(record('x'.repeat(2_000_000)))).status).toBe(413)
    expect((await ask(record(1, {partition: 3}))).body.offsets[0].error_code).toBe(40402)
    expect(await readByKcat(stack.plaintextBootstrap, 'refusing')).toEqual(new Map())
    // Nothing that was asked for became a topic.
    expect((await world.skk(['topics', 'list', '--plain'])).stdout).toBe(topics)
  })

  it('speaks version 3: coordinates for one record, and for each of a batch', async () => {
    const {ask} = await pattern({name: 'third'})
    const path = '/v3/clusters/local/topics/third/records'
    const timestamp = '2026-11-20T10:00:00.000Z'
    const values = Array.from({length: 10}, (_, number) => ({type: 'STRING', data: `v${number}`}))

    const one = await ask({path, body: JSON.stringify({key: {type: 'STRING', data: 'k'}, value: values[0], timestamp})})
    const entries = values.map((value, number) => ({id: `e${number}`, value, partition_id: one.body.partition_id, timestamp}))
    const batch = await ask({path: `${path}:batch`, body: JSON.stringify({entries})})

    expect([one.status, batch.status, batch.body.failures]).toEqual([200, 200, []])
    const base = batch.body.successes[0].offset
    expect(base).toBe(one.body.offset + 1)
    const found = await readByKcat(stack.plaintextBootstrap, 'third')
    for (const [number, {id, partition_id, offset}] of batch.body.successes.entries()) {
      expect([id, offset]).toEqual([`e${number}`, base + number])
      expect(found.get(at({partition: partition_id, offset}))!.value).toBe(`v${number}`)
    }
    const stored = (await world.records('third')) as unknown as {timestamp: string}[]
    expect([...new Set(stored.map((envelope) => envelope.timestamp))]).toEqual([timestamp])
  })
})

describe('pattern-1, when brokers die', () => {
  it('gives no 2xx without a stored record: one of three, then all of them, and back', async () => {
    const cluster = await localStack({brokers: 3})
    const bootstrap = cluster.plaintextBootstrap!
    await createTopic(bootstrap, 'killed', {partitions: 3})
    const {ask} = await pattern({
      name: 'killed',
      environment: {SKK_BROKERS: bootstrap, SKK_AUTH: 'none'},
      flags: ['--function-timeout', '8s'],
    })
    const said: (Said & {number: number})[] = []
    const stored = () => said.filter(({status}) => status === 200)
    const failed = () => said.filter(({status}) => status >= 500).length
    let asked = 0
    let over = false
    const client = async () => {
      while (!over) {
        const number = asked++
        said.push({number, ...(await ask(record({number}, {partition: number % 3})))})
      }
    }
    /** Until each partition has taken its share of so many more. */
    const untilMore = async (count: number) => {
      const before = said.length
      const share = (partition: number) =>
        said.slice(before).filter((one) => one.status === 200 && placeOf(one).partition === partition).length
      await eventually(async () => [0, 1, 2].every((partition) => share(partition) >= count / 3), PATIENCE_MS)
    }
    const attack = async () => {
      try {
        await untilMore(SOME_REQUESTS)
        const leader = await leaderOf(bootstrap, 'killed', 0)
        await cluster.killNode(leader)
        expect(await leaderOf(bootstrap, 'killed', 0)).not.toBe(leader)
        await untilMore(SOME_REQUESTS)
        await cluster.reviveNode(leader)
        await untilMore(SOME_REQUESTS)
        const ofOne = failed()
        for (const node of cluster.nodeIds) await cluster.killNode(node)
        await eventually(async () => failed() > ofOne, PATIENCE_MS)
        for (const node of cluster.nodeIds) await cluster.reviveNode(node)
        await untilMore(SOME_REQUESTS)
        process.stderr.write(
          `pattern-1: ${said.length} requests, ${ofOne} failed with one broker, ${failed() - ofOne} without any\n`,
        )
      } finally {
        over = true
      }
    }
    await Promise.all([attack(), ...Array.from({length: INSTANCES}, client)])

    expect(said.filter(({status}) => ![200, 503, 504].includes(status))).toEqual([])
    const found = await readByKcat(bootstrap, 'killed')
    const wrong = stored().filter((one) => found.get(at(placeOf(one)))?.value !== `{"number":${one.number}}`)
    expect(wrong).toEqual([])
    expect(new Set(stored().map((one) => at(placeOf(one)))).size).toBe(stored().length)
  })
})

/** The node that leads a partition now. */
async function leaderOf(bootstrap: string, topic: string, wanted: number): Promise<number> {
  const {stdout} = await world.skk(['topics', 'describe', topic, '--bootstrap', bootstrap, '--auth', 'none', '--json'])
  const [{partitions}] = JSON.parse(stdout)
  return partitions.find(({partition}: {partition: number}) => partition === wanted).leader
}

/** The ports from which somebody is, or was a moment ago, connected to a broker with IAM: the kernel knows of each. */
async function connections(): Promise<Set<string>> {
  const brokers = new Set(stack.bootstrap.split(',').map((address) => Number(address.split(':').at(-1))))
  const portOf = (address: string) => Number.parseInt(address.split(':')[1]!, 16)
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').slice(1).filter(Boolean)
  const ends = lines.map((line) => line.trim().split(/\s+/))
  return new Set(ends.filter(([, , remote]) => brokers.has(portOf(remote!))).map(([, local]) => local!))
}
