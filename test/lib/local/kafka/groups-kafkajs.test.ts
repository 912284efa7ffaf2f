import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {type Consumer, Kafka, logLevel} from 'kafkajs'
import {afterEach, beforeEach, expect, it} from 'vitest'

import {type Local, startLocal} from '../../../../src/lib/local/index.js'

const TOPIC = 'orders'
const PARTITIONS = 4

let dataDir: string
let local: Local
let kafka: Kafka
/** To be disconnected while there still is a broker: kafkajs says goodbye for seconds otherwise. */
let clients: {disconnect(): Promise<void>}[] = []

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'skk-groups-'))
  await start()
  const admin = kafka.admin()
  await admin.createTopics({topics: [{topic: TOPIC, numPartitions: PARTITIONS, replicationFactor: 3}]})
  await admin.disconnect()
})

afterEach(async () => {
  await Promise.all(clients.map((client) => client.disconnect()))
  clients = []
  await local.stop()
  await rm(dataDir, {recursive: true})
})

async function start(): Promise<void> {
  local = await startLocal({dataDir, plaintextPort: {wanted: 0, mayMove: true}})
  kafka = new Kafka({brokers: [local.plaintextBootstrap!], logLevel: logLevel.NOTHING})
}

async function produce(from: number, to: number): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  const messages = Array.from({length: to - from}, (_, index) => ({
    value: String(from + index),
    partition: (from + index) % PARTITIONS,
  }))
  await producer.send({topic: TOPIC, messages})
  await producer.disconnect()
}

/** A running consumer: what it has read, what it is assigned, and when its assignment next changes. */
async function consume(groupId: string): Promise<{consumer: Consumer; read: string[]; assigned(): number}> {
  const consumer = kafka.consumer({groupId, sessionTimeout: 6_000, heartbeatInterval: 100, maxWaitTimeInMs: 100})
  clients.push(consumer)
  const read: string[] = []
  let assigned = 0
  consumer.on('consumer.group_join', ({payload}) => {
    assigned = payload.memberAssignment[TOPIC]?.length ?? 0
  })
  await consumer.connect()
  await consumer.subscribe({topics: [TOPIC], fromBeginning: true})
  await consumer.run({eachMessage: async ({message}) => void read.push(String(message.value))})
  return {consumer, read, assigned: () => assigned}
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it never came: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const numbers = (count: number): string[] => Array.from({length: count}, (_, index) => String(index))
const byNumber = (a: string, b: string): number => Number(a) - Number(b)

it('shares partitions between two consumers, and gives them back to the one that stays', async () => {
  await produce(0, 200)
  const first = await consume('shared')
  await until(() => first.read.length === 200)
  const second = await consume('shared')
  await until(() => first.assigned() === 2 && second.assigned() === 2)

  await produce(200, 400)
  await until(() => first.read.length + second.read.length === 400)
  await second.consumer.disconnect()
  await until(() => first.assigned() === PARTITIONS)
  await produce(400, 500)
  await until(() => first.read.length + second.read.length === 500)

  expect([...first.read, ...second.read].sort(byNumber)).toEqual(numbers(500))
  expect(second.read.length).toBe(100)
})

it('lets a consumer go on from its commits after a restart of the stack', async () => {
  await produce(0, 100)
  const before = await consume('resumed')
  await until(() => before.read.length === 100)
  await before.consumer.disconnect()
  await local.stop()
  await start()

  await produce(100, 150)
  const after = await consume('resumed')
  await until(() => after.read.length === 50)

  expect(after.read.sort(byNumber)).toEqual(numbers(150).slice(100))
})

it('shows groups, their members and offsets to an administrator, who can delete them once they are empty', async () => {
  await produce(0, 8)
  const {consumer, read} = await consume('seen')
  await until(() => read.length === 8)
  await consumer.commitOffsets([{topic: TOPIC, partition: 0, offset: '2'}])
  const admin = kafka.admin()
  clients.push(admin)

  const {groups} = await admin.describeGroups(['seen'])
  expect(groups).toMatchObject([{groupId: 'seen', state: 'Stable', protocol: 'RoundRobinAssigner', protocolType: 'consumer'}])
  expect(groups[0]!.members).toHaveLength(1)
  expect(await admin.listGroups()).toEqual({groups: [{groupId: 'seen', protocolType: 'consumer'}]})
  await expect(admin.deleteGroups(['seen'])).rejects.toMatchObject({groups: [{errorCode: 68}]})

  await consumer.disconnect()
  const [offsets] = await admin.fetchOffsets({groupId: 'seen', topics: [TOPIC]})
  expect(offsets!.partitions.map(({offset}) => offset).sort()).toEqual(['2', '2', '2', '2'])
  await admin.deleteGroups(['seen'])
  expect(await admin.listGroups()).toEqual({groups: []})
})
