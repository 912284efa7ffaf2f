/** A server for SQS, and a queue of it as a sender, a reader and Lambda's poller see it. */
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'

import {installJars} from '../engines/install.js'
import {end, eventually, start} from '../engines/processes.js'
import {motoCall} from './world.js'

type Attributes = Record<string, {DataType: string; StringValue?: string; BinaryValue?: string}>
export type Sent = {body: string; attributes?: Attributes; group?: string}
/** As SQS gives it. */
type Received = {
  MessageId: string
  ReceiptHandle: string
  Body: string
  Attributes: Record<string, string>
  MessageAttributes?: Attributes
}

export type Queue = {
  url: string
  /** Returns the ids of the messages, in their order. */
  send(messages: readonly Sent[]): Promise<string[]>
  /** Up to ten, which stay hidden until they are deleted. */
  receive(): Promise<Received[]>
  delete(messages: readonly Received[]): Promise<void>
  /** All that are there, which are gone then. */
  drain(): Promise<Received[]>
  /**
   * What Lambda's poller does: batches of up to `size` go to `invoke`; what its answer does not name is deleted, the rest can be
   * received again at once. Returns when nothing is left.
   */
  poll(invoke: (event: unknown) => Promise<unknown>, size?: number): Promise<void>
}

/** The address of the request is that of the queues; SQS itself takes messages of 1 MiB, which it calls too large otherwise. */
const SETTINGS = `
  node-address {host = "*"}
  rest-sqs {enabled = true, bind-hostname = "127.0.0.1", bind-port = 0, sqs-limits = relaxed}
  rest-stats {enabled = false}
`

/** ElasticMQ on a free port. */
export async function startSqs(): Promise<{url: string; stop(): Promise<void>}> {
  const jars = await installJars('patterns-elasticmq', resolve(import.meta.dirname, 'elasticmq/pom.xml'))
  const dir = await mkdtemp(join(tmpdir(), 'skk-elasticmq-'))
  await writeFile(join(dir, 'settings.conf'), SETTINGS)
  const options = ['-Xmx384m', `-Dconfig.file=${dir}/settings.conf`, '-cp', `${jars}/*`]
  const child = start('java', [...options, 'org.elasticmq.server.Main'], {cwd: dir})
  let said = ''
  child.stdout.on('data', (text) => {
    said += text
  })
  const portIn = () => /bind address \S+:(\d+),/.exec(said)?.[1]
  await eventually(async () => portIn() !== undefined, 120_000)
  const stop = async () => {
    await end(child)
    await rm(dir, {recursive: true, force: true})
  }
  return {url: `http://127.0.0.1:${portIn()}/`, stop}
}

export async function makeQueue(server: string, name: string, attributes: Record<string, string> = {}): Promise<Queue> {
  const call = (action: string, body: object) => motoCall(server, 'sqs', action, body)
  const fifo = name.endsWith('.fifo') ? {FifoQueue: 'true'} : {}
  const {QueueUrl} = await call('CreateQueue', {QueueName: name, Attributes: {...fifo, ...attributes}})
  const {Attributes: found} = await call('GetQueueAttributes', {QueueUrl, AttributeNames: ['QueueArn']})
  let sent = 0
  const queue: Queue = {
    url: QueueUrl,
    async send(messages) {
      const ids: string[] = []
      for (const ten of tens(messages)) {
        const Entries = ten.map(({body, attributes, group}, index) => ({
          Id: String(index),
          MessageBody: body,
          ...(attributes && {MessageAttributes: attributes}),
          ...(group && {MessageGroupId: group, MessageDeduplicationId: String(sent + index)}),
        }))
        sent += ten.length
        const {Successful, Failed = []} = await call('SendMessageBatch', {QueueUrl, Entries})
        if (Failed.length > 0) throw new Error(`not sent: ${JSON.stringify(Failed[0])}`)
        const byId = new Map<string, string>(Successful.map((one: {Id: string; MessageId: string}) => [one.Id, one.MessageId]))
        ids.push(...ten.map((_, index) => byId.get(String(index))!))
      }
      return ids
    },
    async receive() {
      const asking = {QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'], AttributeNames: ['All']}
      return (await call('ReceiveMessage', asking)).Messages ?? []
    },
    async delete(messages) {
      for (const ten of tens(messages)) {
        const Entries = ten.map(({ReceiptHandle}, index) => ({Id: String(index), ReceiptHandle}))
        await call('DeleteMessageBatch', {QueueUrl, Entries})
      }
    },
    async drain() {
      const all: Received[] = []
      for (;;) {
        const some = await queue.receive()
        if (some.length === 0) return all
        await queue.delete(some)
        all.push(...some)
      }
    },
    async poll(invoke, size = 100) {
      for (;;) {
        const batch: Received[] = []
        while (batch.length < size) {
          const some = await queue.receive()
          if (some.length === 0) break
          batch.push(...some)
        }
        if (batch.length === 0) return
        const answer = (await invoke({Records: batch.map((message) => recordOf(message, found.QueueArn))})) as {
          batchItemFailures: {itemIdentifier: string}[]
        }
        const failed = new Set(answer.batchItemFailures.map(({itemIdentifier}) => itemIdentifier))
        await queue.delete(batch.filter(({MessageId}) => !failed.has(MessageId)))
        for (const {MessageId, ReceiptHandle} of batch)
          if (failed.has(MessageId)) await call('ChangeMessageVisibility', {QueueUrl, ReceiptHandle, VisibilityTimeout: 0})
      }
    },
  }
  return queue
}

function* tens<Value>(values: readonly Value[]): Generator<readonly Value[]> {
  for (let at = 0; at < values.length; at += 10) yield values.slice(at, at + 10)
}

/** A message as Lambda has it in its event (docs.aws.amazon.com/lambda/latest/dg/with-sqs.html). */
function recordOf({MessageId, ReceiptHandle, Body, Attributes, MessageAttributes = {}}: Received, arn: string) {
  const attributes = Object.entries(MessageAttributes).map(([name, {DataType, StringValue, BinaryValue}]) => [
    name,
    {dataType: DataType, ...(StringValue !== undefined ? {stringValue: StringValue} : {binaryValue: BinaryValue})},
  ])
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: Attributes,
    messageAttributes: Object.fromEntries(attributes),
    eventSource: 'aws:sqs',
    eventSourceARN: arn,
    awsRegion: 'us-east-1',
  }
}
