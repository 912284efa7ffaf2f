import {type Admin, Kafka, logLevel, type Producer} from 'kafkajs'
import {onTestFinished} from 'vitest'
import type {Local} from '../../src/lib/local/index.js'

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
