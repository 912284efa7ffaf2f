import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {describe, it, type TestContext} from 'node:test'

import type {KafkaEvent} from '../src/lib/batch.ts'
import {awsServices} from './aws.ts'

const read = (name: string): KafkaEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

/** The golden event with another value for the record at `partition` and `index`. */
function spoiled(value: string, partition = 0, index = 0): KafkaEvent {
  const event = read('golden')
  event.records[`{{topic}}-${partition}`]![index]!.value = value
  return event
}

/** The handler as Lambda starts it, with a queue and a bucket on this machine. */
async function started(test: TestContext, env: Record<string, string> = {}) {
  const aws = await awsServices(test)
  Object.assign(process.env, {
    FORMAT: 'json',
    REQUIRED: '',
    ORDER: 'partition',
    DLQ_URL: aws.queueUrl,
    LARGE_LETTERS_BUCKET: 'letters',
    REPORT_FAILURES: 'true',
    MAX_ATTEMPTS: '1',
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

describe('the handler', () => {
  it('works on the golden event', async (test) => {
    const {run, aws} = await started(test)

    assert.deepEqual(await run(read('golden')), {batchItemFailures: []})
    assert.deepEqual(aws.letters, [])
  })

  it('puts poison aside whole, with its place and the reason, and goes on', async (test) => {
    const {run, aws} = await started(test)
    const event = spoiled('/wCA')

    assert.deepEqual(await run(event), {batchItemFailures: []})
    const [{body, attributes}] = aws.letters as [(typeof aws.letters)[0]]
    const {error, function: _, at: __, ...record} = body
    assert.deepEqual(record, event.records['{{topic}}-0']![0])
    assert.match(error.message, /not UTF-8/)
    assert.deepEqual(attributes, {
      'skk.error': 'PoisonError: the value is not UTF-8',
      'skk.topic': '{{topic}}',
      'skk.partition': '0',
      'skk.offset': '41',
      'skk.attempt': '1',
    })
  })

  it('puts every poison of the hostile event aside, and reports none', async (test) => {
    const {run, aws} = await started(test)

    assert.deepEqual(await run(read('hostile')), {batchItemFailures: []})
    const places = aws.letters.map(({body}) => body.offset).sort((a, b) => a - b)
    // Not those without a value; all others are no JSON.
    assert.deepEqual(places, [1, 2, 3, 4, 5, 6, 7, 4294967297, 9007199254740991])
  })

  it('keeps a record that is too large for the queue in the bucket', async (test) => {
    const {run, aws} = await started(test)
    const large = Buffer.alloc(1_000_000, 0xff).toString('base64')

    assert.deepEqual(await run(spoiled(large, 1)), {batchItemFailures: []})
    const [{body}] = aws.letters as [(typeof aws.letters)[0]]
    assert.deepEqual(body.stored, {bucket: 'letters', key: '{{topic}}/1/00000000000000000007.json'})
    const whole = JSON.parse(aws.objects.get(`/letters/${body.stored.key}`)!)
    assert.deepEqual([whole.value, whole.offset, body.value], [large, 7, undefined])
  })

  it('reports a record that could not be put aside, and those after it', async (test) => {
    const {run, aws} = await started(test)
    aws.status = 400

    const {batchItemFailures} = await run(spoiled('/wCA', 0, 1))

    assert.deepEqual(batchItemFailures, [{itemIdentifier: {partition: '{{topic}}-0', offset: 42}}])
  })

  it('fails as a whole when the mapping reads no reports', async (test) => {
    const {run} = await started(test, {REPORT_FAILURES: 'false', DLQ_URL: ''})

    await assert.rejects(run(spoiled('/wCA')), /not everything was done/)
  })

  it('refuses what lacks a member that it must have', async (test) => {
    const {run, aws} = await started(test, {REQUIRED: 'order,customer'})

    await run(read('golden'))

    assert.deepEqual([...new Set(aws.letters.map(({body}) => body.error.message))], ['the value lacks customer'])
  })
})
