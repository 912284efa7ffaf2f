import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {type DeliverOptions, deliver, ReturnedError} from '../src/core/deliver.ts'
import {publicationOf, type Routing} from '../src/core/publication.ts'
import {type KafkaRecord, PoisonError} from '../src/lib/batch.ts'
import {readSettings} from '../src/settings.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const record = (more: Partial<KafkaRecord> = {}): KafkaRecord => ({
  topic: 'orders',
  partition: 1,
  offset: 42,
  timestamp: 1795168800123,
  timestampType: 'CREATE_TIME',
  key: base64('k'),
  value: base64('v'),
  headers: [],
  ...more,
})
const fixed: Routing = {exchange: '', routingKey: 'queue', from: 'fixed'}

describe('the message of a record', () => {
  it('has its bytes, and where it comes from beside them', () => {
    const headers: KafkaRecord['headers'] = [{trace: [49]}, {raw: [255]}, {trace: [50]}]

    assert.deepEqual(publicationOf(record({headers}), fixed), {
      exchange: '',
      routingKey: 'queue',
      content: Buffer.from('v'),
      properties: {
        messageId: 'orders-1-42',
        timestamp: 1795168800,
        headers: {
          trace: ['1', '2'],
          raw: Buffer.from([255]),
          'kafka.topic': 'orders',
          'kafka.partition': 1,
          'kafka.offset': '42',
          'kafka.key': 'k',
        },
      },
    })
  })

  it('tells a tombstone from an empty value, and no key from an empty one', () => {
    const {content, properties} = publicationOf(record({value: null, key: null}), fixed)
    assert.deepEqual([content.length, properties.headers['kafka.tombstone']], [0, true])
    assert.equal('kafka.key' in properties.headers, false)

    const empty = publicationOf(record({value: '', key: ''}), fixed).properties.headers
    assert.deepEqual([empty['kafka.tombstone'], empty['kafka.key']], [undefined, ''])
  })

  it('keeps headers of any name, and lets none say where it comes from', () => {
    const headers: KafkaRecord['headers'] = JSON.parse('[{"__proto__":[49]},{"kafka.topic":[49]}]')

    const {'kafka.topic': topic, ...others} = publicationOf(record({headers}), fixed).properties.headers

    assert.equal(topic, 'orders')
    assert.ok(Object.hasOwn(others, '__proto__'))
  })

  it('goes where the record says, if that is wanted', () => {
    const keyOf = (routing: Partial<Routing>, more: Partial<KafkaRecord> = {}) =>
      publicationOf(record(more), {...fixed, ...routing}).routingKey

    assert.equal(keyOf({from: 'topic'}), 'orders')
    assert.equal(keyOf({from: 'key'}), 'k')
    assert.equal(keyOf({from: 'key'}, {key: null}), 'queue')
    for (const key of ['/wCA', base64('x'.repeat(256))]) assert.throws(() => keyOf({from: 'key'}, {key}), PoisonError)
  })

  it('has a short id, whatever the topic is called', () => {
    assert.match(publicationOf(record({topic: 'x'.repeat(249), offset: 123_456}), fixed).properties.messageId, /^[0-9a-f]{64}$/)
  })
})

describe('delivery', () => {
  const publication = publicationOf(record(), fixed)
  const options = (outcomes: (Error | undefined)[], more: Partial<DeliverOptions> = {}): DeliverOptions & {pauses: number[]} => {
    const pauses: number[] = []
    return {
      publish: async () => {
        const outcome = outcomes.shift()
        if (outcome) throw outcome
      },
      deadline: {remainingMs: () => 60_000, passed: () => false},
      maxAttempts: 3,
      sleep: async (ms) => void pauses.push(ms),
      random: () => 1,
      pauses,
      ...more,
    }
  }
  const away = () => new Error('connection refused')

  it('tries again with growing pauses while RabbitMQ is away', async () => {
    const trying = options([away(), away(), undefined])

    await deliver(publication, 'fixed', trying)

    assert.deepEqual(trying.pauses, [200, 400])
  })

  it('gives up after so many attempts, or without time for another', async () => {
    await assert.rejects(deliver(publication, 'fixed', options([away(), away(), away()])), /refused, after 3 attempts/)
    const deadline = {remainingMs: () => 100, passed: () => false}
    await assert.rejects(deliver(publication, 'fixed', options([away()], {deadline})), /after 1 attempts/)
  })

  it('takes a message that was given back for poison only where the record chose its way', async () => {
    const returned = () => options([new ReturnedError('no queue')])

    await assert.rejects(deliver(publication, 'key', returned()), PoisonError)
    await assert.rejects(deliver(publication, 'fixed', returned()), ReturnedError)
  })

  it('tries poison once', async () => {
    const trying = options([new PoisonError('too long'), undefined])

    await assert.rejects(deliver(publication, 'fixed', trying), PoisonError)
    assert.deepEqual(trying.pauses, [])
  })
})

describe('the settings', () => {
  it('are for TLS and a secret, except on this machine', () => {
    const of = (AMQP_HOST: string) => readSettings({AMQP_HOST, AMQP_SECRET_ID: 's'}).amqp

    const [there, here] = [of('b-1.mq.example.com'), of('127.0.0.1')]
    assert.deepEqual([there.tls, there.port, there.auth], [true, 5671, 'secret'])
    assert.deepEqual([here.tls, here.port, here.auth], [false, 5672, 'guest'])
    assert.throws(() => readSettings({AMQP_HOST: 'b-1.mq.example.com', AMQP_TLS: 'false', AMQP_SECRET_ID: 's'}), /this machine/)
  })

  it('name all that is wrong at once', () => {
    assert.throws(
      () => readSettings({FORMAT: 'xml', ROUTING_KEY_FROM: 'header'}),
      /(?=.*AMQP_HOST)(?=.*FORMAT)(?=.*ROUTING_KEY_FROM)/,
    )
  })
})
