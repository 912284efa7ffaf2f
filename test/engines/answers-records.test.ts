import {describe, test} from 'vitest'

import {type Ask, batch, config, forged, newProducerId, newTopic, produce, record, same, startBoth} from './answers.js'

startBoth()

describe('Produce', () => {
  test.each([2, -2])('acks %d', async (acks) => {
    await same(async (ask) => produce(ask, await newTopic(ask), await batch(), {acks}))
  })

  test('a topic or a partition that does not exist', async () => {
    await same(async (ask) => [
      await produce(ask, 'absent', await batch()),
      await produce(ask, await newTopic(ask), await batch(), {index: 7}),
    ])
  })

  test('a wrong checksum', async () => {
    const bytes = await batch()
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)

    await same(async (ask) => produce(ask, await newTopic(ask), bytes))
  })

  test('a piece of a batch', async () => {
    const bytes = await batch()

    await same(async (ask) => produce(ask, await newTopic(ask), bytes.subarray(0, bytes.length - 1)))
  })

  test('two batches', async () => {
    const bytes = await batch()

    await same(async (ask) => produce(ask, await newTopic(ask), Buffer.concat([bytes, bytes])))
  })

  test.each([
    ['a control batch', {attributes: 0x20}],
    ['a count that is not that of the offsets', {lastOffsetDelta: 4}],
    ['no records', {recordCount: 0, lastOffsetDelta: -1}],
    ['another magic', {magic: 7}],
    ['the format of before 0.11', {magic: 1}],
  ])('%s', async (_, change) => {
    const bytes = await forged(change)

    await same(async (ask) => produce(ask, await newTopic(ask), bytes))
  })

  test('more bytes than max.message.bytes', async () => {
    await same(async (ask) => produce(ask, await newTopic(ask, config('max.message.bytes', '50')), await batch()))
  })

  test('zstd before version 7', async () => {
    const bytes = await batch({compression: 'zstd'})

    await same(async (ask) => produce(ask, await newTopic(ask), bytes, {version: 6}))
  })

  test('a record without a key for a compacted topic', async () => {
    const bytes = await batch({}, record(null))

    await same(async (ask) => produce(ask, await newTopic(ask, config('cleanup.policy', 'compact')), bytes))
  })

  test('a timestamp that is too far away', async () => {
    const bytes = await batch({}, record('k', 0))

    await same(async (ask) => produce(ask, await newTopic(ask, config('message.timestamp.difference.max.ms', '1000')), bytes))
  })

  test('an idempotent producer: next, duplicate, gap, old duplicate, old epoch, new epoch', async () => {
    await same(async (ask) => {
      const {producerId} = await newProducerId(ask)
      const topic = await newTopic(ask)
      const send = async (producerEpoch: number, baseSequence: number) =>
        produce(ask, topic, await batch({producerId, producerEpoch, baseSequence}))
      const answers = []
      for (const sequence of [0, 1, 2, 1, 4, 3, 4, 5, 6, 0]) answers.push([sequence, await send(1, sequence)])
      answers.push(await send(0, 7), await send(2, 3), await send(2, 0))
      return answers
    })
  })
})

describe('Fetch', () => {
  const fetch = async (ask: Ask, topic: string, more: object = {}) => {
    const partition = {
      ...{partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, lastFetchedEpoch: -1, logStartOffset: -1},
      ...{partitionMaxBytes: 1_000_000, ...more},
    }
    const answer = await ask(1, 11, {
      ...{replicaId: -1, maxWaitMs: 10, minBytes: 1, maxBytes: 1_000_000, isolationLevel: 1, sessionId: 0, sessionEpoch: -1},
      ...{topics: [{topic, partitions: [partition]}], forgottenTopicsData: [], rackId: ''},
    })
    const {errorCode, highWatermark, logStartOffset, records} = answer.responses[0].partitions[0]
    return {errorCode, highWatermark, logStartOffset, bytes: records?.length}
  }

  test.each([{fetchOffset: 9}, {fetchOffset: -1}, {partition: 5}, {currentLeaderEpoch: 8}, {fetchOffset: 1}])(
    '%j',
    async (more) => {
      await same(async (ask) => {
        const topic = await newTopic(ask)
        await produce(ask, topic, await batch({}, record('k', 1_700_000_000_000)))
        return fetch(ask, topic, more)
      })
    },
  )

  test('one batch comes however large it is', async () => {
    await same(async (ask) => {
      const topic = await newTopic(ask)
      await produce(ask, topic, await batch({}, record('k', 1_700_000_000_000)))
      return fetch(ask, topic, {partitionMaxBytes: 1})
    })
  })

  test('a topic that does not exist', async () => {
    await same((ask) => fetch(ask, 'absent'))
  })
})

describe('ListOffsets, OffsetForLeaderEpoch', () => {
  test('both ends, a time, a time beyond the last record, the largest timestamp', async () => {
    const bytes = await batch({}, record('a', 1_700_000_000_100), record('b', 1_700_000_000_300), record('c', 1_700_000_000_200))

    await same(async (ask) => {
      const topic = await newTopic(ask)
      await produce(ask, topic, bytes)
      const find = async (timestamp: number) => {
        const partitions = [{partitionIndex: 0, currentLeaderEpoch: -1, timestamp}]
        const {topics} = await ask(2, 7, {replicaId: -1, isolationLevel: 0, topics: [{name: topic, partitions}]})
        const [{errorCode, offset, timestamp: found}] = topics[0].partitions
        return {errorCode, offset, found}
      }
      return [await find(-1), await find(-2), await find(1_700_000_000_150), await find(1_800_000_000_000), await find(-3)]
    })
  })

  test.each([
    ['absent', {}],
    [undefined, {partitionIndex: 4}],
    [undefined, {currentLeaderEpoch: 7}],
  ])('%s %j', async (name, more) => {
    await same(async (ask) => {
      const topic = name ?? (await newTopic(ask))
      const partitions = [{partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1, ...more}]
      const {topics} = await ask(2, 5, {replicaId: -1, isolationLevel: 0, topics: [{name: topic, partitions}]})
      return topics[0].partitions[0].errorCode
    })
  })

  test.each([
    {currentLeaderEpoch: 3, leaderEpoch: 0},
    {currentLeaderEpoch: -1, leaderEpoch: 5},
    {currentLeaderEpoch: -1, leaderEpoch: 0},
  ])('epochs %j', async (epochs) => {
    await same(async (ask) => {
      const topic = await newTopic(ask)
      const {topics} = await ask(23, 3, {replicaId: -1, topics: [{topic, partitions: [{partition: 0, ...epochs}]}]})
      const {errorCode, leaderEpoch, endOffset} = topics[0].partitions[0]
      return {errorCode, leaderEpoch, endOffset}
    })
  })
})
