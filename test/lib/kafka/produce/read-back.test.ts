import {expect, it} from 'vitest'

import {EvidenceGoneError} from '../../../../src/lib/kafka/produce/lane.js'
import {readBack} from '../../../../src/lib/kafka/produce/read-back.js'
import {requireTopic} from '../../../../src/lib/kafka/topics.js'
import {readFaultRule} from '../../../../src/lib/local/kafka/fault-rule.js'
import {stack} from '../../../support/stack.js'
import {kafkaOf, makeTopic} from '../../../support/topic.js'
import {plaintext, work} from '../cluster-fixture.js'
import {numbers, produceText, TOPIC, valuesOf} from '../records-fixture.js'

it('what retention has taken matters only where the batch is not found behind it', async () => {
  // Only this profile has DeleteRecords, which is retention without a wait.
  const local = await stack({apiProfile: 'wide'})
  await makeTopic(local, TOPIC)
  const {admin} = await kafkaOf(local)

  await work(plaintext(local), async (cluster) => {
    for (const value of ['before', 'sent']) await produceText(cluster, `${value}\n`)
    // kafkajs deletes only what it has looked at.
    await admin.fetchTopicOffsets(TOPIC)
    await admin.deleteTopicRecords({topic: TOPIC, partitions: [{partition: 0, offset: '1'}]})
    await requireTopic(cluster, TOPIC)
    const look = (offset: number) =>
      readBack(
        cluster,
        {topic: TOPIC, partition: 0, from: 0, deadline: Date.now() + 20_000},
        ({baseOffset}) => baseOffset === offset,
      )

    expect(await look(1)).toBe(1)
    await expect(look(0)).rejects.toThrow(EvidenceGoneError)
  })
})

it('an answer that is lost is asked for again, over another connection', async () => {
  const local = await stack()
  await makeTopic(local, TOPIC)

  await work({...plaintext(local), timeoutMs: 500}, async (cluster) => {
    await produceText(cluster, 'sent\n')
    await requireTopic(cluster, TOPIC)
    for (const api of ['ListOffsets', 'Fetch', 'Metadata']) {
      local.faults.add(readFaultRule({api, action: 'drop', when: 'after', times: 1}))
    }
    const options = {topic: TOPIC, partition: 0, from: 0, deadline: Date.now() + 8_000, requestTimeoutMs: 200}

    expect(await readBack(cluster, options, ({baseOffset}) => baseOffset === 0)).toBe(0)
    expect(local.faults.list().map(({hits}) => hits)).toEqual([1, 1, 1])
  })
})

it('tells that records which were acknowledged are gone, when a log without idempotence goes on below them', async () => {
  const local = await stack()
  await makeTopic(local, TOPIC)
  async function* input(): AsyncGenerator<Buffer> {
    yield Buffer.from(numbers(100))
    await expect.poll(() => work(plaintext(local), valuesOf)).toHaveLength(100)
    const {admin} = await kafkaOf(local)
    await admin.deleteTopics({topics: [TOPIC]})
    await makeTopic(local, TOPIC)
    yield Buffer.from(numbers(150, 100))
  }

  const report = await work(plaintext(local), (cluster) => produceText(cluster, input(), {acks: '1'}))

  expect(report).toMatchObject({read: 250, acked: 100, unknown: 150, unsent: 0})
  expect(report.failure).toBeInstanceOf(EvidenceGoneError)
  expect(report.failure).toMatchObject({message: expect.stringContaining('had reached offset 100 and goes on at 0')})
})
