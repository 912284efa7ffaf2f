import {describe, expect, it} from 'vitest'

import {applyTopics} from '../../../../src/lib/kafka/topics/apply.js'
import {serverlessPace, unpaced} from '../../../../src/lib/kafka/topics/pace.js'
import {planTopics} from '../../../../src/lib/kafka/topics/plan.js'
import {readTopics} from '../../../../src/lib/kafka/topics/read.js'
import {readFaultRule} from '../../../../src/lib/local/kafka/fault-rule.js'
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

  it.each([
    ['CreateTopics', 5],
    ['CreatePartitions', 5],
  ])('goes on with %s when the cluster has asked to slow down', async (api, times) => {
    const local = await stack()
    const kafka = plaintext(local)
    const clock = jumpingClock()
    local.faults.add(readFaultRule({action: 'error', api, errorCode: 89, times}))

    const results = await work(kafka, async (cluster) => {
      const world = {cluster, kafka, serverless: true, pace: unpaced, clock}
      const apply = async (partitions: number) =>
        applyTopics(planTopics([{name: 'a', partitions, config: {}}], await readTopics(cluster), {serverless: true}), world)
      return [...(await apply(1)), ...(await apply(2))]
    })

    expect(results.map(({status, error}) => [status, error])).toEqual([
      ['created', undefined],
      ['altered', undefined],
    ])
    expect(local.faults.list()[0]!.hits).toBe(times)
  })

  it('gives up after ten minutes of that, and does the others', async () => {
    const local = await stack()
    const kafka = plaintext(local)
    const clock = jumpingClock()
    local.faults.add(readFaultRule({action: 'error', api: 'CreateTopics', topic: 'a', errorCode: 89}))

    const results = await work(kafka, (cluster) => {
      const declared = ['a', 'b'].map((name) => ({name, config: {}}))
      return applyTopics(planTopics(declared, [], {serverless: true}), {cluster, kafka, serverless: true, pace: unpaced, clock})
    })

    expect(results).toMatchObject([{status: 'failed', error: {code: 'THROTTLED', exitCode: 5}}, {status: 'created'}])
    expect(clock.now()).toBeGreaterThanOrEqual(600_000)
    expect(clock.now()).toBeLessThan(700_000)
  })
})
