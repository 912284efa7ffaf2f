import {expect, it} from 'vitest'

import type {Mapping} from '../../src/lib/aws/mapping.js'
import {consumingSigns, lagOf} from '../../src/lib/esm-evidence.js'
import {commitReset, planReset} from '../../src/lib/kafka/groups/reset.js'
import {stack} from '../support/stack.js'
import {kafkaOf} from '../support/topic.js'
import {plaintext, work} from './kafka/cluster-fixture.js'

const mapping = {uuid: 'u', group: 'g', topic: 'orders', eventSourceArn: 'a', metrics: ['EventCount']} as unknown as Mapping

/** A stack with three records in one partition. */
async function filled() {
  const local = await stack()
  const {admin, producer} = await kafkaOf(local)
  await admin.createTopics({topics: [{topic: 'orders', numPartitions: 1}]})
  await producer.send({topic: 'orders', messages: [{value: 'a'}, {value: 'b'}, {value: 'c'}]})
  const target = plaintext(local)
  const commit = (offset: number) =>
    work(target, async (cluster) => {
      const plan = {goal: {kind: 'offset' as const, offset}, topics: ['orders'], partitions: null}
      await commitReset(cluster, 'g', await planReset(cluster, 'g', plan), target)
    })
  return {target, commit}
}

const signsOf = (target: ReturnType<typeof plaintext>, fresh: string[], heard: string[] = []) =>
  consumingSigns({kafka: async () => target, access: undefined, fresh, onBlind: (why) => heard.push(why)})

it('an offset is a sign that a mapping consumes, unless it was there before the mapping', async () => {
  const {target, commit} = await filled()
  await commit(1)
  const [fresh, known] = [await signsOf(target, ['g']), await signsOf(target, [])]

  expect([await fresh(mapping), await known(mapping)]).toEqual([undefined, 'an offset of its group'])

  await commit(2)
  expect(await fresh(mapping)).toBe('an offset of its group')
})

it('without a route to the brokers there is no sign, and that is said once', async () => {
  const heard: string[] = []
  const nowhere = {...plaintext({plaintextBootstrap: '127.0.0.1:1'}), timeoutMs: 1_000}
  const signs = await signsOf(nowhere, [], heard)

  expect([await signs(mapping), await signs(mapping)]).toEqual([undefined, undefined])
  expect(heard).toHaveLength(1)
})

it('lag is what the brokers say, and else why it is not known', async () => {
  const {target, commit} = await filled()

  expect(await lagOf(async () => target, undefined, mapping)).toEqual({
    records: null,
    reason: 'its group has committed nothing yet',
  })
  await commit(1)
  expect(await lagOf(async () => target, undefined, mapping)).toMatchObject({records: 2, source: 'brokers'})
  expect(await lagOf(() => Promise.reject(new Error('no route')), undefined, mapping)).toEqual({
    records: null,
    reason: 'no route',
  })
})
