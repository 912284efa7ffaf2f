import type {Socket} from 'node:net'

import type {FetchResponse, ProduceResponse} from '../../src/lib/local/kafka/messages.js'
import {crcMatches, encodeBatch, readBatchHeader} from '../../src/lib/records/batch.js'
import {bombOf} from './fuzz-batches.js'
import {exampleBatch, exampleRequest} from './fuzz-frames.js'
import {ask, open} from './fuzz-run.js'
import type {FuzzedStack} from './fuzz-stack.js'
import {requestBytes} from './wire-client.js'

const PRODUCE = 0
const FETCH = 1
const LIST_OFFSETS = 2
const METADATA = 3
const CREATE_TOPICS = 19

export const topic = (name: string, numPartitions = 1, configs: {name: string; value: string}[] = []) => {
  return {name, numPartitions, replicationFactor: -1, assignments: [], configs}
}

export const createTopics = ({plaintext}: FuzzedStack, ...topics: object[]): Promise<unknown> =>
  ask(plaintext, CREATE_TOPICS, 2, {topics, timeoutMs: 1_000, validateOnly: false})

/** Appends the batch to partition 0; resolves to the error code. */
async function produce({plaintext}: FuzzedStack, name: string, records: Buffer): Promise<number> {
  const {responses} = await ask<ProduceResponse>(plaintext, PRODUCE, 7, produceBody(name, records))
  return responses[0]!.partitionResponses[0]!.errorCode
}

const produceBody = (name: string, records: Buffer) => {
  return {transactionalId: null, acks: -1, timeoutMs: 1_000, topicData: [{name, partitionData: [{index: 0, records}]}]}
}
const produceRequest = (name: string, records: Buffer): Buffer => requestBytes(PRODUCE, 7, 1, produceBody(name, records))

/** A request for as much of partition 0 as the protocol lets one ask for. */
const hugeFetch = (name: string): Buffer => {
  const partitions = [{partition: 0, fetchOffset: 0, partitionMaxBytes: 50_000_000}]
  const body = {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 50_000_000,
    isolationLevel: 0,
    topics: [{topic: name, partitions}],
  }
  return requestBytes(FETCH, 4, 1, body)
}

/** How long a request of somebody else takes now, in milliseconds. */
export async function serviceTime({plaintext}: FuzzedStack): Promise<number> {
  const started = performance.now()
  await ask(plaintext, METADATA, 9, {topics: [], allowAutoTopicCreation: false})
  return performance.now() - started
}

/** Connections that stay open, each having sent the bytes; the caller closes them. */
export async function connectAll(address: string, count: number, bytes: Buffer = Buffer.alloc(0)): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (let index = 0; index < count; index++) {
    const socket = await open(address)
    if (bytes.length > 0) socket.write(bytes)
    sockets.push(socket)
  }
  return sockets
}

/** Sends the bytes and resolves to the size of the answer once it is there as a whole; 0 when the connection was closed instead. */
export function answerSize(socket: Socket, bytes: Buffer): Promise<number> {
  return new Promise((resolve) => {
    let [received, wanted] = [0, Number.POSITIVE_INFINITY]
    let head = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      received += chunk.length
      if (head.length < 4) head = Buffer.concat([head, chunk.subarray(0, 4)])
      if (head.length >= 4) wanted = 4 + head.readInt32BE(0)
      if (received >= wanted) resolve(received)
    })
    socket.once('close', () => resolve(0))
    socket.write(bytes)
  })
}

/**
 * Requests of `count` equal elements in the array at `path`, such as `topics.partitions`: as an API's example has them, but for
 * the given fields of the element.
 */
export async function flood(key: number, version: number, path: string, count: number, fields: object = {}): Promise<Buffer> {
  const example = exampleRequest(key, {token: Buffer.alloc(1), topicId: ''}, await exampleBatch('none'))
  const [first = '', second] = path.split('.')
  const [element] = (example as Record<string, any[]>)[first]!
  const elements = (one: unknown) => Array.from({length: count}, () => (typeof one === 'object' ? {...one, ...fields} : one))
  const body = second
    ? {...example, [first]: [{...element, [second]: elements(element[second][0])}]}
    : {...example, [first]: elements(element)}
  return requestBytes(key, version, 1, body)
}

/** As large as MSK Serverless takes them. */
const LARGE = [{name: 'max.message.bytes', value: '8388608'}]

/** A topic of 56 MB. */
async function fillTopic(stack: FuzzedStack, name: string): Promise<void> {
  await createTopics(stack, topic(name, 1, LARGE))
  const records = await batchOfZeros(7_000_000)
  for (let sent = 0; sent < 8; sent++) await produce(stack, name, records)
}

const batchOf = (value: Buffer): Promise<Buffer> => encodeBatch([{key: null, value, headers: [], timestamp: Date.now()}])
const batchOfZeros = (bytes: number): Promise<Buffer> => batchOf(Buffer.alloc(bytes))

/** Throws unless every client gets at least one batch. */
export async function fetchAtOnce(stack: FuzzedStack, clients: number): Promise<void> {
  await fillTopic(stack, 'huge')
  const sockets = await connectAll(stack.plaintext, clients)
  const sizes = await Promise.all(sockets.map((socket) => answerSize(socket, hugeFetch('huge'))))
  for (const socket of sockets) socket.destroy()
  if (Math.min(...sizes) < 7_000_000) throw new Error(`an answer of ${Math.min(...sizes)} bytes`)
}

/** Batches that decompress to `recordCount` records, in every codec, to a topic that keeps them and one that must look into them; then look-ups by time. */
export async function sendBombs(stack: FuzzedStack, {recordCount, rounds}: {recordCount: number; rounds: number}): Promise<void> {
  await createTopics(
    stack,
    topic('plain', 1, LARGE),
    topic('compacted', 1, [...LARGE, {name: 'cleanup.policy', value: 'compact'}]),
  )
  const bombs = await Promise.all(
    (['gzip', 'snappy', 'lz4', 'zstd'] as const).map((codec) => bombOf(recordCount, codec, Date.now())),
  )
  const stored = await Promise.all(bombs.map((bomb) => produce(stack, 'plain', bomb)))
  if (stored.some((errorCode) => errorCode !== 0)) throw new Error(`errors ${stored}`)
  const all = Array.from({length: rounds}, () => bombs).flat()
  await Promise.all(all.map((bomb) => produce(stack, 'compacted', bomb)))
  const partitions = [{partitionIndex: 0, timestamp: 1}]
  await Promise.all(all.map(() => ask(stack.plaintext, LIST_OFFSETS, 1, {replicaId: -1, topics: [{name: 'plain', partitions}]})))
}

/** Connections that claim a frame of 100 MiB and send it byte by byte. */
export async function drip(stack: FuzzedStack, count: number): Promise<Socket[]> {
  const sockets = await connectAll(stack.plaintext, count, Buffer.from('06400000000300090000', 'hex'))
  const dripping = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write(Buffer.alloc(1))
    if (sockets.every((socket) => socket.destroyed)) clearInterval(dripping)
  }, 200)
  return sockets
}

/** Resolves to the error code. */
export async function produceMegabyte(stack: FuzzedStack): Promise<number> {
  await createTopics(stack, topic('megabyte'))
  return produce(stack, 'megabyte', await batchOfZeros(1_000_000))
}

/** Producers that go as soon as they have sent a large batch, beside one that stays. Resolves to how many batches it stored. */
export async function vanishingProducers(stack: FuzzedStack, name: string, rounds: number): Promise<number> {
  await createTopics(stack, topic(name))
  for (let round = 0; round < rounds; round++) {
    const batch = await batchOf(Buffer.alloc(900_000, round))
    const [vanishing] = await connectAll(stack.plaintext, 1)
    vanishing!.end(produceRequest(name, batch))
    await new Promise((resolve) => setTimeout(resolve, round % 5))
    vanishing!.destroy()
    const errorCode = await produce(stack, name, await batchOf(Buffer.alloc(900_000, 255 - round)))
    if (errorCode !== 0) throw new Error(`error ${errorCode}`)
  }
  return rounds
}

/** Reads partition 0 to its end; resolves to the number of batches. Throws on one whose checksum is wrong. */
export async function checkLog({plaintext}: FuzzedStack, name: string): Promise<number> {
  let batches = 0
  for (let offset = 0; ; ) {
    const partitions = [{partition: 0, fetchOffset: offset, partitionMaxBytes: 10_000_000}]
    const body = {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 10_000_000,
      isolationLevel: 0,
      topics: [{topic: name, partitions}],
    }
    const {responses} = await ask<FetchResponse>(plaintext, FETCH, 4, body)
    const records = responses[0]!.partitions[0]!.records as Buffer
    if (records.length === 0) return batches
    for (let at = 0; at < records.length; batches++) {
      const header = readBatchHeader(records, at)
      if (!crcMatches(records, at, header)) throw new Error(`the batch at offset ${header.baseOffset} is damaged`)
      at += header.sizeInBytes
      offset = header.baseOffset + header.lastOffsetDelta + 1
    }
  }
}

/** Connections that ask for hundreds of megabytes and read nothing. */
export async function neverRead(stack: FuzzedStack, count: number): Promise<Socket[]> {
  await fillTopic(stack, 'unread')
  const sockets = await connectAll(stack.plaintext, count)
  for (const socket of sockets) {
    socket.pause()
    for (let sent = 0; sent < 4; sent++) socket.write(hugeFetch('unread'))
  }
  return sockets
}
