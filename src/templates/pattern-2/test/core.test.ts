import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {describe, it} from 'node:test'

import {changesOf, EventError} from '../src/core/invoke.ts'
import {messageOfChange, messageOfRow} from '../src/core/message.ts'
import {readSettings} from '../src/settings.ts'

const read = (name: string): unknown => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

describe('a row of the outbox', () => {
  const row = {
    id: 'i',
    aggregatetype: 'order',
    aggregateid: '7',
    type: 'Placed',
    payload: '{"a": 1}',
    headers: {tenant: 't', none: null},
  }

  it('becomes a message as of Debezium: topic by type, key by aggregate, its id in a header', () => {
    assert.deepEqual(messageOfRow(row, {prefix: 'outbox.event.', aggregates: ['order']}), {
      topic: 'outbox.event.order',
      key: Buffer.from('7'),
      value: Buffer.from('{"a": 1}'),
      headers: {tenant: 't', id: 'i', type: 'Placed'},
    })
    assert.equal(messageOfRow({...row, payload: null}, {prefix: '', aggregates: ['order']})?.value, null)
  })

  it('chooses no topic that is not named', () => {
    assert.equal(messageOfRow({...row, aggregatetype: '../x'}, {prefix: 'outbox.event.', aggregates: ['order']}), undefined)
  })
})

describe('changes of an event', () => {
  it('keep their rows as they were written', () => {
    const messages = changesOf(read('golden'), 'id').map((change) => messageOfChange(change, 'orders', {envelope: false}))

    assert.deepEqual(
      messages.map(({key, value, headers}) => [String(key), value && String(value), headers!['op']]),
      [
        ['1', '{"id": 1, "total": 12.50}', 'c'],
        ['1', '{"id": 1, "total": 13}', 'u'],
        ['1', null, 'd'],
      ],
    )
  })

  it('are read whatever is in the rows', () => {
    const changes = changesOf(read('hostile'), 'id')

    assert.deepEqual(
      changes.map(({key}) => key),
      ['😀', '12345678901234567890', "Robert'); DROP TABLE orders; --", ''],
    )
  })

  it('have an envelope around both rows, if one is wanted', () => {
    const [, update] = changesOf(read('golden'), 'id')

    const {value} = messageOfChange(update!, 'orders', {envelope: true})

    assert.deepEqual(JSON.parse(String(value)), {
      before: {id: 1, total: 12.5},
      after: {id: 1, total: 13},
      source: {connector: 'skk', schema: 'public', table: 'orders', txId: '7', ts_ms: 1795168800123},
      op: 'u',
      ts_ms: 1795168800123,
    })
    assert.match(String(value), /"total": 12.50/)
  })

  it('are refused where they are none', () => {
    const change = {op: 'INSERT', schema: 's', table: 't', id: 'i', atMs: 1, before: null, after: '{"id": 1}'}
    for (const bad of [
      null,
      'x',
      {changes: 1},
      {...change, op: 'TRUNCATE'},
      {...change, after: '{'},
      {...change, after: {id: 1}},
      {...change, after: '{"x":1}'},
      {...change, op: 'DELETE'},
    ])
      assert.throws(() => changesOf(bad, 'id'), EventError, JSON.stringify(bad))
  })
})

describe('the settings', () => {
  const common = {SKK_BROKERS: 'b-1.example:9098', DB_HOST: 'db.example.com', DB_NAME: 'app', DB_SECRET_ID: 's'}

  it('are those of the mode', () => {
    const outbox = readSettings({...common, AGGREGATES: 'order,customer'})
    assert.ok(outbox.mode === 'outbox')
    assert.deepEqual([outbox.outbox.aggregates, outbox.outbox.order, outbox.loopMs], [['order', 'customer'], 'strict', 0])
    const invoke = readSettings({SKK_BROKERS: 'b-1.example:9098', MODE: 'invoke', TOPIC: 'orders'})
    assert.ok(invoke.mode === 'invoke')
    assert.equal(invoke.keyColumn, 'id')
  })

  it('name all that is wrong at once', () => {
    assert.throws(() => readSettings({MODE: 'query'}), /(?=.*SKK_BROKERS)(?=.*DB_HOST)(?=.*QUERY_TABLE)(?=.*TOPIC)/)
  })
})
