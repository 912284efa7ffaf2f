import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {describe, it} from 'node:test'

import {circuitBreaker} from '../src/core/breaker.ts'
import {retryAfterMs, verdictOf} from '../src/core/outcome.ts'
import {placeholdersAreSafe, type RequestSettings, requestFor} from '../src/core/request.ts'
import {cachedSecret} from '../src/core/secret.ts'
import {type KafkaEvent, type KafkaRecord, PoisonError} from '../src/lib/batch.ts'
import {readSettings} from '../src/settings.ts'

const settings: RequestSettings = {endpoint: 'https://api.example.com/o', method: 'POST', headers: {}, body: 'raw'}
const eventOf = (name: string): KafkaEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))
const hostile: KafkaRecord[] = Object.values(eventOf('hostile').records).flat()
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('an answer', () => {
  it('is done, retried or poison by its status', () => {
    const by = (verdict: string) =>
      [200, 201, 204, 302, 307, 400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 503].filter(
        (status) => verdictOf(status) === verdict,
      )

    assert.deepEqual(by('ok'), [200, 201, 204])
    assert.deepEqual(by('retry'), [408, 425, 429, 500, 503])
    assert.deepEqual(by('unauthorized'), [401])
    assert.deepEqual(by('poison'), [302, 307, 400, 403, 404, 409, 422])
  })

  it('may say when to come again, in seconds or as a date', () => {
    const now = Date.parse('2026-11-20T10:00:00Z')

    assert.equal(retryAfterMs('3', now), 3000)
    assert.equal(retryAfterMs('Fri, 20 Nov 2026 10:00:05 GMT', now), 5000)
    assert.equal(retryAfterMs('Fri, 20 Nov 2026 09:00:00 GMT', now), 0)
    assert.deepEqual(
      [retryAfterMs(null, now), retryAfterMs('', now), retryAfterMs('soon', now)],
      [undefined, undefined, undefined],
    )
  })
})

describe('a request', () => {
  it('carries the bytes of the value and the place of the record', () => {
    const [record] = Object.values(eventOf('golden').records).flat()

    const {method, headers, body} = requestFor(record!, {...settings, method: 'PUT', headers: {'X-Team': 'orders'}})

    assert.equal(body.toString(), '{"order":1}')
    assert.deepEqual(
      [method, headers],
      ['PUT', {'content-type': 'application/octet-stream', 'x-team': 'orders', 'idempotency-key': '{{topic}}-0-41'}],
    )
  })

  it('is made of every hostile record without a change of host or path', () => {
    const isDots = ({key}: KafkaRecord) => key === base64('..')
    for (const record of hostile.filter((one) => one.key != null && !isDots(one))) {
      const {url} = requestFor(record, {...settings, endpoint: 'https://api.example.com/o/{key}/x?of={topic}'})
      const {host, pathname} = new URL(url)
      assert.equal(host, 'api.example.com')
      assert.match(pathname, /^\/o\/[^/]*\/x$/)
    }
  })

  it('says what is a tombstone, and keeps bytes that are no text', () => {
    const bodies = hostile
      .map((record) => requestFor(record, {...settings, body: 'json'}))
      .map(({body}) => JSON.parse(String(body)))

    assert.deepEqual(bodies[0].value, null)
    assert.equal(requestFor(hostile[0]!, settings).headers['kafka-tombstone'], 'true')
    assert.deepEqual(bodies.find(({offset}) => offset === 4_294_967_297).value, {base64: '/wCA'})
  })

  it('needs a key that can stand in its address, if it has a place there', () => {
    const keyless = hostile.find(({key}) => key == null)!
    const dots = hostile.find(({key}) => key === base64('..'))!

    for (const record of [keyless, dots])
      assert.throws(() => requestFor(record, {...settings, endpoint: 'https://api.example.com/{key}'}), PoisonError)
  })

  it('takes no host from a record', () => {
    assert.ok(placeholdersAreSafe('https://api.example.com/{topic}?p={partition}'))
    for (const bad of [
      'https://{key}/',
      'https://a.{topic}.com/',
      'https://u@example.com/',
      'https://example.com/{value}',
      '{key}',
    ])
      assert.ok(!placeholdersAreSafe(bad), bad)
  })
})

describe('the circuit breaker', () => {
  it('opens after failures in a row, lets one through after the pause, and closes when that works', () => {
    const breaker = circuitBreaker({failures: 2, pauseMs: 100})
    breaker.failed(0)
    breaker.succeeded()
    breaker.failed(0)
    assert.ok(breaker.allows(0))
    breaker.failed(0)
    assert.deepEqual([breaker.allows(99), breaker.isOpen(99)], [false, true])
    assert.deepEqual([breaker.allows(100), breaker.allows(101)], [true, false])
    breaker.succeeded()
    assert.deepEqual([breaker.allows(101), breaker.isOpen(101)], [true, false])
  })
})

describe('a secret', () => {
  it('is fetched once, and once more for all that were refused with it', async () => {
    let fetched = 0
    const secret = cachedSecret(async () => `v${++fetched}`)
    assert.deepEqual(await Promise.all([secret.current(), secret.current()]), ['v1', 'v1'])

    assert.deepEqual(await Promise.all([secret.renewed('v1'), secret.renewed('v1')]), ['v2', 'v2'])
    assert.deepEqual([await secret.current(), fetched], ['v2', 2])
  })

  it('is asked for again after a failure', async () => {
    let fetched = 0
    const secret = cachedSecret(async () => {
      if (++fetched === 1) throw new Error('throttled')
      return 'v'
    })

    await assert.rejects(secret.current(), /throttled/)
    assert.equal(await secret.current(), 'v')
  })
})

describe('the settings', () => {
  it('are complete with an endpoint and its host', () => {
    const {request, order, reports} = readSettings({ENDPOINT_URL: 'https://a.example/x', ALLOWED_HOSTS: 'a.example'})

    assert.deepEqual([request.endpoint, order, reports], ['https://a.example/x', 'partition', true])
  })

  it('refuse another host, plain HTTP beyond this machine, and a missing secret, all at once', () => {
    const bad = {ENDPOINT_URL: 'https://b.example/x', ALLOWED_HOSTS: 'a.example', AUTH: 'bearer', ORDER: 'any'}

    assert.throws(() => readSettings(bad), /(?=.*ALLOWED_HOSTS)(?=.*AUTH_SECRET_ID)(?=.*ORDER)/)
    assert.throws(() => readSettings({ENDPOINT_URL: 'http://a.example/x', ALLOWED_HOSTS: 'a.example'}), /https/)
    assert.throws(() => readSettings({}), /(?=.*ENDPOINT_URL)(?=.*ALLOWED_HOSTS)/)
  })
})
