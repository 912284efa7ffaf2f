import {describe, expect, it} from 'vitest'

import {applyTopics} from '../../../../src/lib/kafka/topics/apply.js'
import {serverlessPace} from '../../../../src/lib/kafka/topics/pace.js'
import {planTopics} from '../../../../src/lib/kafka/topics/plan.js'
import {readTopics} from '../../../../src/lib/kafka/topics/read.js'
import {stack} from '../../../support/stack.js'
import {plaintext, work} from '../cluster-fixture.js'

/** Time that passes only while somebody sleeps. */
function jumpingClock() {
  let now = 0
  return {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms
    },
  }
}

describe('applying a plan of topics', () => {
  it('keeps to the quotas of MSK Serverless, and widens in steps what is larger than they are', async () => {
    const kafka = plaintext(await stack())
    const clock = jumpingClock()
    const declared = [
      {name: 'a', partitions: 300, config: {}},
      {name: 'b', partitions: 201, config: {}},
    ]

    const {results, there} = await work(kafka, async (cluster) => {
      const steps = planTopics(declared, await readTopics(cluster), {serverless: true})
      const world = {cluster, kafka, serverless: true, pace: serverlessPace(clock), clock}
      return {results: await applyTopics(steps, world), there: await readTopics(cluster)}
    })

    expect(results.map(({status}) => status)).toEqual(['created', 'created'])
    expect(there.map(({name, partitions}) => [name, partitions])).toEqual([
      ['a', 300],
      ['b', 201],
    ])
    // 250 at once, 50 after five minutes, and 201 when those 50 no longer count.
    expect(clock.now()).toBe(600_000)
  })
})
