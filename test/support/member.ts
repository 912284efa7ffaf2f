import {Kafka, logLevel} from 'kafkajs'
import {onTestFinished} from 'vitest'

export type Consumer = {
  /** How often it has joined, so far. */
  joins: number
  stop(): Promise<void>
}

/** A kafkajs consumer in a group that reads from the beginning and commits at once. Resolves when it has its partitions. */
export async function startMember(bootstrap: string, group: string, topic: string, clientId = 'app'): Promise<Consumer> {
  const kafka = new Kafka({clientId, brokers: bootstrap.split(','), logLevel: logLevel.NOTHING})
  const consumer = kafka.consumer({groupId: group, heartbeatInterval: 100, maxWaitTimeInMs: 100})
  const state = {joins: 0, stop: () => consumer.disconnect()}
  onTestFinished(state.stop)
  await consumer.connect()
  await consumer.subscribe({topic, fromBeginning: true})
  const joined = new Promise<void>((resolve) =>
    consumer.on(consumer.events.GROUP_JOIN, () => {
      state.joins++
      resolve()
    }),
  )
  await consumer.run({autoCommitThreshold: 1, eachMessage: async () => {}})
  await joined
  return state
}
