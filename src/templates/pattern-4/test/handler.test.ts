import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {describe, it, type TestContext} from 'node:test'

import type {KafkaEvent} from '../src/lib/batch.ts'
import {endpoint} from './endpoint.ts'

const read = (name: string): KafkaEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

/** The handler as Lambda starts it, with an endpoint and a queue on this machine. */
async function started(test: TestContext, statusFor: (body: string) => number | undefined, env: Record<string, string> = {}) {
  const web = await endpoint(test, ({body}) => statusFor(body))
  const queue = await endpoint(test, ({body}, _, response) => {
    const MD5OfMessageBody = createHash('md5').update(JSON.parse(body).MessageBody).digest('hex')
    response.setHeader('content-type', 'application/x-amz-json-1.0').end(JSON.stringify({MessageId: '1', MD5OfMessageBody}))
    return undefined
  })
  Object.assign(process.env, {
    ENDPOINT_URL: web.url,
    ALLOWED_HOSTS: '127.0.0.1',
    DLQ_URL: queue.url,
    AUTH: 'none',
    MAX_ATTEMPTS: '1',
    REPORT_FAILURES: 'true',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    LOG_LEVEL: 'SILENT',
    ...env,
  })
  const {handler}: typeof import('../src/handler.ts') = await import(`../src/handler.ts?${web.url}`)
  const ends = Date.now() + 60_000
  const context = {awsRequestId: '1', getRemainingTimeInMillis: () => ends - Date.now()}
  return {run: (event: KafkaEvent) => handler(event, context), web, queue}
}

describe('the handler', () => {
  it('delivers the golden event', async (test) => {
    const {run, web} = await started(test, () => 200)

    assert.deepEqual(await run(read('golden')), {batchItemFailures: []})
    assert.deepEqual(web.seen.map(({body}) => body).sort(), ['{"order":1}', '{"order":2}', '{"order":3}'])
  })

  it('delivers the hostile event whole', async (test) => {
    const {run, web} = await started(test, () => 200)
    const event = read('hostile')

    assert.deepEqual(await run(event), {batchItemFailures: []})
    assert.equal(web.seen.length, Object.values(event.records).flat().length)
  })

  it('reports the record that fails, and sends none after it', async (test) => {
    const {run, web} = await started(test, (body) => (body === '{"order":2}' ? 500 : 200), {ORDER: 'partition'})

    assert.deepEqual(await run(read('golden')), {batchItemFailures: [{itemIdentifier: {partition: '{{topic}}-0', offset: 42}}]})
    assert.equal(web.seen.filter(({body}) => body === '{"order":2}').length, 1)
  })

  it('fails as a whole when the mapping reads no reports', async (test) => {
    const {run} = await started(test, () => 500, {REPORT_FAILURES: 'false'})

    await assert.rejects(run(read('golden')), /not everything was done/)
  })

  it('puts a refused record into the queue and goes on', async (test) => {
    const {run, queue} = await started(test, (body) => (body === '{"order":1}' ? 422 : 200))
    const event = read('golden')

    assert.deepEqual(await run(event), {batchItemFailures: []})
    const [letter] = queue.seen.map(({body}) => JSON.parse(JSON.parse(body).MessageBody))
    const {error, function: _, at: __, ...record} = letter
    assert.deepEqual(record, event.records['{{topic}}-0']![0])
    assert.match(error.message, /HTTP 422: no such customer/)
  })
})
