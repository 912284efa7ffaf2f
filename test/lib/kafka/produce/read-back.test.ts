import {expect, it} from 'vitest'

import {EvidenceGoneError} from '../../../../src/lib/kafka/produce/lane.js'
import {readBack} from '../../../../src/lib/kafka/produce/read-back.js'
import {requireTopic} from '../../../../src/lib/kafka/topics.js'
import {stack} from '../../../support/stack.js'
import {kafkaOf, makeTopic} from '../../../support/topic.js'
import {plaintext, work} from '../cluster-fixture.js'
import {produceText, TOPIC} from '../records-fixture.js'

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
