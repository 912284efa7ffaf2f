import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {describe, it} from 'node:test'

import {type ForwardOptions, forward} from '../src/core/forward.ts'
import {PoisonError, recordOf} from '../src/core/incoming.ts'
import {keyOf} from '../src/core/key.ts'
import {incoming, type RmqEvent} from '../src/core/message.ts'
import {readSettings} from '../src/settings.ts'

const read = (name: string): RmqEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))
const messagesOf = (event: RmqEvent) => Object.values(event.rmqMessagesByQueue).flat()

const eventOf = (...bodies: string[]): RmqEvent => ({
  rmqMessagesByQueue: {
    'orders::/': bodies.map((body) => ({
      basicProperties: {},
      redelivered: false,
      data: Buffer.from(body).toString('base64'),
    })),
  },
})

describe('a message of RabbitMQ', () => {
  it('has its bytes, its headers and its properties', () => {
    const [first] = messagesOf(read('golden'))

    const {id, value, attributes, headers} = incoming(first!)

    assert.deepEqual([id, String(value)], ['m-1', '{"order":1}'])
    assert.deepEqual(attributes, {trace: Buffer.from('1'), attempt: '10'})
    assert.deepEqual(
      [headers['amqp.messageId'], headers['amqp.contentType'], headers['amqp.type']],
      ['m-1', 'application/json', undefined],
    )
  })

  it('keeps headers of any name and type', () => {
    const [binary, empty, deep, bare] = messagesOf(read('hostile')).map(incoming)

    assert.deepEqual(binary!.value, Buffer.from([0xff, 0, 0x80]))
    assert.deepEqual(Object.entries(binary!.attributes), [
      ['raw', Buffer.from([0xff, 0])],
      ['__proto__', Buffer.from('x')],
      ['constructor', 'true'],
      ['nothing', ''],
    ])
    assert.equal(empty!.value!.length, 0)
    assert.deepEqual(deep!.attributes, {
      list: '["a",1,{"deep":"b"}]',
      table: '{"bytes":"c","n":1.5}',
      bytes: Buffer.alloc(0),
    })
    assert.deepEqual(bare!.attributes, {})
  })
})

/** Kafka that takes everything but what `refuses` says, and what was stored and put aside. */
function world(options: Partial<ForwardOptions> & {refuses?(body: string): Error | 'too large' | undefined} = {}) {
  const {refuses = () => undefined, ...more} = options
  const stored: string[] = []
  const aside: string[] = []
  const run = (event: RmqEvent) =>
    forward(event, {
      recordOf: (message) => recordOf(incoming(message), {topic: 'orders', format: 'json', keyOf: keyOf('auto')!}),
      publish: async (records) =>
        records.map(({value}) => {
          const refused = refuses(String(value))
          if (refused === undefined) stored.push(String(value))
          return refused ?? 'stored'
        }),
      putAside: async ({queue, message}, {message: reason}) =>
        void aside.push(`${queue} ${Buffer.from(message.data, 'base64')}: ${reason}`),
      ...more,
    })
  return {run, stored, aside}
}

describe('an event of RabbitMQ', () => {
  it('is stored in its order, and poison is put aside with the reason', async () => {
    const {run, stored, aside} = world({refuses: (body) => (body === '2' ? 'too large' : undefined)})

    const {counts, failure} = await run(eventOf('1', 'bad', '2', '3'))

    assert.deepEqual([counts, failure], [{in: 4, ok: 2, poison: 2, left: 0}, undefined])
    assert.deepEqual(stored, ['1', '3'])
    assert.deepEqual(aside, ['orders::/ bad: the message is not JSON', 'orders::/ 2: larger than max.message.bytes of the topic'])
  })

  it('comes again as a whole when a part was not stored, and then nothing was put aside', async () => {
    const away = new Error('away')
    const {run, aside} = world({refuses: (body) => (body === '2' ? away : undefined)})

    const {counts, failure} = await run(eventOf('1', 'bad', '2'))

    assert.deepEqual([counts, failure, aside], [{in: 3, ok: 1, poison: 0, left: 2}, away, []])
  })

  it('comes again when poison could not be put aside', async () => {
    const full = new Error('the queue is away')
    const {run} = world({putAside: () => Promise.reject(full)})

    assert.equal((await run(eventOf('bad'))).failure, full)
  })

  it('does not call a mistake of ours poison', async () => {
    const recordOf = () => {
      throw new TypeError('a mistake')
    }

    await assert.rejects(world({recordOf}).run(eventOf('1')), TypeError)
    assert.equal(new PoisonError('x').name, 'PoisonError')
  })
})

describe('the settings', () => {
  it('name all that is wrong at once', () => {
    const bad = {KEY_FROM: 'json:a..b', FORMAT: 'xml'}

    assert.throws(() => readSettings(bad), /(?=.*SKK_BROKERS)(?=.*TOPIC)(?=.*KEY_FROM)(?=.*FORMAT)/)
  })
})
