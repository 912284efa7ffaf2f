/** A queue of RabbitMQ, as a publisher, a reader and Lambda's poller see it. */
import {setTimeout as sleep} from 'node:timers/promises'

import type {Channel, Delivery, Rabbitmq} from './rabbitmq.js'

export type AmqpQueue = {
  /** Publishes messages that outlive the node, and waits until it has them. */
  publish(messages: readonly {content: Buffer; properties?: object}[]): Promise<void>
  /** How many are there. */
  count(): Promise<number>
  /** All that are there, which are gone then. */
  drain(): Promise<Delivery[]>
  /**
   * What Lambda's poller does: batches of up to a hundred go to `invoke`, as its event, and are acknowledged after it, or come again
   * when it fails. A lost connection is made again. Returns, when nothing is left, how many deliveries were second ones.
   */
  poll(invoke: (event: unknown) => Promise<unknown>): Promise<number>
}

/** Makes a queue that outlives the node. */
export async function makeAmqpQueue(rabbitmq: Rabbitmq, name: string): Promise<AmqpQueue> {
  const withChannel = async <Result>(work: (channel: Channel) => Promise<Result>): Promise<Result> => {
    const connection = await rabbitmq.connect()
    try {
      const channel = await connection.createConfirmChannel()
      channel.on('error', () => {})
      return await work(channel)
    } finally {
      await connection.close().catch(() => {})
    }
  }
  await withChannel((channel) => channel.assertQueue(name, {durable: true}))
  return {
    publish: (messages) =>
      withChannel(async (channel) => {
        for (const {content, properties} of messages) channel.publish('', name, content, {persistent: true, ...properties})
        await channel.waitForConfirms()
      }),
    count: () => withChannel(async (channel) => (await channel.checkQueue(name)).messageCount),
    drain: () =>
      withChannel(async (channel) => {
        const all: Delivery[] = []
        for (;;) {
          const batch = await batchOf(channel, name)
          if (batch.length === 0) return all
          all.push(...batch)
          channel.ack(batch.at(-1)!, true)
        }
      }),
    async poll(invoke) {
      let redelivered = 0
      const untilEmpty = async (channel: Channel) => {
        for (;;) {
          const batch = await batchOf(channel, name)
          if (batch.length === 0) return
          redelivered += batch.filter(({fields}) => fields.redelivered).length
          const done = await invoke(eventOf(name, batch)).then(
            () => true,
            () => false,
          )
          if (done) channel.ack(batch.at(-1)!, true)
          else channel.nackAll()
        }
      }
      for (;;) {
        try {
          await withChannel(untilEmpty)
          return redelivered
        } catch {
          // The node is away, or was: whatever was not acknowledged is there again when it is back.
          await sleep(100)
        }
      }
    },
  }
}

async function batchOf(channel: Channel, queue: string): Promise<Delivery[]> {
  const batch: Delivery[] = []
  while (batch.length < 100) {
    const delivery = await channel.get(queue, {})
    if (delivery === false) break
    batch.push(delivery)
  }
  return batch
}

/** An event of Amazon MQ (docs.aws.amazon.com/lambda/latest/dg/with-mq.html). */
function eventOf(queue: string, batch: readonly Delivery[]) {
  const messages = batch.map(({content, fields, properties: {headers = {}, ...properties}}) => ({
    basicProperties: {...properties, headers: Object.fromEntries(Object.entries(headers).map(inEvent)), bodySize: content.length},
    redelivered: fields.redelivered,
    data: content.toString('base64'),
  }))
  return {eventSource: 'aws:rmq', rmqMessagesByQueue: {[`${queue}::/`]: messages}}
}

const inEvent = ([name, value]: [string, unknown]) => [name, typeof value === 'string' ? {bytes: [...Buffer.from(value)]} : value]
