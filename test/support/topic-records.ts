import {Kafka, logLevel} from 'kafkajs'

import type {Local} from '../../src/lib/local/index.js'

type Read = {key: string | null; value: string}

/** All records of a topic by partition, in the order of their offsets, as kafkajs' own consumer reads them: none of our code has decoded them. */
export async function recordsOf(local: Pick<Local, 'plaintextBootstrap'>, topic: string): Promise<Read[][]> {
  const kafka = new Kafka({brokers: local.plaintextBootstrap!.split(','), logLevel: logLevel.NOTHING})
  const admin = kafka.admin()
  await admin.connect()
  const ends = await admin.fetchTopicOffsets(topic).finally(() => admin.disconnect())
  const expected = ends.reduce((sum, {high, low}) => sum + Number(high) - Number(low), 0)
  const partitions: Read[][] = ends.map(() => [])
  if (expected === 0) return partitions
  const consumer = kafka.consumer({groupId: `count-${topic}-${Math.random()}`, maxWaitTimeInMs: 100})
  await consumer.connect()
  await consumer.subscribe({topic, fromBeginning: true})
  let seen = 0
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachBatch: async ({batch}) => {
          for (const {key, value} of batch.messages) {
            partitions[batch.partition]!.push({key: key?.toString() ?? null, value: value!.toString()})
            if (++seen === expected) resolve()
          }
        },
      })
      .catch(reject)
  })
  await consumer.disconnect()
  return partitions
}
