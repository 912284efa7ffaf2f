import {generateAuthToken} from 'aws-msk-iam-sasl-signer-js'
import {type IHeaders, Kafka, logLevel, Partitioners, type Producer} from 'kafkajs'

import type {Reader} from './config.ts'
import type {Deadline} from './deadline.ts'

export type KafkaSettings = {brokers: string[]; auth: 'iam' | 'none'; tls: boolean; region: string; clientId: string}

/**
 * Null is null, in a key as in a value. Without a partition the key chooses one, or chance where there is no key. The timestamp is
 * in milliseconds since 1970; without one it is the time of sending.
 */
export type Message = {
  topic: string
  partition?: number
  key: Buffer | null
  value: Buffer | null
  headers?: IHeaders
  timestamp?: number
}

/** Where a record is stored. */
export type Place = {topic: string; partition: number; offset: bigint}

export type KafkaProducer = {
  /** Partitions of a topic. Rejects with UnknownTopicError; no topic is ever made by asking. */
  partitionsOf(topic: string): Promise<number>
  /**
   * Stores messages, each partition's in their order, and tells of each where it is or why it is not there. What has no answer at
   * the deadline may be stored all the same: `OutcomeUnknownError`.
   */
  send(messages: readonly Message[], deadline: Deadline): Promise<PromiseSettledResult<Place>[]>
  close(): Promise<void>
}

export class UnknownTopicError extends Error {
  override readonly name = 'UnknownTopicError'
}

export class UnknownPartitionError extends UnknownTopicError {}

export class OutcomeUnknownError extends Error {
  override readonly name = 'OutcomeUnknownError'
}

/** A sandbox may have been frozen: after such a pause nobody knows whether a connection is still one. */
const IDLE_MS = 60_000
const METADATA_MS = 5 * 60_000
const CONNECTION_MS = 8000
const REQUEST_MS = 10_000

/** SKK_BROKERS, SKK_AUTH, SKK_TLS and SKK_CLIENT_ID. Without TLS only on this machine: a token proves who we are. */
export function readKafkaSettings(from: Reader, env: Record<string, string | undefined>): KafkaSettings {
  const brokers = from.text('SKK_BROKERS').split(',')
  const onThisMachine = brokers.every((broker) => /^(localhost|127\.0\.0\.1|\[::1\]):\d+$/.test(broker))
  const auth = from.oneOf('SKK_AUTH', ['iam', 'none'], 'iam')
  const tls = from.flag('SKK_TLS', !onThisMachine)
  if (auth === 'iam' && !tls && !onThisMachine) from.complain('SKK_AUTH=iam needs SKK_TLS=true')
  const clientId = from.text('SKK_CLIENT_ID', env['AWS_LAMBDA_FUNCTION_NAME'] ?? 'local')
  return {brokers, auth, tls, region: env['AWS_REGION'] ?? 'us-east-1', clientId}
}

/**
 * One producer for all invocations of a sandbox. It connects when it is first needed, because an unreachable broker must not fail
 * the start, and it gives every record its partition itself: kafkajs chooses anew at each retry, and loses and repeats records then.
 */
export function kafkaProducer(settings: KafkaSettings): KafkaProducer {
  const kafka = new Kafka(clientOptions(settings))
  const counts = new Map<string, {partitions: Promise<number>; until: number}>()
  let connected: Promise<Producer> | undefined
  let usedAt = 0
  let sending = 0

  const drop = async () => {
    const old = connected
    connected = undefined
    await old?.then((producer) => producer.disconnect()).catch(() => {})
  }
  const connect = async () => {
    if (sending === 0 && Date.now() - usedAt > IDLE_MS) await drop()
    connected ??= connectedProducer(kafka)
    const connecting = connected
    connecting.catch(() => {
      if (connected === connecting) connected = undefined
    })
    return connecting
  }
  const partitionsOf = (topic: string) => {
    const known = counts.get(topic)
    if (known && Date.now() < known.until) return known.partitions
    const partitions = countPartitions(kafka, topic)
    counts.set(topic, {partitions, until: Date.now() + METADATA_MS})
    partitions.catch(() => counts.delete(topic))
    return partitions
  }

  return {
    partitionsOf,
    async send(messages, deadline) {
      const placing = messages.map((message) => within(deadline, placeMessage(message, partitionsOf), tooLate))
      const placed = await Promise.allSettled(placing)
      const groups = groupByPartition(placed)
      if (groups.length === 0) return settle(placed, [], [])
      const producer = connect()
      // Where no message has a partition nobody waits for it.
      producer.catch(() => {})
      sending++
      const outcomes = await Promise.all(groups.map((group) => sendGroup(group, producer, deadline)))
      sending--
      usedAt = Date.now()
      // A late answer would be taken for that of a later request. kafkajs waits for it before it disconnects, which nobody here can.
      if (outcomes.some((outcome) => outcome instanceof OutcomeUnknownError)) void drop()
      return settle(placed, groups, outcomes)
    },
    close: drop,
  }
}

type Placed = Message & {partition: number}
type Group = {topic: string; partition: number; indexes: number[]; messages: Placed[]}

async function placeMessage(message: Message, partitionsOf: KafkaProducer['partitionsOf']): Promise<Placed> {
  const count = await partitionsOf(message.topic)
  const partition =
    message.partition ?? (message.key === null ? Math.floor(Math.random() * count) : partitionFor(message.key, count))
  if (partition < count) return {...message, partition}
  throw new UnknownPartitionError(`topic "${message.topic}" has no partition ${partition}`)
}

function groupByPartition(placed: readonly PromiseSettledResult<Placed>[]): Group[] {
  const groups = new Map<string, Group>()
  for (const [index, result] of placed.entries()) {
    if (result.status === 'rejected') continue
    const {topic, partition} = result.value
    const name = `${topic}-${partition}`
    const group = groups.get(name) ?? {topic, partition, indexes: [], messages: []}
    group.indexes.push(index)
    group.messages.push(result.value)
    groups.set(name, group)
  }
  return [...groups.values()]
}

/** The offset of the first of them, or what went wrong with all. */
async function sendGroup({topic, messages}: Group, connected: Promise<Producer>, deadline: Deadline): Promise<bigint | Error> {
  try {
    const producer = await within(deadline, connected, tooLate)
    const sending = producer.send({topic, acks: -1, timeout: REQUEST_MS, messages: messages.map(forKafkajs)})
    const [metadata] = await within(deadline, sending, () => new OutcomeUnknownError('no answer in time; it may be stored'))
    return BigInt(metadata!.baseOffset!)
  } catch (error) {
    return error as Error
  }
}

function settle(
  placed: readonly PromiseSettledResult<Placed>[],
  groups: readonly Group[],
  outcomes: readonly (bigint | Error)[],
): PromiseSettledResult<Place>[] {
  const results = placed.map((result) => result as PromiseSettledResult<Place>)
  for (const [at, {topic, partition, indexes}] of groups.entries()) {
    const outcome = outcomes[at]!
    for (const [nth, index] of indexes.entries()) {
      results[index] =
        typeof outcome === 'bigint'
          ? {status: 'fulfilled', value: {topic, partition, offset: outcome + BigInt(nth)}}
          : {status: 'rejected', reason: outcome}
    }
  }
  return results
}

const forKafkajs = ({partition, key, value, headers, timestamp}: Placed) => ({
  partition,
  key,
  value,
  ...(headers && {headers}),
  ...(timestamp !== undefined && {timestamp: String(timestamp)}),
})

/** Nothing was sent yet. */
const tooLate = () => new Error('no broker answered in time')

/** Rejects with the error of `late` at the deadline; what the work comes to after that is nobody's. */
function within<Value>(deadline: Deadline, work: Promise<Value>, late: () => Error): Promise<Value> {
  work.catch(() => {})
  let timer: NodeJS.Timeout
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), deadline.remainingMs())
  })
  return Promise.race([work, over]).finally(() => clearTimeout(timer))
}

async function connectedProducer(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({allowAutoTopicCreation: false, createPartitioner: Partitioners.DefaultPartitioner})
  await producer.connect()
  return producer
}

/** By a connection of its own, which is closed: a producer of kafkajs does not tell. */
async function countPartitions(kafka: Kafka, topic: string): Promise<number> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    const {topics} = await admin.fetchTopicMetadata({topics: [topic]})
    return topics[0]!.partitions.length
  } catch (error) {
    if ((error as {type?: string}).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
    throw new UnknownTopicError(`topic "${topic}" does not exist`, {cause: error})
  } finally {
    await admin.disconnect()
  }
}

function clientOptions({brokers, auth, tls, region, clientId}: KafkaSettings): ConstructorParameters<typeof Kafka>[0] {
  const oauthBearerProvider = async () => {
    const {token} = await generateAuthToken({region})
    return {value: token}
  }
  return {
    clientId,
    brokers,
    ssl: tls,
    ...(auth === 'iam' && {sasl: {mechanism: 'oauthbearer', oauthBearerProvider}}),
    connectionTimeout: CONNECTION_MS,
    requestTimeout: REQUEST_MS,
    retry: {retries: 5, initialRetryTime: 200, maxRetryTime: 5000},
    logLevel: logLevel.NOTHING,
  }
}

/** As Kafka's own clients do it, so that a key is in the same partition whoever produces it. */
export const partitionFor = (key: Buffer, partitions: number): number => (murmur2(key) & 0x7fffffff) % partitions

/** The hash of Kafka's Java client, as a signed 32-bit number. */
export function murmur2(data: Buffer): number {
  const M = 0x5bd1e995
  let hash = 0x9747b28c ^ data.length
  const whole = data.length & ~3
  for (let at = 0; at < whole; at += 4) {
    let part = Math.imul(data.readInt32LE(at), M)
    part = Math.imul(part ^ (part >>> 24), M)
    hash = Math.imul(hash, M) ^ part
  }
  if (data.length > whole) {
    for (let at = data.length - 1; at >= whole; at--) hash ^= data[at]! << (8 * (at - whole))
    hash = Math.imul(hash, M)
  }
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}
