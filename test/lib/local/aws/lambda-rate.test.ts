import {expect, it} from 'vitest'

import {rateLimit} from '../../../../src/lib/local/aws/lambda-rate.js'

/** How many of `calls` at once get through. */
function passing(limit: () => void, calls: number): number {
  let passed = 0
  for (let call = 0; call < calls; call++) {
    try {
      limit()
      passed++
    } catch {}
  }
  return passed
}

it("lets one second's worth through at once, then the rate, and never saves up more", () => {
  let now = 0
  const limit = rateLimit(5, () => now)

  expect(passing(limit, 20)).toBe(5)
  now = 200
  expect(passing(limit, 20)).toBe(1)
  now = 100_000
  expect(passing(limit, 20)).toBe(5)
})

it('says when to come back, in whole seconds', () => {
  const limit = rateLimit(0.25, () => 0)
  limit()

  expect(limit).toThrow(expect.objectContaining({status: 429, headers: {'retry-after': '4'}}))
})
