import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {describe, it} from 'node:test'
import {gzipSync} from 'node:zlib'

import {type Message, OutcomeUnknownError, partitionFor, UnknownTopicError} from '../src/lib/kafka.ts'
import {service} from '../src/service.ts'
import {type Change, eventOf, hostile, json} from './event.ts'
import {memoryProducer} from './producer.ts'

const NOW = Date.parse('2026-11-20T10:00:00.123Z')
const LARGEST_BODY = 10_000
const V3 = '/v3/clusters/local/topics/{{topic}}/records'

/** The service, with topics in memory. */
function started(fail?: (message: Message) => Error | undefined) {
  const {producer, stored} = memoryProducer(3, fail)
  const failures: unknown[] = []
  const answer = service({
    topics: ['{{topic}}'],
    cluster: 'local',
    largestBody: LARGEST_BODY,
    producer,
    allow: async () => {},
    now: () => NOW,
    onFailure: (error) => failures.push(error),
  })
  const deadline = {remainingMs: () => 10_000, passed: () => false}
  const ask = async (change: Change) => {
    const {statusCode, headers, body} = await answer(eventOf(change), deadline)
    return {status: statusCode, headers, body: JSON.parse(body)}
  }
  return {ask, stored, failures}
}

const texts = (stored: Message[]) => stored.map(({key, value}) => [key && String(key), value && String(value)])

describe('version 2', () => {
  it('stores the golden event, and tells where', async () => {
    const {ask, stored} = started()
    const {body} = JSON.parse(readFileSync('events/golden.json', 'utf8'))

    const {status, headers, body: said} = await ask({body})

    const partition = partitionFor(Buffer.from('customer-1'), 3)
    assert.deepEqual(said, {
      offsets: [{partition, offset: 0, error_code: null, error: null}],
      key_schema_id: null,
      value_schema_id: null,
    })
    assert.deepEqual([status, headers['content-type']], [200, 'application/json'])
    // Not a digit of a number is lost.
    assert.deepEqual(texts(stored), [['customer-1', '{"order":1,"total":12345678901234567890}']])
    const [{headers: stamped, timestamp}] = stored as [(typeof stored)[0]]
    assert.deepEqual([timestamp, stamped], [NOW, {'idempotency-key': [Buffer.from('9f1c7c1e-1')]}])
  })

  it('tells an offset for each record, in their order', async () => {
    const {ask, stored} = started()
    const records = Array.from({length: 10}, (_, number) => ({value: number, partition: 1}))

    const {body} = await ask(json({records}))

    assert.deepEqual(
      body.offsets.map(({offset}: {offset: number}) => offset),
      Array.from({length: 10}, (_, index) => index),
    )
    assert.deepEqual(
      texts(stored),
      records.map(({value}) => [null, String(value)]),
    )
    assert.equal(new Set(stored.map(({headers}) => String(headers!['idempotency-key']))).size, 10)
  })

  it('has three formats', async () => {
    const {ask, stored} = started()
    const record = {key: 'YQ==', value: '/wCA'}
    const of = (type: string) => ({...json({records: [record]}), headers: {'content-type': type}})

    await ask(of('application/json; charset=utf-8'))
    await ask(of('application/vnd.kafka.json.v2+json'))
    await ask(of('application/vnd.kafka.binary.v2+json'))

    assert.deepEqual(
      stored.map(({key, value}) => [String(key), value!.toString('base64')]),
      [
        ['YQ==', Buffer.from('"/wCA"').toString('base64')],
        ['"YQ=="', Buffer.from('"/wCA"').toString('base64')],
        ['a', '/wCA'],
      ],
    )
  })

  it('takes tombstones, partitions, headers in order and times', async () => {
    const {ask, stored} = started()
    const headers = [
      {name: 'trace', value: 'MQ=='},
      {name: '__proto__', value: '/w=='},
      {name: 'trace', value: 'Mg=='},
    ]
    const timestamp = '2026-11-20T11:00:00+01:00'

    await ask({
      ...json({records: [{key: 'a', value: null, partition: 2, headers, timestamp}]}),
      headers: {'idempotency-key': null},
    })

    const [{key, value, partition, headers: kept, timestamp: time}] = stored as [(typeof stored)[0]]
    assert.deepEqual([String(key), value, partition, time], ['a', null, 2, Date.parse('2026-11-20T10:00:00Z')])
    assert.deepEqual(Object.entries(kept!), [
      ['trace', [Buffer.from('1'), Buffer.from('2')]],
      ['__proto__', [Buffer.from([0xff])]],
    ])
  })

  it('unpacks gzip, and base64 of the gateway', async () => {
    const {ask, stored} = started()
    const packed = gzipSync('{"records":[{"value":"ä"}]}').toString('base64')

    const {status} = await ask({body: packed, isBase64Encoded: true, headers: {'content-encoding': 'gzip'}})

    assert.deepEqual([status, texts(stored)], [200, [[null, '"ä"']]])
  })

  it('says which records are stored when not all are', async () => {
    const {ask, failures} = started(({value}) => (String(value) === '2' ? new Error('away') : undefined))

    const {status, body} = await ask(json({records: [{value: 1}, {value: 2}, {value: 3, partition: 9}, {value: 4}]}))

    assert.equal(status, 207)
    assert.deepEqual(
      body.offsets.map(({offset, error_code}: Record<string, unknown>) => [offset, error_code]),
      [
        [0, null],
        [null, 503],
        [null, 40402],
        [1, null],
      ],
    )
    assert.equal(failures.length, 2)
  })
})

describe('version 3', () => {
  it('stores one record', async () => {
    const {ask, stored} = started()
    const key = {type: 'STRING', data: 'ä'}
    const value = {type: 'JSON', data: {order: 1}}

    const {status, body} = await ask({...json({partition_id: 1, key, value, timestamp: '2026-11-20T10:00:00Z'}), path: V3})

    assert.equal(status, 200)
    assert.deepEqual(body, {
      error_code: 200,
      cluster_id: 'local',
      topic_name: '{{topic}}',
      partition_id: 1,
      offset: 0,
      timestamp: '2026-11-20T10:00:00.000Z',
      key: {type: 'STRING', size: 2},
      value: {type: 'JSON', size: 11},
    })
    assert.deepEqual(texts(stored), [['ä', '{"order":1}']])
  })

  it('stores a batch, whose entries fail one by one', async () => {
    const {ask, stored} = started()
    const entries = [
      {id: 'a', value: {type: 'BINARY', data: '/wCA'}},
      {id: 'b', value: {type: 'BINARY', data: 'no base64'}},
      {id: 'c', partition_id: 7, value: null},
      {id: 'd', key: {type: 'STRING', data: null}, value: {type: 'JSON', data: null}},
    ]

    const {status, body} = await ask({...json({entries}), path: `${V3}:batch`})

    assert.equal(status, 207)
    assert.deepEqual(
      body.successes.map(({id, offset, timestamp}: Record<string, unknown>) => [id, offset, timestamp]),
      [
        ['a', 0, '2026-11-20T10:00:00.123Z'],
        ['d', 1, '2026-11-20T10:00:00.123Z'],
      ],
    )
    assert.deepEqual(
      body.failures.map(({id, error_code}: Record<string, unknown>) => [id, error_code]),
      [
        ['b', 400],
        ['c', 40402],
      ],
    )
    assert.equal(stored[0]!.value!.toString('base64'), '/wCA')
  })

  it('gives 200 to a batch that is stored whole', async () => {
    const {ask} = started()

    const {status, body} = await ask({...json({entries: [{id: 'a', value: null}]}), path: `${V3}:batch`})

    assert.deepEqual([status, body.failures], [200, []])
  })
})

describe('a bad request', () => {
  for (const {what, status, ...change} of hostile) {
    it(`gets ${status}: ${what}`, async () => {
      const {ask, stored} = started()

      const said = await ask(change)

      assert.deepEqual([said.status, stored], [status, []])
      const {error_code, message, failures, offsets} = said.body
      const code = error_code ?? failures?.[0].error_code ?? offsets[0].error_code
      assert.ok(String(code).startsWith(String(status)), `${code} ${message}`)
    })
  }

  it('gets 413 when it is too large, also when only its contents are', async () => {
    const {ask} = started()
    const large = JSON.stringify({records: [{value: 'x'.repeat(LARGEST_BODY)}]})
    const bomb = gzipSync(Buffer.alloc(50_000_000, 32)).toString('base64')

    assert.equal((await ask({body: large})).status, 413)
    assert.equal((await ask({body: bomb, isBase64Encoded: true, headers: {'content-encoding': 'gzip'}})).status, 413)
    assert.equal((await ask(json({records: Array(1001).fill({value: 1})}))).status, 413)
  })

  it('gets 400 when it is nested too deeply', async () => {
    const {ask} = started()
    const depth = 4000

    const {status} = await ask({body: `{"records":[{"value":${'['.repeat(depth)}${']'.repeat(depth)}}]}`})

    // As deep as the stack lets it, it is a value like any other.
    assert.ok([200, 400].includes(status), String(status))
  })
})

describe('a failure of Kafka', () => {
  const saying = async (error: Error) => {
    const {ask} = started(() => error)
    const {status, headers, body} = await ask(json({records: [{value: 1}]}))
    return [status, headers['retry-after'], body.offsets[0].error_code]
  }
  const ofBroker = (type: string) => Object.assign(new Error('no more retries'), {cause: Object.assign(new Error(type), {type})})

  it('is 503 with Retry-After, or 504 when nobody knows', async () => {
    assert.deepEqual(await saying(new Error('connection refused')), [503, '2', 503])
    assert.deepEqual(await saying(new OutcomeUnknownError('late')), [504, undefined, 504])
  })

  it('is told by its cause where the record or the topic is at fault', async () => {
    assert.deepEqual(await saying(ofBroker('MESSAGE_TOO_LARGE')), [413, undefined, 413])
    assert.deepEqual(await saying(ofBroker('INVALID_TIMESTAMP')), [400, undefined, 400])
    assert.deepEqual(await saying(new UnknownTopicError('gone')), [404, undefined, 40401])
    assert.deepEqual(await saying(ofBroker('constructor')), [503, '2', 503])
  })

  it('tells whoever asked nothing about brokers', async () => {
    const {ask} = started(() => new Error('connect ECONNREFUSED 10.0.0.7:9098'))

    const {body} = await ask(json({records: [{value: 1}]}))

    assert.doesNotMatch(JSON.stringify(body), /10\.0\.0\.7|ECONN/)
  })
})
