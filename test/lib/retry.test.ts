import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {delayBefore, patient, retry} from '../../src/lib/retry.js'

const policy = {attempts: 4, firstDelayMs: 100, maxDelayMs: 1_000}

function failing(times: number, error = new Error('busy')) {
  const slept: number[] = []
  const attempts: number[] = []
  const operation = async (attempt: number) => {
    attempts.push(attempt)
    if (attempt <= times) throw error
    return 'done'
  }
  const world = {random: () => 1, sleep: async (ms: number) => void slept.push(ms)}
  return {slept, attempts, run: (isTransient = () => true) => retry(operation, isTransient, policy, world)}
}

describe('retry', () => {
  it('gives the result of the first attempt that works, sleeping longer before each', async () => {
    const {run, slept, attempts} = failing(3)

    expect(await run()).toBe('done')
    expect(attempts).toEqual([1, 2, 3, 4])
    expect(slept).toEqual([100, 200, 400])
  })

  it('throws the last failure when the attempts are spent', async () => {
    const {run, attempts} = failing(9)

    await expect(run()).rejects.toThrow('busy')
    expect(attempts).toHaveLength(4)
  })

  it('does not try again what is not transient', async () => {
    const {run, slept} = failing(1)

    await expect(run(() => false)).rejects.toThrow('busy')
    expect(slept).toEqual([])
  })
})

it('a delay lies between zero and the ceiling, which doubles up to its maximum', () => {
  fc.assert(
    fc.property(fc.integer({min: 1, max: 40}), fc.double({min: 0, max: 1, noNaN: true, maxExcluded: true}), (count, chance) => {
      const ceiling = Math.min(patient.maxDelayMs, patient.firstDelayMs * 2 ** (count - 1))
      const delay = delayBefore(count, patient, () => chance)
      return Number.isInteger(delay) && delay >= 0 && delay < ceiling
    }),
  )
})
