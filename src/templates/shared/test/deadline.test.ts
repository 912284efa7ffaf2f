import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {deadlineOf} from '../../src/lib/deadline.ts'

describe('deadlineOf', () => {
  it('keeps a tenth of the time for the answer, and two seconds at least', () => {
    let left = 60_000
    const context = {getRemainingTimeInMillis: () => left}
    const long = deadlineOf(context)
    assert.equal(long.remainingMs(), 54_000)

    left = 5000
    assert.deepEqual([long.passed(), deadlineOf(context).remainingMs()], [true, 3000])
  })
})
