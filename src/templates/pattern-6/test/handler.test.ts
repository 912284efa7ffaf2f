import assert from 'node:assert/strict'
import {describe, it, type TestContext} from 'node:test'
import {gunzipSync} from 'node:zlib'

import type {KafkaEvent} from '../src/lib/batch.ts'
import {startAws} from './aws.ts'
import {eventOf, HOUR, linesOf, read, record, TEN_O_CLOCK} from './events.ts'

let starts = 0

/** The handler as Lambda starts it, with a bucket and a table on this machine. */
async function started(test: TestContext, env: Record<string, string> = {}) {
  const aws = await startAws()
  test.after(() => aws.stop())
  Object.assign(process.env, {
    BUCKET: 'files',
    DELIVERY: 'at-least-once',
    WATERMARK_TABLE: 'watermarks',
    FORMAT: 'ndjson',
    COMPRESSION: 'gzip',
    VALUE: 'bytes',
    TIME_ZONE: 'UTC',
    CLAIM_SECONDS: '1',
    REPORT_FAILURES: 'true',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_MAX_ATTEMPTS: '1',
    AWS_ENDPOINT_URL_S3: aws.url,
    AWS_ENDPOINT_URL_DYNAMODB: aws.url,
    LOG_LEVEL: 'SILENT',
    ...env,
  })
  const {handler}: typeof import('../src/handler.ts') = await import(`../src/handler.ts?${++starts}`)
  const ends = Date.now() + 60_000
  const context = {awsRequestId: '1', getRemainingTimeInMillis: () => ends - Date.now()}
  return {run: (event: KafkaEvent) => handler(event, context), aws}
}

const NOTHING_LEFT = {batchItemFailures: []}
const DIRECTORY = 'files/topics/{{topic}}/year=2026/month=11/day=20/hour=10'
const crossing = () => [0, 1, 2, 3].map((offset) => record(offset, {timestamp: TEN_O_CLOCK + HOUR * (offset >> 1)}))

describe('the handler', () => {
  it('writes one file for each partition of the golden event, in the hour of its first record', async (test) => {
    const {run, aws} = await started(test)

    assert.deepEqual(await run(read('golden')), NOTHING_LEFT)

    assert.deepEqual(
      linesOf(aws.objects).map(({key, line}) => [key, line.offset, line.value]),
      [
        [`${DIRECTORY}/{{topic}}+0+00000000000000000041-00000000000000000042.ndjson.gz`, 41, '{"order":1}'],
        [`${DIRECTORY}/{{topic}}+0+00000000000000000041-00000000000000000042.ndjson.gz`, 42, '{"order":2}'],
        [`${DIRECTORY}/{{topic}}+1+00000000000000000007-00000000000000000007.ndjson.gz`, 7, '{"order":3}'],
      ],
    )
    assert.deepEqual(
      [aws.items.size, linesOf(aws.objects)[0]?.line],
      [
        0,
        {
          topic: '{{topic}}',
          partition: 0,
          offset: 41,
          timestamp: '2026-11-20T10:00:00.123Z',
          key: 'customer-1',
          value: '{"order":1}',
          headers: [['trace', '1']],
        },
      ],
    )
  })

  it('writes every record of the hostile event, whatever it is', async (test) => {
    for (const DELIVERY of ['at-least-once', 'exactly-once']) {
      const {run, aws} = await started(test, {DELIVERY})
      const event = read('hostile')

      assert.deepEqual(await run(event), NOTHING_LEFT)

      const raw = (json: any) => (json?.base64 === undefined ? json : Buffer.from(json.base64, 'base64'))
      const bytesOf = (json: any) => (json === null ? null : Buffer.from(raw(json)).toString('base64'))
      const found = linesOf(aws.objects)
        .map(({line}) => line)
        .sort((a, b) => a.offset - b.offset)
      const expected = Object.values(event.records).flat()
      assert.deepEqual(
        found.map(({offset, key, value}) => ({offset, key: bytesOf(key), value: bytesOf(value)})),
        expected.map(({offset, key, value}) => ({offset, key: key ?? null, value: value ?? null})),
      )
      const headers = found.flatMap((line) =>
        line.headers.map(([name, value]: [string, any]) => ({[name]: [...Buffer.from(raw(value))]})),
      )
      assert.deepEqual(JSON.stringify(headers), JSON.stringify(expected.flatMap((one) => one.headers)))
      assert.deepEqual([...aws.objects.keys()].filter((key) => key.startsWith('files/errors/{{topic}}/')).length, 1)
    }
  })

  it('writes the same batch over itself, and another batch beside it', async (test) => {
    const {run, aws} = await started(test)

    await run(eventOf(...crossing()))
    await run(eventOf(...crossing()))
    assert.equal(aws.objects.size, 1)
    await run(eventOf(...crossing().slice(0, 2)))

    assert.equal(aws.objects.size, 2)
    assert.equal(linesOf(aws.objects).length, 6)
  })

  it('cuts at the hour where each record is written once', async (test) => {
    const {run, aws} = await started(test, {DELIVERY: 'exactly-once'})

    await run(eventOf(...crossing()))
    await run(eventOf(...crossing().slice(1), record(4, {timestamp: TEN_O_CLOCK})))

    assert.deepEqual(
      linesOf(aws.objects).map(({key, line}) => [key.slice(-44), line.offset]),
      [
        ['hour=10/orders+0+00000000000000000000.ndjson.gz', 0],
        ['hour=10/orders+0+00000000000000000000.ndjson.gz', 1],
        ['hour=10/orders+0+00000000000000000004.ndjson.gz', 4],
        ['hour=11/orders+0+00000000000000000002.ndjson.gz', 2],
        ['hour=11/orders+0+00000000000000000002.ndjson.gz', 3],
      ].map(([key, offset]) => [String(key).slice(-44), offset]),
    )
    assert.deepEqual(aws.items.get('orders-0'), {id: {S: 'orders-0'}, next: {N: '5'}})
  })

  it('reports a partition whose file was refused, and finishes it when it comes again', async (test) => {
    const {run, aws} = await started(test, {DELIVERY: 'exactly-once'})
    aws.fault = (what) => (what.includes('hour=11') ? 403 : undefined)

    const event = eventOf(...crossing())
    event.records['orders-9'] = [record(5, {partition: 9})]

    assert.deepEqual(await run(event), {batchItemFailures: [{itemIdentifier: {partition: 'orders-0', offset: 0}}]})
    assert.equal(aws.items.get('orders-9')?.['next']?.['N'], '6')
    aws.fault = () => undefined
    assert.deepEqual(await run(eventOf(...crossing().slice(0, 3))), NOTHING_LEFT)

    assert.deepEqual(
      linesOf(aws.objects).map(({line}) => [line.partition, line.offset]),
      [
        [0, 0],
        [0, 1],
        [9, 5],
        [0, 2],
      ],
    )
  })

  it('reports a partition while the table is away', async (test) => {
    const {run, aws} = await started(test, {DELIVERY: 'exactly-once'})
    aws.fault = (what) => (what === 'UpdateItem' ? 500 : undefined)

    assert.equal((await run(read('golden'))).batchItemFailures.length, 2)
    assert.equal(aws.objects.size, 0)
  })

  it('does not write twice when only the answer of the table was lost', async (test) => {
    const {run, aws} = await started(test, {DELIVERY: 'exactly-once', AWS_MAX_ATTEMPTS: '3'})
    const lost = new Map<string, number>()
    aws.loses = (what) => {
      lost.set(what, (lost.get(what) ?? 0) + 1)
      // Of the claim, of the file, and of the confirmation, which are the first and the third request for the table.
      return what === 'UpdateItem' ? lost.get(what)! % 2 === 1 : what.startsWith('PUT') && lost.get(what) === 1
    }

    assert.deepEqual(await run(eventOf(record(0))), NOTHING_LEFT)

    assert.deepEqual([linesOf(aws.objects).length, aws.items.get('orders-0')?.['next'], lost.get('UpdateItem')], [1, {N: '1'}, 4])
  })

  it('fails as a whole when the mapping reads no reports', async (test) => {
    const {run, aws} = await started(test, {REPORT_FAILURES: 'false'})
    aws.fault = () => 403

    await assert.rejects(run(read('golden')), /not everything was done/)
  })

  it('leaves tombstones out only when it is told so', async (test) => {
    const some = [record(0, {value: null}), record(1), record(2, {value: null})]
    for (const [NULL_VALUES, DELIVERY, expected] of [
      ['write', 'at-least-once', [0, 1, 2]],
      ['skip', 'at-least-once', [1]],
      ['write', 'exactly-once', [0, 1, 2]],
      ['skip', 'exactly-once', [1]],
    ] as const) {
      const {run, aws} = await started(test, {NULL_VALUES, DELIVERY})
      await run(eventOf(...some))
      assert.deepEqual(
        linesOf(aws.objects).map(({line}) => line.offset),
        expected,
      )
    }
    delete process.env['NULL_VALUES']
  })

  it('puts what cannot be placed aside, under errors, with the rest of the batch written', async (test) => {
    const {run, aws} = await started(test, {VALUE: 'json', TIME_FIELD: 'at'})
    const json = (value: string) => Buffer.from(value).toString('base64')

    await run(
      eventOf(
        record(0, {value: json('{"at":"2026-11-20T23:59:59.999Z","big":12345678901234567890.10}\n')}),
        record(1, {value: json('no json')}),
        record(2, {value: json('{}')}),
      ),
    )

    const texts = [...aws.objects].map(([key, bytes]) => [key, gunzipSync(bytes).toString()] as const)
    assert.deepEqual(texts.map(([key]) => key).sort(), [
      'files/errors/orders/orders+0+00000000000000000000-00000000000000000002.ndjson.gz',
      'files/topics/orders/year=2026/month=11/day=20/hour=23/orders+0+00000000000000000000-00000000000000000002.ndjson.gz',
    ])
    const good = texts.find(([key]) => key.includes('/topics/'))!
    assert.match(good[1], /"value":\{"at":"2026-11-20T23:59:59.999Z","big":12345678901234567890.10\} ,"headers":\[\]\}\n$/)
    delete process.env['TIME_FIELD']
  })
})
