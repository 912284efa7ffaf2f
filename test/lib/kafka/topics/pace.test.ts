import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {serverlessPace} from '../../../../src/lib/kafka/topics/pace.js'
import {virtualTime} from '../../../support/virtual-time.js'

async function times(requests: readonly number[]) {
  const time = virtualTime()
  const waits: number[] = []
  const pace = serverlessPace(time, (ms) => waits.push(ms))
  const sent: {at: number; partitions: number}[] = []
  await time.run(
    (async () => {
      for (const partitions of requests) {
        await pace.take(partitions)
        sent.push({at: time.now(), partitions})
      }
    })(),
  )
  return {sent, waits}
}

describe('the pace of changes of topics', () => {
  it('is 2 a second', async () => {
    const {sent} = await times([1, 1, 1, 1, 1])

    expect(sent.map(({at}) => at)).toEqual([0, 0, 1000, 1000, 2000])
  })

  it('is 250 partitions in five minutes, and a long wait is told', async () => {
    const {sent, waits} = await times([100, 100, 100])

    expect(sent.map(({at}) => at)).toEqual([0, 0, 300_000])
    expect(waits).toEqual([300_000])
  })

  it('sends what is larger than the quota when nothing else counts', async () => {
    const {sent} = await times([10, 300, 1])

    expect(sent.map(({at}) => at)).toEqual([0, 300_000, 600_000])
  })

  it('never exceeds either in any window', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({min: 0, max: 250}), {maxLength: 40}), async (requests) => {
        const {sent} = await times(requests)
        for (const {at} of sent) {
          const within = (ms: number) => sent.filter((one) => one.at > at - ms && one.at <= at)
          expect(within(1000).length).toBeLessThanOrEqual(2)
          expect(within(300_000).reduce((sum, one) => sum + one.partitions, 0)).toBeLessThanOrEqual(250)
        }
      }),
      {numRuns: 100},
    )
  })
})
