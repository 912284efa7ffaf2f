import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {type Access, gate} from '../src/core/access.ts'
import {parseExact} from '../src/core/json.ts'
import {readSettings} from '../src/settings.ts'
import {eventOf} from './event.ts'

describe('JSON', () => {
  it('is written as it was read', () => {
    for (const text of ['12345678901234567890', '1.10', '-0', '1e400', '[{"a":null,"__proto__":1}]', '"\\u2028ä"'])
      assert.equal(JSON.stringify(parseExact(text)), text.replace('\\u2028', '\u2028'))
  })

  it('has numbers where a double holds them', () => {
    assert.deepEqual(parseExact('[1,-2,0.5]'), [1, -2, 0.5])
  })
})

describe('access', () => {
  const ask = (access: Access, change: {key?: string; authorizer?: object}, keys = async () => 'old-key new-key\n') => {
    const event = eventOf({headers: {'x-api-key': change.key ?? null}})
    event.requestContext.authorizer = change.authorizer ?? {}
    return gate(access, keys)(event)
  }
  const refused = (status: number) => (error: unknown) => (error as {status: number}).status === status

  it('needs the result of whoever decides it in front of the function', async () => {
    await ask('iam', {authorizer: {iam: {}}})
    await ask('jwt', {authorizer: {jwt: {}}})
    await ask('public', {})
    await assert.rejects(ask('iam', {}), refused(401))
    await assert.rejects(ask('jwt', {authorizer: {iam: {}}}), refused(401))
  })

  it('takes each key that there is, and no other', async () => {
    await ask('api-key', {key: 'old-key'})
    await ask('api-key', {key: 'new-key'})
    for (const key of ['', 'old-key new-key', 'old-ke', 'ä']) await assert.rejects(ask('api-key', {key}), refused(401))
    await assert.rejects(ask('api-key', {}), refused(401))
    await assert.rejects(
      ask('api-key', {key: ''}, async () => ''),
      refused(401),
    )
  })

  it('is 503 while the keys cannot be read, and reads them again', async () => {
    let reads = 0
    const keys = async () => {
      if (++reads === 1) throw new Error('throttled')
      return 'key'
    }
    const event = eventOf({headers: {'x-api-key': 'key'}})
    const allow = gate('api-key', keys)

    await assert.rejects(allow(event), refused(503))
    await allow(event)
    await allow(event)
    assert.equal(reads, 2)
  })

  it('knows a key that was changed after a minute', async () => {
    let [now, key] = [0, 'old']
    const allow = gate(
      'api-key',
      async () => key,
      () => now,
    )
    await allow(eventOf({headers: {'x-api-key': 'old'}}))
    key = 'new'

    await assert.rejects(allow(eventOf({headers: {'x-api-key': 'new'}})), refused(401))
    now = 60_000
    await allow(eventOf({headers: {'x-api-key': 'new'}}))
  })
})

describe('the settings', () => {
  const complete = {TOPICS: 'a,b', ACCESS: 'iam', SKK_BROKERS: 'b-1.example:9098'}

  it('are topics, access and brokers', () => {
    const {topics, access, kafka, largestBody} = readSettings(complete)

    assert.deepEqual([topics, access, kafka.auth, largestBody], [['a', 'b'], 'iam', 'iam', 1_000_000])
  })

  it('tell all that is wrong at once; nobody is let in because a setting is missing', () => {
    assert.throws(() => readSettings({TOPICS: 'a b'}), /(?=.*TOPICS)(?=.*ACCESS)(?=.*SKK_BROKERS)/)
    assert.throws(() => readSettings({...complete, ACCESS: 'none'}), /ACCESS/)
    assert.throws(() => readSettings({...complete, ACCESS: 'api-key'}), /API_KEY_SECRET_ID/)
  })
})
