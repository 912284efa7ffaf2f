import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {createServer} from 'node:http'
import {type AddressInfo, createServer as createSocketServer} from 'node:net'
import {describe, it, type TestContext} from 'node:test'

import type {KafkaEvent} from '../src/lib/batch.ts'

const read = (name: string): KafkaEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

/** SQS as far as letters go. */
async function queue(test: TestContext) {
  const letters: any[] = []
  const server = createServer(async (request, response) => {
    const {MessageBody} = JSON.parse(Buffer.concat(await request.toArray()).toString())
    letters.push(JSON.parse(MessageBody))
    const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex')
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    response.end(JSON.stringify({MessageId: '1', MD5OfMessageBody}))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  test.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/123456789012/dead-letters`, letters}
}

/** A broker that takes connections and answers as `hello` says, which is no AMQP; how many it has taken. */
async function noRabbitmq(test: TestContext, hello: string | undefined) {
  const sockets = new Set<{destroy(): void}>()
  const server = createSocketServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    if (hello !== undefined) socket.end(hello)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  test.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {port: String((server.address() as AddressInfo).port), sockets}
}

let starts = 0

/** The handler as Lambda starts it, with so many milliseconds. */
async function started(env: Record<string, string>, timeoutMs = 60_000) {
  Object.assign(process.env, {
    AMQP_HOST: '127.0.0.1',
    AMQP_PORT: '1',
    EXCHANGE: '',
    ROUTING_KEY: '{{queue}}',
    ROUTING_KEY_FROM: 'fixed',
    FORMAT: 'bytes',
    MAX_ATTEMPTS: '1',
    DLQ_URL: '',
    REPORT_FAILURES: 'true',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    LOG_LEVEL: 'SILENT',
    ...env,
  })
  const {handler}: typeof import('../src/handler.ts') = await import(`../src/handler.ts?${++starts}`)
  const ends = Date.now() + timeoutMs
  return (event: KafkaEvent) => handler(event, {awsRequestId: '1', getRemainingTimeInMillis: () => ends - Date.now()})
}

const firstOfEach = (event: KafkaEvent) =>
  Object.entries(event.records).map(([partition, [first]]) => ({itemIdentifier: {partition, offset: first!.offset}}))

describe('the handler', () => {
  it('reports each partition from its first record while RabbitMQ is away', async () => {
    const run = await started({})

    assert.deepEqual((await run(read('golden'))).batchItemFailures, firstOfEach(read('golden')))
    assert.deepEqual((await run(read('hostile'))).batchItemFailures, firstOfEach(read('hostile')))
  })

  it('reports in time when a broker does not speak, or speaks something else', async (test) => {
    for (const hello of [undefined, 'HTTP/1.1 400 Bad Request\r\n\r\n']) {
      const {port} = await noRabbitmq(test, hello)
      const run = await started({AMQP_PORT: port, MAX_ATTEMPTS: '3'}, 4000)
      const begun = Date.now()

      assert.deepEqual((await run(read('golden'))).batchItemFailures, firstOfEach(read('golden')))
      assert.ok(Date.now() - begun < 4000)
    }
  })

  it('puts aside what is not in the format, whole, with the reason', async (test) => {
    const sqs = await queue(test)
    const run = await started({FORMAT: 'json', DLQ_URL: sqs.url})
    const event = read('golden')
    for (const record of Object.values(event.records).flat()) record.value = '/wCA'

    assert.deepEqual(await run(event), {batchItemFailures: []})
    const letters = sqs.letters.map(({partition, offset, value, error}) => [partition, offset, value, error.message]).sort()
    const reason = 'the value is not JSON'
    assert.deepEqual(letters, [
      [0, 41, '/wCA', reason],
      [0, 42, '/wCA', reason],
      [1, 7, '/wCA', reason],
    ])
  })

  it('fails as a whole when the mapping reads no reports', async () => {
    const run = await started({REPORT_FAILURES: 'false'})

    await assert.rejects(run(read('golden')), /not everything was done/)
  })

  it('asks nobody for anything before it is called', async (test) => {
    const {port, sockets} = await noRabbitmq(test, undefined)

    await started({AMQP_PORT: port})

    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(sockets.size, 0)
  })
})
