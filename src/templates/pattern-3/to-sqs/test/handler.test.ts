import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {describe, it, type TestContext} from 'node:test'

import type {KafkaEvent} from '../src/lib/batch.ts'

const read = (name: string): KafkaEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

type Entry = {Id: string; MessageBody: string; MessageAttributes: Record<string, {StringValue?: string}>}
type Failure = {Code: string; SenderFault: boolean}

/** SQS and S3 in one: what came, and what `refuses` has SQS say of an entry. */
async function awsServices(test: TestContext) {
  const messages: Entry[] = []
  const letters: any[] = []
  const objects = new Map<string, string>()
  const md5 = (text: string) => createHash('md5').update(text).digest('hex')
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const text = Buffer.concat(await request.toArray()).toString()
    if (request.method === 'PUT') {
      objects.set(new URL(request.url!, 'http://s3').pathname, text)
      return response.setHeader('etag', '"1"').end()
    }
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    const {Entries, MessageBody} = JSON.parse(text) as {Entries?: Entry[]; MessageBody: string}
    if (!Entries) {
      letters.push(JSON.parse(MessageBody))
      return response.end(JSON.stringify({MessageId: '1', MD5OfMessageBody: md5(MessageBody)}))
    }
    const refused = Entries.map((entry) => ({Id: entry.Id, ...aws.refuses(entry)})).filter(
      (one): one is {Id: string} & Failure => 'Code' in one,
    )
    const taken = Entries.filter(({Id}) => !refused.some((one) => one.Id === Id))
    messages.push(...taken)
    const Successful = taken.map(({Id, MessageBody: body}) => ({Id, MessageId: Id, MD5OfMessageBody: md5(body)}))
    return response.end(JSON.stringify({Successful, Failed: refused}))
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  test.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const aws = {url, messages, letters, objects, refuses: (_: Entry): Failure | undefined => undefined}
  return aws
}

/** The handler as Lambda starts it, with queues and a bucket on this machine. */
async function started(test: TestContext, env: Record<string, string> = {}) {
  const aws = await awsServices(test)
  Object.assign(process.env, {
    QUEUE_URL: `${aws.url}/123456789012/{{queue}}`,
    DLQ_URL: `${aws.url}/123456789012/dead-letters`,
    FORMAT: 'bytes',
    LARGE_BUCKET: 'large',
    REPORT_FAILURES: 'true',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_S3: aws.url,
    LOG_LEVEL: 'SILENT',
    ...env,
  })
  const {handler}: typeof import('../src/handler.ts') = await import(`../src/handler.ts?${aws.url}`)
  const ends = Date.now() + 60_000
  const context = {awsRequestId: '1', getRemainingTimeInMillis: () => ends - Date.now()}
  return {run: (event: KafkaEvent) => handler(event, context), aws}
}

const idOf = ({MessageAttributes}: Entry) => MessageAttributes['kafka.id']!.StringValue

describe('the handler', () => {
  it('sends the golden event', async (test) => {
    const {run, aws} = await started(test)

    assert.deepEqual(await run(read('golden')), {batchItemFailures: []})
    assert.deepEqual(aws.messages.map(({MessageBody}) => MessageBody).sort(), ['{"order":1}', '{"order":2}', '{"order":3}'])
  })

  it('sends every record of the hostile event', async (test) => {
    const {run, aws} = await started(test)

    assert.deepEqual(await run(read('hostile')), {batchItemFailures: []})
    const expected = Object.values(read('hostile').records).flat().length
    assert.deepEqual([aws.messages.length, aws.letters.length], [expected, 0])
  })

  it('reports what SQS has not taken', async (test) => {
    const {run, aws} = await started(test)
    aws.refuses = (entry) => (idOf(entry) === '{{topic}}-0-42' ? {Code: 'InternalError', SenderFault: false} : undefined)

    const {batchItemFailures} = await run(read('golden'))

    assert.deepEqual(batchItemFailures, [{itemIdentifier: {partition: '{{topic}}-0', offset: 42}}])
  })

  it('puts aside what SQS will never take, and what is not in the format', async (test) => {
    const {run, aws} = await started(test, {FORMAT: 'json'})
    aws.refuses = (entry) => (idOf(entry) === '{{topic}}-0-42' ? {Code: 'InvalidMessageContents', SenderFault: true} : undefined)
    const event = read('golden')
    event.records['{{topic}}-1']![0]!.value = '/wCA'

    assert.deepEqual(await run(event), {batchItemFailures: []})
    const letters = aws.letters.map(({partition, offset, value, error}) => [partition, offset, value, error.message]).sort()
    assert.deepEqual(letters, [
      [0, 42, 'eyJvcmRlciI6Mn0=', 'SQS refuses it: InvalidMessageContents: '],
      [1, 7, '/wCA', 'the value is not JSON'],
    ])
  })

  it('keeps a record that is too large in the bucket, and sends where', async (test) => {
    const {run, aws} = await started(test)
    const event = read('golden')
    const value = Buffer.alloc(1_200_000, 'x').toString('base64')
    event.records['{{topic}}-1']![0]!.value = value

    assert.deepEqual(await run(event), {batchItemFailures: []})
    const pointer = aws.messages.find((entry) => idOf(entry) === '{{topic}}-1-7')!
    const {stored} = JSON.parse(pointer.MessageBody)
    assert.deepEqual(stored, {bucket: 'large', key: '{{topic}}/1/00000000000000000007.json'})
    assert.equal(JSON.parse(aws.objects.get(`/large/${stored.key}`)!).value, value)
  })

  it('fails as a whole when the mapping reads no reports', async (test) => {
    const {run, aws} = await started(test, {REPORT_FAILURES: 'false'})
    aws.refuses = () => ({Code: 'InternalError', SenderFault: false})

    await assert.rejects(run(read('golden')), /not everything was done/)
  })
})
