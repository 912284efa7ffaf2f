import {randomBytes} from 'node:crypto'

import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {partitionForKey} from '../../src/lib/records/murmur2.js'
import {seededRandom} from '../../src/lib/seeded-random.js'
import {end, eventually, start} from '../engines/processes.js'
import {type Deployment, type Envelope, motoCall, startMoto, startWorld, type World} from './world.js'

const CHANGES = process.env['SKK_FULL'] ? 1000 : 100
const ITEMS = 20
const BATCH = 25
const PARTITIONS = 4
const PATIENCE_MS = 120_000
const BUCKET = 'put-aside'
const NAME = 'changes'
const TABLES = ['random', 'failing', 'expired', 'large']
const DIGITS = '12345678901234567890123456789012345678'
const SEED = Number(process.env['SKK_SEED'] ?? Math.floor(Math.random() * 2 ** 32))

type Item = Record<string, any>
type StreamRecord = {eventID: string; eventName: string; dynamodb: {Keys: Item; SequenceNumber: string}; [more: string]: unknown}

let world: World
let moto: Awaited<ReturnType<typeof startMoto>>
/** One function for several tables, as `TOPIC_MAP` allows. */
let deployed: Awaited<ReturnType<typeof deploy>>
beforeAll(async () => {
  process.stderr.write(`pattern-7: SKK_SEED=${SEED}\n`)
  world = await startWorld()
  moto = await startMoto()
  await fetch(`${moto.url}/${BUCKET}`, {method: 'PUT'})
  const TOPIC_MAP = JSON.stringify(Object.fromEntries(TABLES.map((table) => [table, table])))
  const flags = ['--function-timeout', '10s']
  deployed = await deploy({name: NAME, set: {table: 'here', topic: 'here'}, environment: {TOPIC_MAP}, flags})
})
afterAll(async () => {
  await deployed?.remove()
  await moto?.stop()
  await world?.stop()
})

const dynamodb = (action: string, body: unknown) => motoCall(moto.url, 'dynamodb', action, body)
const streams = (action: string, body: unknown) => motoCall(moto.url, 'dynamodbstreams', action, body)

/** A table and a topic of that name; the functions know both. */
async function tableAndTopic(name: string, {partitions = PARTITIONS, flags = [] as string[]} = {}) {
  await world.skk(['topics', 'create', name, '--partitions', String(partitions), ...flags])
  return makeTable(name)
}

const deploy = (options: Deployment) => {
  const own = {SKK_BROKERS: world.bootstrap, DEAD_LETTERS_BUCKET: BUCKET, AWS_ENDPOINT_URL_S3: moto.url}
  return world.callable('pattern-7', {...options, environment: {...own, ...options.environment}})
}

async function makeTable(TableName: string) {
  const {TableDescription} = await dynamodb('CreateTable', {
    TableName,
    AttributeDefinitions: [
      {AttributeName: 'id', AttributeType: 'S'},
      {AttributeName: 'at', AttributeType: 'N'},
    ],
    KeySchema: [
      {AttributeName: 'id', KeyType: 'HASH'},
      {AttributeName: 'at', KeyType: 'RANGE'},
    ],
    BillingMode: 'PAY_PER_REQUEST',
    StreamSpecification: {StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES'},
  })
  const StreamArn: string = TableDescription.LatestStreamArn
  const {StreamDescription} = await streams('DescribeStream', {StreamArn})
  const [{ShardId}] = StreamDescription.Shards
  return {
    arn: StreamArn,
    put: (Item: Item) => dynamodb('PutItem', {TableName, Item}),
    remove: (Key: Item) => dynamodb('DeleteItem', {TableName, Key}),
    update: (Key: Item, value: Item) =>
      dynamodb('UpdateItem', {
        TableName,
        Key,
        UpdateExpression: 'SET #one = :value, #two = :value REMOVE #three',
        ExpressionAttributeNames: {'#one': 'v0', '#two': 'v1', '#three': 'v2'},
        ExpressionAttributeValues: {':value': value},
      }),
    items: async (): Promise<Item[]> => (await dynamodb('Scan', {TableName, ConsistentRead: true})).Items,
    /** What the stream has, from a sequence number on if one is given. */
    async read(from?: string, Limit = BATCH): Promise<StreamRecord[]> {
      const at =
        from === undefined ? {ShardIteratorType: 'TRIM_HORIZON'} : {ShardIteratorType: 'AT_SEQUENCE_NUMBER', SequenceNumber: from}
      const {ShardIterator} = await streams('GetShardIterator', {StreamArn, ShardId, ...at})
      const {Records} = await streams('GetRecords', {ShardIterator, Limit})
      return Records.map((record: StreamRecord) => ({...record, eventSourceARN: StreamArn}))
    },
  }
}

type Table = Awaited<ReturnType<typeof makeTable>>

const call = async (name: string, Records: StreamRecord[]): Promise<string[]> => {
  const {batchItemFailures} = (await world.invoke(name, {Records})) as {batchItemFailures: {itemIdentifier: string}[]}
  return batchItemFailures.map(({itemIdentifier}) => itemIdentifier)
}

const after = (sequence: string): string => String(BigInt(sequence) + 1n)

/** What a mapping does with a shard: batch after batch in order, and from the lowest that failed on again. */
async function drain(name: string, table: Table, from?: string): Promise<{batches: number; failed: number}> {
  const done = {batches: 0, failed: 0}
  for (let next = from; ; ) {
    const records = await table.read(next)
    if (records.length === 0) return done
    const [failed] = await call(name, records)
    done.batches++
    if (failed !== undefined) done.failed++
    next = failed ?? after(records.at(-1)!.dynamodb.SequenceNumber)
  }
}

const keyOf = (number: number): Item => ({id: {S: `k${number >> 1}`}, at: {N: number % 2 ? DIGITS : '-0.5'}})

/** A value of any type, drawn. */
function anyValue(random: () => number, depth = 0): Item {
  const digits = () =>
    `${random() < 0.5 ? '-' : ''}${1 + Math.floor(random() * 9)}${String(random()).slice(2, 12)}${DIGITS.slice(11)}`.slice(0, 38)
  const bytes = () =>
    Buffer.from(Array.from({length: 1 + Math.floor(random() * 20)}, () => Math.floor(random() * 256))).toString('base64')
  const several = <Value>(one: () => Value) => [...new Set(Array.from({length: 1 + Math.floor(random() * 4)}, one))]
  const kinds: (() => Item)[] = [
    () => ({S: ['', '😀', '"},"op":"d', '\u0000', '__proto__'][Math.floor(random() * 5)]}),
    () => ({N: digits()}),
    () => ({N: '1E-130'}),
    () => ({B: bytes()}),
    () => ({BOOL: random() < 0.5}),
    () => ({NULL: true}),
    () => ({SS: several(() => `s${Math.floor(random() * 100)}`)}),
    () => ({NS: several(digits)}),
    () => ({BS: several(bytes)}),
    () => ({L: depth > 3 ? [] : several(() => anyValue(random, depth + 1))}),
    () => ({M: depth > 3 ? {} : {'a b': anyValue(random, depth + 1), 'a.b': anyValue(random, depth + 1)}}),
  ]
  return kinds[Math.floor(random() * kinds.length)]!()
}

/** Puts, updates and deletes of random items with random attributes. */
async function change(table: Table, count: number, random: () => number): Promise<void> {
  for (let done = 0; done < count; done++) {
    const key = keyOf(Math.floor(random() * ITEMS))
    const choice = random()
    if (choice < 0.5) {
      const attributes = Array.from({length: Math.floor(random() * 4)}, (_, index) => [`v${index}`, anyValue(random)])
      await table.put({...key, ...Object.fromEntries(attributes)})
    } else if (choice < 0.75) await table.update(key, anyValue(random))
    else await table.remove(key)
  }
}

/** The table that a topic tells of: its envelopes and tombstones in the order of each partition. */
function rebuilt(records: Envelope[]): Map<string, Item> {
  const items = new Map<string, Item>()
  for (const {key, value} of [...records].sort((a, b) => a.offset - b.offset)) {
    const told = value === null ? {after: null} : JSON.parse(String(value))
    if (told.after === null) items.delete(String(key))
    else items.set(String(key), told.after)
  }
  return items
}

/** In a set nothing comes first. */
function withoutOrder(value: any): any {
  if (Array.isArray(value)) return value.map(withoutOrder)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries<any>(value).map(([name, one]) => [
      name,
      ['SS', 'NS', 'BS'].includes(name) && Array.isArray(one) ? [...one].sort() : withoutOrder(one),
    ]),
  )
}

async function expectRebuilt(topic: string, table: Table): Promise<number> {
  const told = [...rebuilt(await world.records(topic))].map(([key, item]) => [key, withoutOrder(item)])
  const there = (await table.items()).map((item) => [JSON.stringify({at: item['at'], id: item['id']}), withoutOrder(item)])
  expect(new Map(told as [string, Item][])).toEqual(new Map(there as [string, Item][]))
  return there.length
}

const headerOf = ({headers}: Envelope, wanted: string) => headers.find(([name]) => name === wanted)?.[1]
const partitionOf = ({at, id}: Item): number => partitionForKey(Buffer.from(JSON.stringify({at, id})), PARTITIONS)

describe('pattern-7, called with the stream of a table', () => {
  it(`rebuilds the table from the topic after ${CHANGES} random changes of ${ITEMS} items`, async () => {
    const table = await tableAndTopic('random')
    await change(table, CHANGES, seededRandom(SEED))

    const {batches} = await drain(NAME, table)

    const items = await expectRebuilt('random', table)
    const records = await world.records('random')
    const told = new Set(records.map((record) => headerOf(record, 'SequenceNumber')))
    const changes = await table.read(undefined, 2 * CHANGES)
    expect([...told].sort()).toEqual(changes.map(({dynamodb: {SequenceNumber}}) => SequenceNumber))
    for (const item of new Set(records.map(({key}) => key))) {
      const ofItem = records.filter(({key}) => key === item).map((record) => String(headerOf(record, 'SequenceNumber')))
      expect(ofItem).toEqual([...ofItem].sort())
    }
    process.stderr.write(
      `pattern-7: ${changes.length} changes, ${batches} batches, ${records.length} records, ${items} items left\n`,
    )
  })

  it('names record k when its partition fails, has stored nothing of its items, and goes on from there', async () => {
    const table = await tableAndTopic('failing')
    const keys = Array.from({length: ITEMS}, (_, number) => keyOf(number))
    const broken = partitionOf(keys[0]!)
    const others = keys.filter((key) => partitionOf(key) !== broken)
    const k = 7
    for (let number = 0; number < BATCH; number++) {
      const key = number < k ? others[number % others.length]! : keys[(number - k) % keys.length]!
      await table.put({...key, n: {N: String(number)}})
    }
    const fault = [
      '--api',
      'Produce',
      '--topic',
      'failing',
      '--partition',
      String(broken),
      '--action',
      'error',
      '--error-code',
      '19',
    ]
    await world.skk(['local', 'faults', 'add', ...fault, '--forever'])
    const records = await table.read()

    const failed = await call(NAME, records)

    expect(failed).toEqual([records[k]!.dynamodb.SequenceNumber])
    expect((await world.records('failing')).filter(({partition}) => partition === broken)).toEqual([])
    expect(await deployed.log()).toContain('will come again, with all after it')
    await world.skk(['local', 'faults', 'clear'])
    expect(await drain(NAME, table, failed[0])).toEqual({batches: 1, failed: 0})
    expect(await expectRebuilt('failing', table)).toBe(new Set(records.map(({dynamodb: {Keys}}) => JSON.stringify(Keys))).size)
  })

  it('marks what TTL has deleted', async () => {
    const table = await tableAndTopic('expired')
    await table.put({...keyOf(0), expires: {N: '1'}})
    await table.put({...keyOf(1)})
    for (const number of [0, 1]) await table.remove(keyOf(number))
    // No item of moto ever expires: a delete is given the mark of DynamoDB's own.
    const records = await table.read()
    const marked = {...records[2]!, userIdentity: {type: 'Service', principalId: 'dynamodb.amazonaws.com'}}

    expect(await call(NAME, [...records.slice(0, 2), marked, records[3]!])).toEqual([])

    const deletes = (await world.records('expired')).filter((record) => headerOf(record, 'op') === 'd')
    const ttl = deletes.map((one) => [JSON.parse(String(one.key)).at.N, one.value === null, headerOf(one, 'ttl')])
    expect(ttl.sort()).toEqual([
      ['-0.5', false, 'true'],
      ['-0.5', true, 'true'],
      [DIGITS, false, undefined],
      [DIGITS, true, undefined],
    ])
    expect(await expectRebuilt('expired', table)).toBe(0)
  })

  it('puts a change into the bucket that its topic cannot take, alone, and goes on', async () => {
    const table = await tableAndTopic('large', {partitions: 1, flags: ['--config', 'max.message.bytes=20000']})
    const some = () => ({B: randomBytes(6000).toString('base64')})
    // Together they are too large for the topic, alone they are not.
    for (let number = 0; number < 8; number++) await table.put({...keyOf(number), some: some()})
    await table.put({...keyOf(8), all: {B: randomBytes(20_000).toString('base64')}})
    await table.put({...keyOf(9), some: some()})

    expect(await drain(NAME, table)).toEqual({batches: 1, failed: 0})

    const stored = await world.records('large')
    expect(stored.map(({value}) => JSON.parse(String(value)).after.id.S)).toEqual([
      'k0',
      'k0',
      'k1',
      'k1',
      'k2',
      'k2',
      'k3',
      'k3',
      'k4',
    ])
    const [, large] = (await table.read()).slice(7)
    const kept = await fetch(`${moto.url}/${BUCKET}/poison/large/${large!.dynamodb.SequenceNumber}.json`, {headers: signedForS3})
    const {error, at: _, ...record} = (await kept.json()) as Item
    expect(record).toEqual(large)
    expect(error['message']).toBe('larger than max.message.bytes of the topic')
  })

  it('sends plain items for those who want rows, with every digit', async () => {
    const table = await tableAndTopic('plain')
    const {remove} = await deploy({name: 'plain', set: {table: 'plain', topic: 'plain', format: 'plain', envelope: 'false'}})
    onTestFinished(remove)
    await table.put({...keyOf(1), tags: {SS: ['b', 'a']}, bytes: {B: '/wCA'}, none: {NULL: true}})
    await table.remove(keyOf(1))

    await drain('plain', table)

    const records = await world.records('plain')
    expect(records.map(({key}) => key)).toEqual(Array(2).fill(`{"at":${DIGITS},"id":"k0"}`))
    expect(records.map(({value}) => value)).toEqual([
      `{"at":${DIGITS},"bytes":"/wCA","id":"k0","none":null,"tags":["a","b"]}`,
      null,
    ])
  })

  it('runs by `npm run local`, with a table of its own', async () => {
    const child = start('node', ['scripts/local.mjs'], {cwd: deployed.dir, env: await world.shell()})
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        said += text
      })

    await eventually(async () => /INSERT item-\d: stored/.test(said), PATIENCE_MS)

    await end(child, 'SIGINT')
    expect(said).not.toContain('failed')
    expect((await world.records('here')).length).toBeGreaterThan(0)
  })
})

/** moto gives what is not public to whoever has signed, with whatever. */
const signedForS3 = {
  authorization: 'AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none',
}
