import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {circuitBreaker} from '../src/core/breaker.ts'
import {type DeliveryOptions, deliver} from '../src/core/delivery.ts'
import {RetryableError} from '../src/core/outcome.ts'
import {cachedSecret} from '../src/core/secret.ts'
import {send} from '../src/http.ts'
import {PoisonError} from '../src/lib/batch.ts'
import {endpoint} from './endpoint.ts'

/** Real requests; pauses are remembered, not slept. */
function deliverTo(url: string, options: Partial<DeliveryOptions> = {}) {
  const pauses: number[] = []
  const request = {url, method: 'POST', headers: {'idempotency-key': 'orders-0-1'}, body: Buffer.from('x')}
  const attempts = deliver(request, {
    send,
    authorization: undefined,
    secret: cachedSecret(async () => 'unused'),
    breaker: circuitBreaker({failures: 100, pauseMs: 1000}),
    deadline: {remainingMs: () => 30_000, passed: () => false},
    timeoutMs: 10_000,
    maxAttempts: 5,
    sleep: async (ms) => pauses.push(ms),
    random: () => 1,
    now: () => 0,
    ...options,
  })
  return {attempts, pauses}
}

const statuses =
  (...list: number[]) =>
  (_: unknown, count: number) =>
    list[Math.min(count, list.length) - 1]

describe('deliver', () => {
  it('tries again until the endpoint takes it, with the same idempotency key', async (test) => {
    const {url, seen} = await endpoint(test, statuses(503, 503, 200))

    const {attempts, pauses} = deliverTo(url)

    assert.equal(await attempts, 3)
    assert.deepEqual(
      seen.map(({headers}) => headers['idempotency-key']),
      Array(3).fill('orders-0-1'),
    )
    assert.deepEqual(pauses, [200, 400])
  })

  it('gives up after its attempts, to be called again', async (test) => {
    const {url, seen} = await endpoint(test, statuses(500))

    await assert.rejects(deliverTo(url, {maxAttempts: 2}).attempts, RetryableError)
    assert.equal(seen.length, 2)
  })

  it('waits as long as the endpoint asks, unless that is too long', async (test) => {
    const asking = (seconds: string) =>
      endpoint(test, (_, count, response) => {
        response.setHeader('retry-after', seconds)
        return count === 1 ? 429 : 200
      })

    const patient = deliverTo((await asking('7')).url)
    assert.deepEqual([await patient.attempts, patient.pauses], [2, [7000]])
    await assert.rejects(deliverTo((await asking('31')).url).attempts, /no time/)
  })

  it('takes what the endpoint refuses for poison, and says why', async (test) => {
    const {url} = await endpoint(test, statuses(422))

    await assert.rejects(
      deliverTo(url).attempts,
      (error) => error instanceof PoisonError && /HTTP 422: no such/.test(error.message),
    )
  })

  it('follows no redirect', async (test) => {
    const inside = await endpoint(test, statuses(200))
    const {url} = await endpoint(test, (_, __, response) => {
      response.setHeader('location', inside.url)
      return 302
    })

    await assert.rejects(deliverTo(url).attempts, PoisonError)
    assert.equal(inside.seen.length, 0)
  })

  it('stops waiting for an endpoint that hangs', async (test) => {
    const {url} = await endpoint(test, (_, count) => (count === 1 ? undefined : 200))

    assert.ok((await deliverTo(url, {timeoutMs: 1000, maxAttempts: 10}).attempts) > 1)
  })

  it('says that it waited in vain', async (test) => {
    const {url} = await endpoint(test, () => undefined)

    await assert.rejects(deliverTo(url, {timeoutMs: 50, maxAttempts: 1}).attempts, /TimeoutError/)
  })

  it('asks for the secret once more when it is refused', async (test) => {
    const {url, seen} = await endpoint(test, ({headers}) => (headers.authorization === 'Bearer new' ? 200 : 401))
    const secrets = ['old', 'new', 'unused']
    const secret = cachedSecret(async () => secrets.shift()!)

    const {attempts} = deliverTo(url, {secret, authorization: (value) => `Bearer ${value}`})

    assert.equal(await attempts, 1)
    assert.deepEqual(
      seen.map(({headers}) => headers.authorization),
      ['Bearer old', 'Bearer new'],
    )
  })

  it('does not blame the record for a secret that stays wrong', async (test) => {
    const {url, seen} = await endpoint(test, statuses(401))

    await assert.rejects(deliverTo(url, {authorization: (value) => value}).attempts, RetryableError)
    assert.equal(seen.length, 2)
  })

  it('sends nothing while the breaker is open', async (test) => {
    const {url, seen} = await endpoint(test, statuses(500))
    const breaker = circuitBreaker({failures: 3, pauseMs: 1000})

    await assert.rejects(deliverTo(url, {breaker}).attempts, /circuit breaker/)
    await assert.rejects(deliverTo(url, {breaker}).attempts, /circuit breaker/)
    assert.equal(seen.length, 3)
  })

  it('keeps its connections', async (test) => {
    const {url, connections} = await endpoint(test, statuses(200))

    for (let i = 0; i < 20; i++) await deliverTo(url).attempts
    // One may still be on its way back when the next request needs one.
    assert.ok(connections() <= 2, `${connections()} connections`)
  })
})
