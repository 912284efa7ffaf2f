import {describe, expect, it} from 'vitest'

import {readFaultRule} from '../../../../src/lib/local/kafka/fault-rule.js'
import type {
  CreateTopicsResponse,
  FetchResponse,
  FindCoordinatorResponse,
  ListOffsetsResponse,
  MetadataResponse,
  ProduceResponse,
} from '../../../../src/lib/local/kafka/messages.js'
import {encodeBatch} from '../../../../src/lib/records/batch.js'
import {stack} from '../../../support/stack.js'
import {type WireClient, wireClient} from '../../../support/wire-client.js'

const TOPIC = 'orders'

/** A stack of one node with a topic of two partitions, and a client. */
async function broken() {
  const local = await stack()
  const address = local.plaintextBootstrap!
  const client = await wireClient(address)
  const topics = [{name: TOPIC, numPartitions: 2, replicationFactor: -1, assignments: [], configs: []}]
  await client.request(19, 4, {topics, timeoutMs: 1000, validateOnly: false})
  return {local, client, connect: () => wireClient(address)}
}

async function produce(client: WireClient, ...partitions: number[]): Promise<number[][]> {
  const records = await encodeBatch([{key: null, value: Buffer.from('v'), headers: [], timestamp: 1}])
  const topicData = [{name: TOPIC, partitionData: partitions.map((index) => ({index, records}))}]
  const {responses} = await client.request<ProduceResponse>(0, 7, {transactionalId: null, acks: -1, timeoutMs: 1000, topicData})
  return responses.flatMap(({partitionResponses}) => partitionResponses.map(({index, errorCode}) => [index, errorCode]))
}

async function endOf(client: WireClient, partition = 0): Promise<number | undefined> {
  const topics = [
    {name: TOPIC, partitions: [{partitionIndex: partition, currentLeaderEpoch: -1, timestamp: -1, maxNumOffsets: 1}]},
  ]
  const answer = await client.request<ListOffsetsResponse>(2, 5, {replicaId: -1, isolationLevel: 0, topics})
  return answer.topics[0]!.partitions[0]!.offset
}

const rule = (input: Record<string, unknown>) => readFaultRule({times: 1, ...input})

describe('faults', () => {
  it('close before: nothing is stored, and only that connection ends', async () => {
    const {local, client, connect} = await broken()
    local.faults.add(rule({action: 'close', api: 'Produce'}))

    await expect(produce(client, 0)).rejects.toThrow('the connection was closed')

    const other = await connect()
    expect(await endOf(other)).toBe(0)
    expect(await produce(other, 0)).toEqual([[0, 0]])
    expect(local.faults.list()).toMatchObject([{api: 0, seen: 1, hits: 1}])
  })

  it('close after: stored, and the answer is lost', async () => {
    const {local, client, connect} = await broken()
    local.faults.add(rule({action: 'close', when: 'after', api: 'produce'}))

    await expect(produce(client, 0)).rejects.toThrow('the connection was closed')

    expect(await endOf(await connect())).toBe(1)
  })

  it.each([
    ['before', 0],
    ['after', 1],
  ])('drop %s: no answer comes, nor any more on that connection', async (when, stored) => {
    const {local, client, connect} = await broken()
    local.faults.add(rule({action: 'drop', when, api: 0}))
    let answers = 0
    client.socket.on('data', () => {
      answers += 1
    })

    void produce(client, 0).catch(() => {})
    await expect.poll(() => local.faults.list()[0]!.hits).toBe(1)
    void endOf(client).catch(() => {})

    const other = await connect()
    await expect.poll(() => endOf(other)).toBe(stored)
    expect(answers).toBe(0)
  })

  it('delay before: carried out later, even when the client is gone', async () => {
    const {local, client, connect} = await broken()
    local.faults.add(rule({action: 'delay', api: 0, ms: 200}))

    const sent = produce(client, 0)
    await expect.poll(() => local.faults.list()[0]!.hits).toBe(1)
    client.socket.destroy()

    await expect(sent).rejects.toThrow('closed')
    const other = await connect()
    expect(await endOf(other)).toBe(0)
    await expect.poll(() => endOf(other)).toBe(1)
  })

  it('delay after: stored at once, answered later', async () => {
    const {local, client, connect} = await broken()
    local.faults.add(rule({action: 'delay', when: 'after', api: 0, ms: 500}))
    const other = await connect()

    let answered = false
    const sent = produce(client, 0).then((result) => {
      answered = true
      return result
    })
    await expect.poll(() => endOf(other)).toBe(1)
    expect(answered).toBe(false)
    expect(await sent).toEqual([[0, 0]])
  })

  it('throttle: answered, with the wish to be left alone', async () => {
    const {local, client} = await broken()
    local.faults.add(rule({action: 'throttle', api: 'Metadata', ms: 1234}))

    const ask = () => client.request<MetadataResponse>(3, 7, {topics: [], allowAutoTopicCreation: false})

    expect((await ask()).throttleTimeMs).toBe(1234)
    expect((await ask()).throttleTimeMs).toBe(0)
  })

  it('error in one partition of a request: the others are stored', async () => {
    const {local, client} = await broken()
    local.faults.add(rule({action: 'error', api: 'Produce', errorCode: 6, topic: TOPIC, partition: 1}))

    expect(await produce(client, 0, 1)).toEqual([
      [0, 0],
      [1, 6],
    ])
    expect([await endOf(client, 0), await endOf(client, 1)]).toEqual([1, 0])
    expect(await produce(client, 1)).toEqual([[1, 0]])
  })

  it('error after: stored, and answered with the error', async () => {
    const {local, client} = await broken()
    local.faults.add(rule({action: 'error', when: 'after', api: 'Produce', errorCode: 7}))

    expect(await produce(client, 0)).toEqual([[0, 7]])
    expect(await endOf(client)).toBe(1)
  })

  it('error answers of fetches, coordinators and topics', async () => {
    const {local, client} = await broken()
    await produce(client, 0)
    for (const api of ['Fetch', 'FindCoordinator', 'CreateTopics']) local.faults.add(rule({action: 'error', api, errorCode: 15}))

    const partitions = [{partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, logStartOffset: -1, partitionMaxBytes: 1000}]
    const fetching = {replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 1000, isolationLevel: 0, sessionId: 0, sessionEpoch: -1}
    const fetched = await client.request<FetchResponse>(1, 11, {
      ...fetching,
      topics: [{topic: TOPIC, partitions}],
      forgottenTopicsData: [],
      rackId: '',
    })
    const found = await client.request<FindCoordinatorResponse>(10, 2, {key: 'g', keyType: 0})
    const topics = [{name: 'more', numPartitions: 1, replicationFactor: -1, assignments: [], configs: []}]
    const created = await client.request<CreateTopicsResponse>(19, 4, {topics, timeoutMs: 1000, validateOnly: false})

    expect(fetched.responses[0]!.partitions[0]!.errorCode).toBe(15)
    expect(found.errorCode).toBe(15)
    expect(created.topics).toMatchObject([{name: 'more', errorCode: 15}])
  })

  it('happens to whom it is meant for, after those it skips, so many times', async () => {
    const {local, client} = await broken()
    const error = {action: 'error', api: 'Produce', errorCode: 6}
    local.faults.add(rule({...error, topic: 'other'}))
    local.faults.add(rule({...error, node: 999}))
    local.faults.add(rule({...error, skip: 1, times: 2}))

    const codes = []
    for (let i = 0; i < 5; i++) codes.push((await produce(client, 0))[0]![1])

    expect(codes).toEqual([0, 6, 6, 0, 0])
    expect(local.faults.clear(2)).toMatchObject([{id: 2, hits: 0}])
    expect(local.faults.list().map(({id}) => id)).toEqual([1, 3])
  })

  it('with a probability and a seed happens to the same requests again', async () => {
    const {local, client} = await broken()
    const run = async (seed: number): Promise<number[]> => {
      const {id} = local.faults.add(readFaultRule({action: 'error', api: 'Produce', errorCode: 6, probability: 0.5, seed}))
      const codes = []
      for (let i = 0; i < 40; i++) codes.push((await produce(client, 0))[0]![1]!)
      local.faults.clear(id)
      return codes
    }

    const first = await run(7)
    expect(await run(7)).toEqual(first)
    expect(await run(8)).not.toEqual(first)
    const hits = first.filter((code) => code === 6).length
    expect(hits).toBeGreaterThan(8)
    expect(hits).toBeLessThan(32)
  })

  it.each([
    [{action: 'explode'}, 'action'],
    [{action: 'close', when: 'never'}, 'before or after'],
    [{action: 'close', api: 'Prodce'}, 'there is no API "Prodce"'],
    [{action: 'error', api: 'Produce'}, 'error code'],
    [{action: 'error', api: 'ApiVersions', errorCode: 1}, 'ApiVersions has no answer that is an error'],
    [{action: 'delay'}, 'needs a time'],
    [{action: 'close', partition: -1}, '"partition" of a fault'],
    [{action: 'close', times: 1.5}, '"times" of a fault'],
    [{action: 'close', probability: 2}, 'probability'],
    [{action: 'close', probability: Number.NaN}, 'probability'],
  ])('%j is refused', (input, message) => {
    expect(() => readFaultRule(input)).toThrow(message)
  })
})
