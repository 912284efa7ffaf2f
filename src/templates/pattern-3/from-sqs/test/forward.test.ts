import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {describe, it} from 'node:test'

import {type ForwardOptions, forward} from '../src/core/forward.ts'
import {PoisonError, recordOf} from '../src/core/incoming.ts'
import {keyOf} from '../src/core/key.ts'
import {incoming, type SqsEvent, type SqsRecord} from '../src/core/message.ts'
import {readSettings} from '../src/settings.ts'

const read = (name: string): SqsEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

const sqsMessage = (body: string, {group, queue = 'orders'}: {group?: string; queue?: string} = {}): SqsRecord => ({
  messageId: `id of ${body}`,
  body,
  attributes: {...(group && {MessageGroupId: group})},
  messageAttributes: {},
  eventSourceARN: `arn:aws:sqs:us-east-1:123456789012:${queue}`,
})

describe('a message of SQS', () => {
  const decoded = (name: string) =>
    read(name).Records.map((record) => {
      try {
        const {value} = incoming(record, {base64: false})
        return value && [...value]
      } catch (error) {
        assert.ok(error instanceof PoisonError)
        return error.message
      }
    })

  it('has the bytes that its attribute tells, or it is poison', () => {
    const [binary, bad, unknown, tombstone, empty, emoji] = decoded('hostile')

    assert.deepEqual(binary, [0xff, 0, 0x80])
    assert.deepEqual(
      [bad, unknown],
      ['the body is not base64', 'the attribute skk.encoding is not base64, empty, tombstone or text'],
    )
    assert.deepEqual([tombstone, empty], [null, []])
    assert.deepEqual(emoji, [...Buffer.from('😀 \0')])
  })

  it('is all base64 where that is set', () => {
    assert.deepEqual(incoming(sqsMessage('/wCA'), {base64: true}).value, Buffer.from([0xff, 0, 0x80]))
    for (const body of ['', '/wCA\n', '_wCA', '/wC', 'é'].filter((text) => text !== ''))
      assert.throws(() => incoming(sqsMessage(body), {base64: true}), PoisonError, body)
  })

  it('keeps attributes of any name and type', () => {
    const {attributes} = incoming(read('hostile').Records[5]!, {base64: false})

    assert.deepEqual(Object.entries(attributes), [
      ['__proto__', '1'],
      ['constructor', Buffer.from([0xff])],
      ['price', '1.50'],
    ])
  })
})

/** Kafka that takes everything but what `refuses` says, and what was stored and put aside. */
function world(options: Partial<ForwardOptions> & {refuses?(body: string): Error | 'too large' | undefined} = {}) {
  const {refuses = () => undefined, ...more} = options
  const stored: string[] = []
  const aside: string[] = []
  const failed: string[] = []
  const run = (messages: SqsRecord[]) =>
    forward(messages, {
      recordOf: (message) => {
        if (message.body.startsWith('bad')) throw new PoisonError('it is bad')
        return recordOf(incoming(message, {base64: false}), {topic: 'orders', format: 'bytes', keyOf: keyOf('auto')!})
      },
      publish: async (records) =>
        records.map(({value}) => {
          const refused = refuses(String(value))
          if (refused === undefined) stored.push(String(value))
          return refused ?? 'stored'
        }),
      putAside: async ({body}, {message}) => void aside.push(`${body}: ${message}`),
      onFailure: ({body}) => failed.push(body),
      ...more,
    })
  return {run, stored, aside, failed}
}

const named = (bodies: string[]) => bodies.map((body) => ({itemIdentifier: `id of ${body}`}))

describe('a batch of SQS', () => {
  it('names the messages that failed, and only those', async () => {
    const {run, stored, failed} = world({refuses: (body) => (body === 'b' ? new Error('away') : undefined)})

    const {response, counts} = await run(['a', 'b', 'c'].map((body) => sqsMessage(body)))

    assert.deepEqual(response, {batchItemFailures: named(['b'])})
    assert.deepEqual([stored, failed], [['a', 'c'], ['b']])
    assert.deepEqual(counts, {in: 3, ok: 2, poison: 0, left: 1})
  })

  it('puts poison aside with the reason, and what is too large for the topic', async () => {
    const {run, aside} = world({refuses: (body) => (body === 'large' ? 'too large' : undefined)})

    const {response, counts} = await run(['bad', 'large', 'good'].map((body) => sqsMessage(body)))

    assert.deepEqual(response, {batchItemFailures: []})
    assert.deepEqual(aside, ['bad: it is bad', 'large: larger than max.message.bytes of the topic'])
    assert.deepEqual(counts, {in: 3, ok: 1, poison: 2, left: 0})
  })

  it('brings poison again that could not be put aside', async () => {
    const putAside = () => Promise.reject(new Error('the queue is away'))
    const {run} = world({putAside, refuses: (body) => (body === 'large' ? 'too large' : undefined)})

    const {response} = await run(['bad', 'large', 'good'].map((body) => sqsMessage(body)))

    assert.deepEqual(response, {batchItemFailures: named(['bad', 'large'])})
  })

  it('does nothing of a group after the first that failed, where the queue keeps an order', async () => {
    const fifo = {queue: 'orders.fifo', group: 'a'}
    const other = {queue: 'orders.fifo', group: 'b'}
    const putAside = () => Promise.reject(new Error('the queue is away'))
    const {run, stored, failed} = world({putAside, refuses: (body) => (body === '4' ? new Error('away') : undefined)})
    const first = ['1', 'bad', '2'].map((body) => sqsMessage(body, fifo))
    const second = ['3', '4', '5'].map((body) => sqsMessage(body, other))

    const {response} = await run([...first, ...second])

    assert.deepEqual(response, {batchItemFailures: named(['bad', '2', '4', '5'])})
    assert.deepEqual(
      [stored, failed],
      [
        ['1', '3', '5'],
        ['bad', '4'],
      ],
    )
  })

  it('has nothing to ask Kafka where all is poison', async () => {
    const {run} = world({publish: () => Promise.reject(new Error('asked'))})

    assert.deepEqual((await run([sqsMessage('bad')])).response, {batchItemFailures: []})
  })
})

describe('the settings', () => {
  it('name all that is wrong at once', () => {
    const bad = {KEY_FROM: 'json:a..b', BODY: 'hex', FORMAT: 'xml'}

    assert.throws(() => readSettings(bad), /(?=.*SKK_BROKERS)(?=.*TOPIC)(?=.*KEY_FROM)(?=.*BODY)(?=.*FORMAT)/)
  })

  it('have defaults', () => {
    const {base64, target, queueUrl} = readSettings({SKK_BROKERS: 'b-1.example:9098', TOPIC: 'orders'})

    assert.deepEqual([base64, target.format, queueUrl], [false, 'bytes', ''])
  })
})
