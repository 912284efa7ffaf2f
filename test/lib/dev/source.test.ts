import type {Admin} from 'kafkajs'
import {expect, it} from 'vitest'

import {kafkaSource} from '../../../src/lib/dev/source.js'
import {withCluster} from '../../../src/lib/kafka/client.js'
import type {KafkaTarget} from '../../../src/lib/kafka/target.js'
import {requireTopic} from '../../../src/lib/kafka/topics.js'
import type {RecordSource} from '../../../src/lib/lambda/poller.js'
import {stack} from '../../support/stack.js'

const options = {maxBytes: 1024 * 1024, waitMs: 300, signal: new AbortController().signal}

type Topic = {name: string; apiProfile?: 'msk-serverless' | 'wide'; partitions?: number; config?: Record<string, string>}

/** A source on a topic of a new stack. */
async function withSource(
  {name, partitions = 1, config = {}, apiProfile = 'msk-serverless'}: Topic,
  work: (source: RecordSource, produce: (partition: number, values: string[]) => Promise<void>, admin: Admin) => Promise<void>,
): Promise<void> {
  const local = await stack({apiProfile})
  const target: KafkaTarget = {
    bootstrap: [local.plaintextBootstrap!],
    auth: 'none',
    tls: false,
    credentials: () => Promise.reject(new Error('not asked for')),
    timeoutMs: 5_000,
    describe: 'test',
  }
  await withCluster(target, async (cluster, {kafka}) => {
    const admin = kafka.admin()
    const producer = kafka.producer()
    const configEntries = Object.entries(config).map(([key, value]) => ({name: key, value}))
    await admin.connect()
    await admin.createTopics({topics: [{topic: name, numPartitions: partitions, configEntries}]})
    await producer.connect()
    await requireTopic(cluster, name)
    await cluster.addTargetTopic(name)
    const produce = async (partition: number, values: string[]) => {
      await producer.send({topic: name, messages: values.map((value) => ({partition, value, headers: {h: value}}))})
    }
    try {
      await work(kafkaSource(cluster, name, {timeoutMs: 5_000}), produce, admin)
    } finally {
      await producer.disconnect()
      await admin.disconnect()
    }
  })
}

it('gives the records from an offset on, in the middle of a batch too', () =>
  withSource({name: 'plain'}, async (source, produce) => {
    await produce(0, ['a', 'b', 'c'])

    const {records, nextOffset} = await source.fetch(0, 1, options)

    expect(records.map(({offset, value}) => `${offset} ${value}`)).toEqual(['1 b', '2 c'])
    expect(records[0]).toMatchObject({
      partition: 0,
      key: null,
      timestampType: 'CREATE_TIME',
      headers: [{value: Buffer.from('b')}],
    })
    expect(nextOffset).toBe(3)
  }))

it('says whose time a record has', () =>
  withSource({name: 'appended', config: {'message.timestamp.type': 'LogAppendTime'}}, async (source, produce) => {
    await produce(0, ['a'])

    const {records} = await source.fetch(0, 0, options)

    expect(records[0]!.timestampType).toBe('LOG_APPEND_TIME')
    expect(Math.abs(records[0]!.timestamp - Date.now())).toBeLessThan(10_000)
  }))

it('waits for all partitions with one request, and a busy one does not wait for an idle one', () =>
  withSource({name: 'spread', partitions: 3}, async (source, produce) => {
    await produce(2, ['a'])

    const waitMs = 5_000
    const started = performance.now()
    const [idle, , busy] = await Promise.all([0, 1, 2].map((partition) => source.fetch(partition, 0, {...options, waitMs})))

    expect(busy!.records).toHaveLength(1)
    expect(idle).toEqual({records: [], nextOffset: 0})
    expect(performance.now() - started).toBeLessThan(waitMs)
  }))

it('gives nothing after the wait when nothing comes, and what comes meanwhile at once', () =>
  withSource({name: 'later'}, async (source, produce) => {
    expect(await source.fetch(0, 0, options)).toEqual({records: [], nextOffset: 0})

    const asked = source.fetch(0, 0, {...options, waitMs: 10_000})
    await produce(0, ['a'])

    expect((await asked).nextOffset).toBe(1)
  }))

it('goes on with what is left where retention took the rest', () =>
  withSource({name: 'retained', apiProfile: 'wide'}, async (source, produce, admin) => {
    await produce(0, ['a'])
    await produce(0, ['b'])
    // kafkajs finds leaders only of topics that it was asked about.
    await admin.fetchTopicOffsets('retained')
    await admin.deleteTopicRecords({topic: 'retained', partitions: [{partition: 0, offset: '1'}]})

    expect(await source.fetch(0, 0, options)).toEqual({records: [], nextOffset: 1})
    expect((await source.fetch(0, 1, options)).records).toHaveLength(1)
  }))

it('refuses an offset that a topic made anew does not have yet', () =>
  withSource({name: 'anew'}, async (source, produce) => {
    await produce(0, ['a'])

    await expect(source.fetch(0, 99, options)).rejects.toMatchObject({type: 'OFFSET_OUT_OF_RANGE'})
  }))
