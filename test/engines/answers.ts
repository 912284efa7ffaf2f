import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterAll, beforeAll, expect} from 'vitest'

import {type Local, startLocal} from '../../src/lib/local/index.js'
import {batchCrc, type EncodeOptions, encodeBatch, readBatchHeader, writeBatchHeader} from '../../src/lib/records/batch.js'
import {wireClient} from '../support/wire-client.js'
import {type RealKafka, startRealKafka} from './real-kafka.js'

/** Sends one request and resolves to the decoded answer, or to `closed`. */
export type Ask = (key: number, version: number, body: object) => Promise<any>

let kafka: RealKafka
let local: Local
let dir: string

/** Starts Apache Kafka 3.9 and the stack in its `wide` profile before the tests of the file, and stops them after. */
export function startBoth(): void {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skk-answers-'))
    local = await startLocal({dataDir: join(dir, 'data'), apiProfile: 'wide', plaintextPort: {wanted: 0, mayMove: true}})
    kafka = await startRealKafka()
  })
  afterAll(async () => {
    await kafka?.stop()
    await local?.stop()
    await rm(dir, {recursive: true, force: true})
  })
}

/** The requests of `story`, sent to Apache Kafka 3.9 and to the stack, must have the same answers, as far as `story` returns them. */
export async function same(story: (ask: Ask) => Promise<unknown>): Promise<void> {
  const theirs = await story(await asking(kafka.bootstrap))
  const ours = await story(await asking(local.plaintextBootstrap!))

  expect(ours).toEqual(theirs)
}

async function asking(address: string): Promise<Ask> {
  let client = await wireClient(address)
  return async (key, version, body) => {
    try {
      return await client.request(key, version, body)
    } catch {
      client = await wireClient(address)
      return 'closed'
    }
  }
}

export const topicOf = (name: string, more: object = {}) => ({
  name,
  numPartitions: 1,
  replicationFactor: 1,
  assignments: [],
  configs: [],
  ...more,
})
export const create = async (ask: Ask, topics: object[], validateOnly = false): Promise<number[]> => {
  const answer = await ask(19, 5, {topics, timeoutMs: 10_000, validateOnly})
  return answer.topics.map(({errorCode}: {errorCode: number}) => errorCode)
}
export const config = (name: string, value: string) => ({name, value})

let count = 0
/** A new topic, ready to be written to: a broker tells of a topic before it leads it. */
export async function newTopic(ask: Ask, ...configs: object[]): Promise<string> {
  const name = `answers-${count++}`
  expect(await create(ask, [topicOf(name, {configs})])).toEqual([0])
  const partitions = [{partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1}]
  for (;;) {
    const {topics} = await ask(2, 5, {replicaId: -1, isolationLevel: 0, topics: [{name, partitions}]})
    if (topics[0].partitions[0].errorCode === 0) return name
  }
}

type Sent = {acks?: number; version?: number; index?: number}
export async function produce(ask: Ask, name: string, records: Buffer, {acks = -1, version = 8, index = 0}: Sent = {}) {
  const topicData = [{name, partitionData: [{index, records: Buffer.from(records)}]}]
  const answer = await ask(0, version, {transactionalId: null, acks, timeoutMs: 10_000, topicData})
  if (answer === 'closed') return answer
  const {errorCode, baseOffset} = answer.responses[0].partitionResponses[0]
  return {errorCode, baseOffset}
}

export const record = (key: string | null = 'k', timestamp = Date.now()) => {
  return {key: key === null ? null : Buffer.from(key), value: Buffer.from('v'), headers: [], timestamp}
}
export const batch = (options: EncodeOptions = {}, ...records: ReturnType<typeof record>[]) =>
  encodeBatch(records.length > 0 ? records : [record()], options)

/** A batch with another header, its checksum right again. */
export async function forged(
  change: Parameters<typeof writeBatchHeader>[1] extends infer H ? Partial<H> : never,
): Promise<Buffer> {
  const bytes = await batch()
  writeBatchHeader(bytes, {...readBatchHeader(bytes), ...change})
  bytes.writeUInt32BE(batchCrc(bytes, 0, bytes.length), 17)
  return bytes
}

/** The answer to InitProducerId with an id; a broker that has just started has none to give for a moment. */
export async function newProducerId(ask: Ask, claimed: object = {}): Promise<{producerId: number; producerEpoch: number}> {
  const request = {transactionalId: null, transactionTimeoutMs: 1000, producerId: -1, producerEpoch: -1, ...claimed}
  for (;;) {
    const answer = await ask(22, 4, request)
    if (answer.errorCode === 0) return answer
  }
}
