import assert from 'node:assert/strict'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {describe, it, type TestContext} from 'node:test'

import type {StreamEvent} from '../src/core/change.ts'
import {eventOf} from './records.ts'

let starts = 0

/** The handler as Lambda starts it, with a bucket on this machine, a broker that is not there and a few seconds. */
async function started(test: TestContext, env: Record<string, string> = {}) {
  const objects = new Map<string, string>()
  const s3 = createServer(async (request, response) => {
    objects.set(new URL(request.url!, 'http://s3').pathname, Buffer.concat(await request.toArray()).toString())
    response.setHeader('etag', '"1"').end()
  })
  await new Promise<void>((resolve) => void s3.listen(0, '127.0.0.1', resolve))
  test.after(() => {
    s3.closeAllConnections()
    s3.close()
  })
  Object.assign(process.env, {
    SKK_BROKERS: '127.0.0.1:1',
    SKK_AUTH: 'none',
    TOPIC_MAP: '{"{{table}}":"{{topic}}"}',
    ENVELOPE: 'true',
    TOMBSTONE: 'true',
    FORMAT: 'typed',
    DEAD_LETTERS_BUCKET: 'kept',
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(s3.address() as AddressInfo).port}`,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    LOG_LEVEL: 'SILENT',
    ...env,
  })
  const {handler}: typeof import('../src/handler.ts') = await import(`../src/handler.ts?${++starts}`)
  const ends = Date.now() + 4000
  const context = {awsRequestId: '1', getRemainingTimeInMillis: () => ends - Date.now()}
  return {run: (event: StreamEvent) => handler(event, context), objects, context}
}

/** A change whose number is none, which only a bug could bring. */
function broken(): StreamEvent {
  const [record] = eventOf('golden').Records
  return {Records: [{...record!, dynamodb: {...record!.dynamodb, NewImage: {n: {N: 'x'}}}}]}
}

describe('the handler', () => {
  it('names the first record, in time, while Kafka is away', async (test) => {
    const {run, context} = await started(test)
    const event = eventOf('golden')

    assert.deepEqual(await run(event), {batchItemFailures: [{itemIdentifier: event.Records[0]!.dynamodb.SequenceNumber}]})
    assert.ok(context.getRemainingTimeInMillis() > 0)
  })

  it('keeps poison whole, with the reason, and needs no broker for that', async (test) => {
    const {run, objects} = await started(test)
    const event = broken()

    assert.deepEqual(await run(event), {batchItemFailures: []})
    const [[path, body]] = [...objects] as [[string, string]]
    assert.ok(path.endsWith(`/poison/{{table}}/${event.Records[0]!.dynamodb.SequenceNumber}.json`), path)
    const {error, at: _, ...record} = JSON.parse(body)
    assert.deepEqual(record, event.Records[0])
    assert.deepEqual(error, {name: 'PoisonError', message: 'the item.n is no value of DynamoDB'})
  })

  it('counts poison as failed without a bucket', async (test) => {
    const {run} = await started(test, {DEAD_LETTERS_BUCKET: ''})

    assert.equal((await run(broken())).batchItemFailures.length, 1)
  })
})
