import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'

import {batches, type EntryError, type Result} from '../src/core/batches.ts'
import {bytesOf, groupOf, messageOf, pointerMessage} from '../src/core/message.ts'
import type {KafkaRecord} from '../src/lib/batch.ts'
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
const text = (StringValue: string) => ({DataType: 'String', StringValue})

describe('the message of a record', () => {
  it('is the text, with where it comes from beside it', () => {
    assert.deepEqual(messageOf(record({headers: [{trace: [49]}, {raw: [255]}]})), {
      body: 'v',
      attributes: {
        trace: text('1'),
        raw: {DataType: 'Binary', BinaryValue: Buffer.from([255])},
        'kafka.id': text('orders-1-42'),
        'kafka.timestamp': text('1795168800123'),
        'kafka.key': text('k'),
      },
      group: 'k',
      id: 'orders-1-42',
    })
  })

  it('says how bytes are in it that SQS does not take', () => {
    const bodies = [null, '', '/wCA', base64('a\0b'), base64('a\uFFFEb'), base64('\uFEFF😀\t')].map((value) => {
      const {body, attributes} = messageOf(record({value}))
      return [body, (attributes['skk.encoding'] as {StringValue: string} | undefined)?.StringValue]
    })

    assert.deepEqual(bodies, [
      ['null', 'tombstone'],
      ['-', 'empty'],
      ['/wCA', 'base64'],
      [base64('a\0b'), 'base64'],
      [base64('a\uFFFEb'), 'base64'],
      ['\uFEFF😀\t', undefined],
    ])
  })

  it('has all headers in one attribute where they cannot have one each', () => {
    const many = Array.from({length: 8}, (_, n) => ({[`h${n}`]: [n]}))
    for (const headers of [
      many,
      [{twice: [1]}, {twice: [2]}],
      [{'no name': [1]}],
      [{'AWS.x': [1]}],
      [{'kafka.id': [1]}],
      [{'a..b': [1]}],
      [{empty: []}],
    ]) {
      const {attributes} = messageOf(record({headers}))
      const all = JSON.parse((attributes['kafka.headers'] as {StringValue: string}).StringValue)
      const expected = headers
        .flatMap((one) => Object.entries(one))
        .map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')])
      assert.deepEqual(all, expected)
      assert.ok(Object.keys(attributes).length <= 10)
    }
  })

  it('has the group of its key, or of its partition without one', () => {
    assert.equal(groupOf(record({key: null})), 'orders-1')
    assert.match(groupOf(record({key: base64('ä')})), /^[0-9a-f]{64}$/)
    assert.match(groupOf(record({key: ''})), /^[0-9a-f]{64}$/)
    assert.match(groupOf(record({key: base64('x'.repeat(129))})), /^[0-9a-f]{64}$/)
    assert.match(messageOf(record({topic: 'x'.repeat(200)})).id, /^[0-9a-f]{64}$/)
  })

  it('is a pointer where it is too large', () => {
    const large = messageOf(record({value: base64('x'.repeat(2_000_000)), headers: [{trace: [49]}]}))
    assert.ok(bytesOf(large) > 2_000_000)

    const pointer = pointerMessage(large, {bucket: 'b', key: 'k'})

    assert.deepEqual(JSON.parse(pointer.body), {stored: {bucket: 'b', key: 'k'}})
    assert.deepEqual(pointer.attributes['skk.encoding'], text('stored'))
    assert.deepEqual([pointer.group, pointer.id], [large.group, large.id])
  })
})

describe('batches', () => {
  const ok = (entries: readonly unknown[]): Result[] => entries.map(() => ({ok: true}))

  it('hold ten messages, and one MiB', async () => {
    const sent: number[] = []
    const send = batches<number>(async (entries) => {
      sent.push(entries.length)
      return ok(entries)
    })

    await Promise.all(Array.from({length: 25}, (_, n) => send(n, 1)))
    await Promise.all([600_000, 400_000, 100_000].map((bytes) => send(0, bytes)))

    assert.deepEqual(sent, [10, 10, 5, 2, 1])
  })

  it('tell each what became of it', async () => {
    const send = batches<string>(async (entries) =>
      entries.map((entry) =>
        entry === 'good' ? {ok: true} : {ok: false, code: 'InvalidMessageContents', message: entry, senderFault: entry === 'bad'},
      ),
    )

    const outcomes = await Promise.allSettled(['good', 'bad', 'busy'].map((entry) => send(entry, 1)))

    const faults = outcomes.map((one) => one.status === 'rejected' && (one.reason as EntryError).senderFault)
    assert.deepEqual(faults, [false, true, false])
    assert.deepEqual(
      outcomes.map(({status}) => status),
      ['fulfilled', 'rejected', 'rejected'],
    )
  })

  it('fail as a whole when the call does, and go on after that', async () => {
    let away = true
    const send = batches<string>(async (entries) => {
      await sleep(1)
      if (away) throw new Error('away')
      return ok(entries)
    })

    const outcomes = await Promise.allSettled([send('a', 1), send('b', 1)])
    away = false

    assert.deepEqual(
      outcomes.map(({status}) => status),
      ['rejected', 'rejected'],
    )
    await send('a', 1)
  })
})

describe('the settings', () => {
  it('keep the order of a queue that has one', () => {
    const orderOf = (QUEUE_URL: string) => readSettings({QUEUE_URL}).order

    assert.deepEqual(['https://sqs/1/orders', 'https://sqs/1/orders.fifo'].map(orderOf), ['none', 'key'])
  })

  it('name all that is wrong at once', () => {
    assert.throws(() => readSettings({FORMAT: 'xml', CONCURRENCY: '0'}), /(?=.*QUEUE_URL)(?=.*FORMAT)(?=.*CONCURRENCY)/)
  })
})
