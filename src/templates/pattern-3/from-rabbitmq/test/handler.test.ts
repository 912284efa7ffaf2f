import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {describe, it, type TestContext} from 'node:test'

import type {RmqEvent} from '../src/core/message.ts'

const read = (name: string): RmqEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

/** SQS and S3 in one, as far as letters go; `status` is what SQS answers, and may be changed. */
async function awsServices(test: TestContext) {
  const letters: {body: any; reason: string}[] = []
  const objects = new Map<string, string>()
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const text = Buffer.concat(await request.toArray()).toString()
    if (request.method === 'PUT') {
      objects.set(new URL(request.url!, 'http://s3').pathname, text)
      return response.setHeader('etag', '"1"').end()
    }
    if (aws.status !== 200) return response.writeHead(aws.status).end('{"__type":"com.amazonaws.sqs#InvalidMessageContents"}')
    const {MessageBody, MessageAttributes} = JSON.parse(text)
    letters.push({body: JSON.parse(MessageBody), reason: MessageAttributes['skk.error'].StringValue})
    const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex')
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    return response.end(JSON.stringify({MessageId: '1', MD5OfMessageBody}))
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  test.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const aws = {url, letters, objects, status: 200}
  return aws
}

/** The handler as Lambda starts it, with a broker that is not there and little time. */
async function started(test: TestContext, env: Record<string, string> = {}) {
  const aws = await awsServices(test)
  Object.assign(process.env, {
    SKK_BROKERS: '127.0.0.1:1',
    SKK_AUTH: 'none',
    TOPIC: '{{topic}}',
    FORMAT: 'json',
    KEY_FROM: 'auto',
    DLQ_URL: `${aws.url}/123456789012/dead-letters`,
    LARGE_BUCKET: 'large',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_S3: aws.url,
    LOG_LEVEL: 'SILENT',
    ...env,
  })
  const {handler}: typeof import('../src/handler.ts') = await import(`../src/handler.ts?${aws.url}`)
  const ends = Date.now() + 5000
  return {aws, run: (event: RmqEvent) => handler(event, {awsRequestId: '1', getRemainingTimeInMillis: () => ends - Date.now()})}
}

/** An event of one message that is no JSON. */
function poison(data: Buffer): RmqEvent {
  const event = read('golden')
  const [[queue, messages]] = Object.entries(event.rmqMessagesByQueue) as [[string, RmqEvent['rmqMessagesByQueue'][string]]]
  return {...event, rmqMessagesByQueue: {[queue]: [{...messages[0]!, data: data.toString('base64')}]}}
}

describe('the handler', () => {
  it('fails while Kafka is away, so that all come again', async (test) => {
    const {run, aws} = await started(test)

    await assert.rejects(run(read('golden')))
    assert.deepEqual(aws.letters, [])
  })

  it('puts aside what is in the hostile event, of which nothing is JSON', async (test) => {
    const {run, aws} = await started(test)

    await run(read('hostile'))

    const data = Object.values(read('hostile').rmqMessagesByQueue).flat()
    assert.deepEqual(
      aws.letters.map(({body}) => body.data),
      data.map((message) => message.data),
    )
  })

  it('puts poison aside whole, with its queue and the reason', async (test) => {
    const {run, aws} = await started(test)
    const event = poison(Buffer.from([0xff, 0]))

    await run(event)

    const [[queue, [message]]] = Object.entries(event.rmqMessagesByQueue) as [[string, unknown[]]]
    const [{body, reason}] = aws.letters as [(typeof aws.letters)[0]]
    const {at: _, ...whole} = body
    assert.deepEqual(whole, {...(message as object), queue, error: {name: 'PoisonError', message: 'the message is not JSON'}})
    assert.equal(reason, 'PoisonError: the message is not JSON')
  })

  it('keeps poison that is too large for the queue in the bucket', async (test) => {
    const {run, aws} = await started(test)
    const event = poison(Buffer.alloc(900_000, 0xff))

    await run(event)

    const {stored, data} = aws.letters[0]!.body
    assert.equal(data, undefined)
    const kept = JSON.parse(aws.objects.get(`/${stored.bucket}/${stored.key}`)!)
    assert.equal(kept.data, Buffer.alloc(900_000, 0xff).toString('base64'))
  })

  it('fails when poison cannot be put aside', async (test) => {
    const {run, aws} = await started(test)
    aws.status = 400

    await assert.rejects(run(poison(Buffer.from('x'))))
  })
})
