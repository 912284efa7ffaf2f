import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {call} from '../../../src/lib/esm/call.js'
import {createPace} from '../../../src/lib/esm/pace.js'
import {virtualTime} from '../../support/virtual-time.js'

/** Lambda's side: a bucket that says 429, and 50 ms for each answer. */
function limited(
  time: ReturnType<typeof virtualTime>,
  {rate, burst, retryAfter}: {rate: number; burst: number; retryAfter?: string},
) {
  let [tokens, filledAt] = [burst, 0]
  const counts = {taken: 0, refused: 0, lastTaken: 0, inFlight: 0, most: 0}
  const send = async (): Promise<void> => {
    tokens = Math.min(burst, tokens + ((time.now() - filledAt) / 1000) * rate)
    filledAt = time.now()
    const ok = tokens >= 1
    if (ok) tokens -= 1
    counts.inFlight += 1
    counts.most = Math.max(counts.most, counts.inFlight)
    await time.sleep(50)
    counts.inFlight -= 1
    if (ok) {
      counts.taken += 1
      counts.lastTaken = time.now()
      return
    }
    counts.refused += 1
    throw Object.assign(new Error('Rate exceeded'), {
      name: 'TooManyRequestsException',
      $metadata: {httpStatusCode: 429},
      ...(retryAfter && {retryAfterSeconds: retryAfter}),
    })
  }
  return {counts, send}
}

async function creates(
  count: number,
  limit: {rate: number; burst: number; retryAfter?: string},
  random = Math.random,
  workers = 6,
) {
  const time = virtualTime()
  const {counts, send} = limited(time, limit)
  const conduct = {clock: time, random, pace: createPace({clock: time}), retry: true, deadline: 900_000}
  let left = count
  const worker = async () => {
    while (left-- > 0) await call({verb: 'create', send}, conduct)
  }
  await time.run(Promise.all(Array.from({length: workers}, worker)))
  return {...counts, seconds: counts.lastTaken / 1000, pace: conduct.pace}
}

describe('64 creates', () => {
  it.each([undefined, '1'])(
    'at a limit of 5 a second, Retry-After %s: all are taken, at most 3 are refused',
    async (retryAfter) => {
      await fc.assert(
        fc.asyncProperty(fc.noShrink(fc.integer()), async (seed) => {
          const random = chance(seed)
          const {taken, refused, seconds} = await creates(64, {rate: 5, burst: 5, ...(retryAfter && {retryAfter})}, random)
          expect(taken).toBe(64)
          expect(refused).toBeLessThanOrEqual(3)
          expect(seconds).toBeLessThanOrEqual(1.15 * (64 / 5))
        }),
        {numRuns: 50},
      )
    },
  )

  it('at the 15 a second of AWS are never refused', async () => {
    expect(await creates(64, {rate: 15, burst: 15})).toMatchObject({taken: 64, refused: 0})
  })

  it('at half a second each all end, too', async () => {
    const {taken, refused} = await creates(64, {rate: 0.5, burst: 1})

    expect(taken).toBe(64)
    expect(refused).toBeLessThan(64)
  })
})

describe('pace', () => {
  it('never exceeds its burst and its rate', async () => {
    const time = virtualTime()
    const pace = createPace({clock: time, rate: 5, burst: 5})
    const at: number[] = []

    await time.run(Promise.all(Array.from({length: 30}, () => pace.take().then(() => at.push(time.now())))))

    expect(at.filter((ms) => ms === 0)).toHaveLength(5)
    expect(at.at(-1)).toBeGreaterThanOrEqual(5_000)
    expect(at.at(-1)).toBeLessThan(5_100)
  })

  it('halves once for the throttles of one moment, and grows again with successes up to its ceiling', () => {
    let now = 0
    const pace = createPace({clock: {now: () => now, sleep: async () => {}}, rate: 8, ceiling: 10})

    for (let i = 0; i < 6; i++) pace.throttled()
    expect(pace.rate).toBe(4)
    expect(pace.throttles).toBe(6)
    now += 2_000
    pace.throttled()
    expect(pace.rate).toBe(2)
    for (let i = 0; i < 2_000; i++) pace.succeeded()
    expect(pace.rate).toBe(10)
  })

  it('never falls below its floor', () => {
    let now = 0
    const pace = createPace({clock: {now: () => now, sleep: async () => {}}, floor: 0.5})

    for (let i = 0; i < 50; i++) {
      now += 2_000
      pace.throttled()
    }

    expect(pace.rate).toBe(0.5)
  })

  it('lets nobody through before Retry-After is over', async () => {
    const time = virtualTime()
    const pace = createPace({clock: time})
    pace.throttled(7_000)

    await time.run(pace.take())

    expect(time.now()).toBeGreaterThanOrEqual(7_000)
  })
})

/** Mulberry32: the same numbers for the same seed. */
function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
