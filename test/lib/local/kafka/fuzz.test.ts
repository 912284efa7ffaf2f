import {Kafka, logLevel} from 'kafkajs'
import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {
  answerSize,
  checkLog,
  connectAll,
  createTopics,
  drip,
  fetchAtOnce,
  flood,
  produceMegabyte,
  sendBombs,
  serviceTime,
  topic,
  vanishingProducers,
} from '../../../support/fuzz-attacks.js'
import {fuzzHttp} from '../../../support/fuzz-http.js'
import {ask, fuzz, fuzzSeed, open} from '../../../support/fuzz-run.js'
import {type FuzzedStack, startFuzzedStack} from '../../../support/fuzz-stack.js'

const seed = fuzzSeed()
console.log(`SKK_SEED=${seed}`)

describe('mutated input', () => {
  let stack: FuzzedStack
  beforeAll(async () => {
    stack = await startFuzzedStack()
  })
  afterAll(() => stack?.stop())

  it('of 10,000 frames leaves the process as it was', async () => {
    const {judged, growthMiB} = await fuzz(stack, {frames: 10_000, seed, profile: 'msk-serverless'})

    expect(judged).toBeGreaterThanOrEqual(10_000)
    expect(stack.errors, `SKK_SEED=${seed}`).toEqual([])
    expect(growthMiB).toBeLessThan(50)
  }, 240_000)

  it('of 300 HTTP requests is answered as AWS answers', async () => {
    await fuzzHttp(stack, {runs: 300, seed})

    expect(stack.errors).toEqual([])
  }, 240_000)

  it('leaves the stack to those who come after', async () => {
    await createTopics(stack, topic('after', 2))
    const kafka = new Kafka({brokers: [stack.plaintext], logLevel: logLevel.NOTHING})
    const producer = kafka.producer({idempotent: true})
    const consumer = kafka.consumer({groupId: 'after'})
    const values = Array.from({length: 1_000}, (_, index) => `value-${index}`)

    await producer.connect()
    await producer.send({topic: 'after', messages: values.map((value) => ({value}))})
    await consumer.connect()
    await consumer.subscribe({topic: 'after', fromBeginning: true})
    const read: string[] = []
    await new Promise<void>((resolve) => {
      void consumer.run({
        eachMessage: async ({message}) => {
          read.push(message.value!.toString())
          if (read.length === values.length) resolve()
        },
      })
    })
    await Promise.all([producer.disconnect(), consumer.disconnect()])

    expect(read.sort()).toEqual(values.sort())
  }, 30_000)
})

describe('one frame', () => {
  let stack: FuzzedStack
  beforeAll(async () => {
    stack = await startFuzzedStack(['--api-profile', 'wide'])
    await createTopics(stack, topic('fuzz', 1_000))
    const partitions = Array.from({length: 1_000}, (_, partitionIndex) => {
      return {partitionIndex, committedOffset: 1, committedLeaderEpoch: -1, committedMetadata: 'x'.repeat(1_000)}
    })
    const group = {groupId: 'fuzz-group', generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null}
    await ask(stack.plaintext, 8, 8, {...group, topics: [{name: 'fuzz', partitions}]})
  })
  afterAll(() => stack?.stop())

  it.each([
    ['Produce', 0, 9, 'topicData.partitionData', {records: null}],
    ['Fetch', 1, 12, 'topics.partitions', {}],
    ['ListOffsets by time', 2, 6, 'topics.partitions', {}],
    ['Metadata', 3, 9, 'topics', {}],
    ['OffsetCommit', 8, 8, 'topics.partitions', {}],
    ['OffsetFetch', 9, 5, 'topics.partitionIndexes', {}],
    ['OffsetFetch of groups', 9, 8, 'groups', {topics: null}],
    ['FindCoordinator', 10, 4, 'coordinatorKeys', {}],
    ['JoinGroup', 11, 7, 'protocols', {}],
    ['DescribeGroups', 15, 5, 'groups', {}],
    ['CreateTopics', 19, 7, 'topics', {configs: []}],
    ['DeleteTopics', 20, 6, 'topics', {}],
    ['DescribeConfigs', 32, 4, 'resources', {configurationKeys: null}],
  ])('of %s with 45,000 elements is answered soon, in little', async (_name, key, version, path, fields) => {
    const socket = await open(stack.plaintext)
    onTestFinished(() => void socket.destroy())

    const answered = answerSize(socket, await flood(key, version, path, 45_000, fields))

    expect(await serviceTime(stack)).toBeLessThan(5_000)
    expect(await answered).toBeLessThan(50_000_000)
    expect(stack.peakMiB()).toBeLessThan(600)
  })
})

describe('clients', () => {
  let stack: FuzzedStack
  beforeAll(async () => {
    stack = await startFuzzedStack()
  })
  afterAll(() => stack?.stop())

  it('that all ask for a lot at once share the memory', async () => {
    await fetchAtOnce(stack, 20)

    expect(stack.peakMiB()).toBeLessThan(600)
  })

  it('that send bombs cost a look', async () => {
    await sendBombs(stack, {recordCount: 2_000_000, rounds: 3})

    expect(stack.errors).toEqual([])
    expect(stack.peakMiB()).toBeLessThan(600)
  })

  it('that go in the middle of a request damage nothing of those who stay', async () => {
    const stored = await vanishingProducers(stack, 'vanishing', 40)

    expect(await checkLog(stack, 'vanishing')).toBeGreaterThanOrEqual(stored)
  })

  it('of which 200 drip keep nobody waiting', async () => {
    const sockets = await drip(stack, 200)

    expect(await serviceTime(stack)).toBeLessThan(5_000)
    expect(await produceMegabyte(stack)).toBe(0)
    expect(stack.peakMiB()).toBeLessThan(600)
    for (const socket of sockets) socket.destroy()
  })

  it('of which 2,900 are idle cost little', async () => {
    const before = await stack.residentMiB()

    const sockets = await connectAll(stack.plaintext, 2_900)

    expect(await serviceTime(stack)).toBeLessThan(5_000)
    expect((await stack.residentMiB()) - before).toBeLessThan(100)
    for (const socket of sockets) socket.destroy()
  })
})
