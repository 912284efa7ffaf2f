import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {describe, it, type TestContext} from 'node:test'

import type {SqsEvent} from '../src/core/message.ts'

const read = (name: string): SqsEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

type Letter = {QueueUrl: string; MessageBody: string; MessageAttributes: Record<string, any>; MessageGroupId?: string}

/** SQS as far as letters go; `status` is what it answers, and may be changed. */
async function queue(test: TestContext, name = 'dead-letters') {
  const letters: Letter[] = []
  const server = createServer(async (request, response) => {
    const letter: Letter = JSON.parse(Buffer.concat(await request.toArray()).toString())
    if (sqs.status !== 200) return response.writeHead(sqs.status).end('{"__type":"com.amazonaws.sqs#InvalidMessageContents"}')
    letters.push(letter)
    const MD5OfMessageBody = createHash('md5').update(letter.MessageBody).digest('hex')
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    return response.end(JSON.stringify({MessageId: '1', MD5OfMessageBody}))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  test.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const sqs = {url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/123456789012/${name}`, letters, status: 200}
  return sqs
}

let starts = 0

/** The handler as Lambda starts it, with a broker that is not there and little time. */
async function started(env: Record<string, string>) {
  Object.assign(process.env, {
    SKK_BROKERS: '127.0.0.1:1',
    SKK_AUTH: 'none',
    TOPIC: '{{topic}}',
    FORMAT: 'bytes',
    KEY_FROM: 'auto',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    LOG_LEVEL: 'SILENT',
    ...env,
  })
  const {handler}: typeof import('../src/handler.ts') = await import(`../src/handler.ts?${++starts}`)
  const ends = Date.now() + 5000
  return (event: SqsEvent) => handler(event, {awsRequestId: '1', getRemainingTimeInMillis: () => ends - Date.now()})
}

const ids = (event: SqsEvent) => event.Records.map(({messageId}) => ({itemIdentifier: messageId}))

describe('the handler', () => {
  it('brings every message again while Kafka is away', async () => {
    const run = await started({DLQ_URL: ''})

    assert.deepEqual(await run(read('golden')), {batchItemFailures: ids(read('golden'))})
  })

  it('puts poison aside as it came, with the reason', async (test) => {
    const sqs = await queue(test)
    const run = await started({DLQ_URL: sqs.url})
    const poison = read('hostile').Records.slice(1, 3)

    assert.deepEqual(await run({Records: poison}), {batchItemFailures: []})

    const reason = (text: string) => ({DataType: 'String', StringValue: `PoisonError: ${text}`})
    const {MessageBody, MessageAttributes} = sqs.letters[0]!
    assert.equal(MessageBody, 'not base64')
    assert.deepEqual(MessageAttributes, {
      'skk.encoding': {DataType: 'String', StringValue: 'base64'},
      'skk.error': reason('the body is not base64'),
    })
    assert.equal(sqs.letters.length, 2)
  })

  it('keeps the group of poison for a queue that has groups', async (test) => {
    const sqs = await queue(test, 'dead-letters.fifo')
    const run = await started({DLQ_URL: sqs.url, FORMAT: 'json'})

    await run({Records: [read('hostile').Records[5]!]})

    assert.equal(sqs.letters[0]!.MessageGroupId, 'g')
    assert.deepEqual(Object.keys(sqs.letters[0]!.MessageAttributes).sort(), ['__proto__', 'constructor', 'price', 'skk.error'])
  })

  it('brings poison again that the queue does not take', async (test) => {
    const sqs = await queue(test)
    sqs.status = 400
    const run = await started({DLQ_URL: sqs.url})
    const Records = [read('hostile').Records[1]!]

    assert.deepEqual(await run({Records}), {batchItemFailures: ids({Records})})
  })
})
