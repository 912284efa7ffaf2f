import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {after, before, describe, it} from 'node:test'

import {SQSClient} from '@aws-sdk/client-sqs'

import type {KafkaRecord} from '../../src/lib/batch.ts'
import {deadLetterQueue} from '../../src/lib/dlq.ts'

const record: KafkaRecord = {
  topic: 'orders',
  partition: 1,
  offset: 42,
  timestamp: 1,
  timestampType: 'CREATE_TIME',
  key: null,
  value: '/wCA',
  headers: [{trace: [1, 2]}],
}

describe('deadLetterQueue', () => {
  const sent: Record<string, unknown>[] = []
  const bodies: string[] = []
  const beside: unknown[] = []
  const sqs = createServer(async (request, response) => {
    const {MessageBody, MessageAttributes} = JSON.parse((await request.setEncoding('utf8').toArray()).join(''))
    bodies.push(MessageBody)
    sent.push(JSON.parse(MessageBody))
    beside.push(MessageAttributes)
    const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex')
    response.setHeader('content-type', 'application/x-amz-json-1.0').end(JSON.stringify({MessageId: '1', MD5OfMessageBody}))
  })
  let url: string
  const client = new SQSClient({region: 'us-east-1', credentials: {accessKeyId: 'test', secretAccessKey: 'test'}})
  before(async () => {
    await new Promise<void>((resolve) => void sqs.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(sqs.address() as AddressInfo).port}/123456789012/dead`
  })
  after(() => {
    client.destroy()
    sqs.close()
  })

  it('keeps the record whole, with the reason', async () => {
    await deadLetterQueue(url, () => client)(record, new Error('HTTP 422'))

    const [{error, function: name, at, ...whole}] = sent as [Record<string, unknown>]
    assert.deepEqual(whole, record)
    assert.deepEqual([error, name, typeof at], [{name: 'Error', message: 'HTTP 422'}, 'local', 'string'])
  })

  it('tells beside the letter what it is about', async () => {
    await deadLetterQueue(url, () => client, {attributesOf: ({offset}) => ({offset: String(offset)})})(record, new Error('x'))

    assert.deepEqual(beside.at(-1), {offset: {DataType: 'String', StringValue: '42'}})
  })

  it('keeps elsewhere what the queue cannot take, and sends where', async () => {
    const large = {...record, value: 'A'.repeat(1_100_000)}
    const kept: unknown[] = []
    const keepLarge = async (letter: object) => {
      kept.push(letter)
      return {stored: 'there'}
    }

    await deadLetterQueue(url, () => client, {keepLarge})(large, new Error('x'))
    await deadLetterQueue(url, () => client, {keepLarge})(record, new Error('x'))

    assert.deepEqual([kept.length, sent.at(-2)], [1, {stored: 'there'}])
  })

  it('sends no character that SQS refuses', async () => {
    await deadLetterQueue(url, () => client)({...record, headers: [{'\uFFFE\uFFFFé': [1]}]}, new Error('\u0000\uD800'))

    assert.doesNotMatch(bodies.at(-1)!, /[\u0000-\u001F\uD800-\uDFFF\uFFFE\uFFFF]/)
    assert.deepEqual(sent.at(-1)!['headers'], [{'\uFFFE\uFFFFé': [1]}])
  })

  it('refuses a record that the queue cannot take, and does without a queue by refusing all', async () => {
    const large = {...record, value: 'A'.repeat(1_100_000)}

    await assert.rejects(deadLetterQueue(url, () => client)(large, new Error('HTTP 422')), /SQS takes/)
    await assert.rejects(deadLetterQueue('')(record, new Error('HTTP 422')), /DLQ_URL/)
  })
})
