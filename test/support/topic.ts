import {type Admin, Kafka, logLevel, type Producer} from 'kafkajs'
import {onTestFinished} from 'vitest'
import type {Local} from '../../src/lib/local/index.js'
import type {CreateTopicsResponse} from '../../src/lib/local/kafka/messages.js'
import {ask} from './fuzz-run.js'

/** kafkajs on the plaintext port of the stack, disconnected when the test ends. */
export async function kafkaOf({plaintextBootstrap}: Local): Promise<{admin: Admin; producer: Producer}> {
  const kafka = new Kafka({brokers: plaintextBootstrap!.split(','), clientId: 'test', logLevel: logLevel.NOTHING})
  const admin = kafka.admin()
  const producer = kafka.producer()
  await Promise.all([admin.connect(), producer.connect()])
  onTestFinished(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect()])
  })
  return {admin, producer}
}

export type TopicOptions = {partitions?: number; config?: Record<string, string>}

/** Makes a topic that keeps records of any time, on the plaintext port of the stack, without a process of its own. Returns its name. */
export async function makeTopic({plaintextBootstrap}: Local, name: string, options: TopicOptions = {}): Promise<string> {
  const {partitions = 1, config = {}} = options
  const configs = Object.entries({'retention.ms': '-1', ...config}).map(([key, value]) => ({name: key, value}))
  const topic = {name, numPartitions: partitions, replicationFactor: -1, assignments: [], configs}
  const {topics} = await ask<CreateTopicsResponse>(plaintextBootstrap!, 19, 2, {
    topics: [topic],
    timeoutMs: 1_000,
    validateOnly: false,
  })
  if (topics[0]?.errorCode !== 0) throw new Error(`topic "${name}": error ${topics[0]?.errorCode}`)
  return name
}
