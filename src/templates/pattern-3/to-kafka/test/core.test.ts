import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {type Incoming, PoisonError, recordOf} from '../src/core/incoming.ts'
import {keyOf} from '../src/core/key.ts'

const message = (value: string | null, more: Partial<Incoming> = {}): Incoming => ({
  id: 'm-1',
  group: undefined,
  value: value === null ? null : Buffer.from(value),
  attributes: {},
  headers: {},
  ...more,
})

const keyOfText = (from: string, incoming: Incoming): string | null => keyOf(from)!(incoming)?.toString() ?? null

describe('the key', () => {
  it('is the group where there is one, unless something else is wanted', () => {
    assert.equal(keyOfText('auto', message('x', {group: 'g'})), 'g')
    assert.equal(keyOfText('auto', message('x')), null)
    assert.equal(keyOfText('none', message('x', {group: 'g'})), null)
    assert.equal(keyOfText('message-id', message('x')), 'm-1')
  })

  it('is what an attribute says, byte for byte', () => {
    const attributes = {trace: 't', raw: Buffer.from([0xff, 0])}

    assert.equal(keyOfText('attribute:trace', message('x', {attributes})), 't')
    assert.deepEqual(keyOf('attribute:raw')!(message('x', {attributes})), Buffer.from([0xff, 0]))
    assert.equal(keyOfText('attribute:constructor', message('x', {attributes})), null)
  })

  it('is found in JSON by a path', () => {
    assert.equal(keyOfText('json:customer.id', message('{"customer":{"id":7}}')), '7')
    assert.equal(keyOfText('json:items[0]."the id"', message('{"items":[{"the id":"a:b"}]}')), 'a:b')
    assert.equal(keyOfText('json:customer.id', message('{"customer":null}')), null)
    assert.equal(keyOfText('json:id', message(null)), null)
    for (const bad of ['{', '{"id":{}}', '{"id":[1]}']) assert.throws(() => keyOf('json:id')!(message(bad)), PoisonError, bad)
  })

  it('is not made of what nobody knows', () => {
    for (const from of ['', 'attribute:', 'attribute', 'json:a..b', 'json:', 'toString', 'group:x'])
      assert.equal(keyOf(from), undefined, from)
  })
})

describe('the record of a message', () => {
  const target = {topic: 'orders', format: 'bytes', keyOf: keyOf('auto')!} as const

  it('has what was beside the message in its headers', () => {
    const attributes = {trace: 't', raw: Buffer.from([0xff])}
    const incoming = message('v', {group: 'g', attributes, headers: {'sqs.messageId': 'm-1', 'sqs.sequenceNumber': undefined}})

    assert.deepEqual(recordOf(incoming, target), {
      topic: 'orders',
      key: Buffer.from('g'),
      value: Buffer.from('v'),
      headers: {trace: 't', raw: Buffer.from([0xff]), 'sqs.messageId': 'm-1'},
    })
  })

  it('lets nobody say who the message is', () => {
    const incoming = message('v', {attributes: {'sqs.messageId': 'another'}, headers: {'sqs.messageId': 'm-1'}})

    assert.deepEqual(recordOf(incoming, target).headers, {'sqs.messageId': 'm-1'})
  })

  it('has to be in the format', () => {
    const json = {...target, format: 'json'} as const

    assert.equal(recordOf(message(null), json).value, null)
    assert.equal(String(recordOf(message('{"a":1}'), json).value), '{"a":1}')
    for (const bad of ['', '{', 'x']) assert.throws(() => recordOf(message(bad), json), PoisonError, bad)
    assert.throws(() => recordOf({...message(''), value: Buffer.from([0xff])}, json), PoisonError)
  })
})
