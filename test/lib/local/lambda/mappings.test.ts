import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {
  CreateFunctionCommand,
  DeleteEventSourceMappingCommand,
  DeleteFunctionCommand,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda'
import {Kafka, logLevel} from 'kafkajs'
import {describe, expect, it} from 'vitest'

import {newFunction, until} from '../../../support/lambda.js'
import {attach, batches, mappedTopic, RECORDER, seenUntil, stateOf, untilState} from '../../../support/mapped-topic.js'
import {stack, temporaryDataDir} from '../../../support/stack.js'

const lastResult = async (client: Parameters<typeof stateOf>[0], uuid: string) =>
  (await stateOf(client, uuid)).LastProcessingResult

describe('a mapping', () => {
  it("hands records to its function in AWS's event, and commits them for its group", async () => {
    const source = `export const handler = async (event) => console.log('EVENT', JSON.stringify(event))`
    const {local, client, admin, producer} = await mappedTopic({source})
    await producer.send({
      topic: 'orders',
      messages: [{key: 'k', value: 'v', timestamp: '1545084650987', headers: {trace: Buffer.from([1, 255])}}, {value: null}],
    })

    const uuid = await attach(client, local, {AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'f.orders'}})

    const log = await until(
      () => readFile(join(local.dataDir, 'functions/f/log'), 'utf8').catch(() => ''),
      (text) => text.includes('EVENT') && text.includes('REPORT'),
    )
    expect(JSON.parse(/EVENT (.*)$/m.exec(log)![1]!)).toEqual({
      eventSource: 'aws:kafka',
      eventSourceArn: local.clusterArn,
      bootstrapServers: local.bootstrap,
      records: {
        'orders-0': [
          {
            topic: 'orders',
            partition: 0,
            offset: 0,
            timestamp: 1545084650987,
            timestampType: 'CREATE_TIME',
            key: Buffer.from('k').toString('base64'),
            value: Buffer.from('v').toString('base64'),
            headers: [{trace: [1, 255]}],
          },
          {topic: 'orders', partition: 0, offset: 1, timestamp: expect.any(Number), timestampType: 'CREATE_TIME', headers: []},
        ],
      },
    })
    await until(
      () => admin.fetchOffsets({groupId: 'f.orders', topics: ['orders']}),
      ([orders]) => orders?.partitions[0]?.offset === '2',
    )
    expect(await lastResult(client, uuid)).toBe('OK')
  })

  it('is a member of its group for as long as it is enabled', async () => {
    const {local, client, admin} = await mappedTopic({partitions: 3})
    const uuid = await attach(client, local, {AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'f.orders'}})
    const describeGroup = async () => (await admin.describeGroups(['f.orders'])).groups[0]!

    const stable = await until(describeGroup, ({state}) => state === 'Stable')
    await client.send(new UpdateEventSourceMappingCommand({UUID: uuid, Enabled: false}))
    await untilState(client, uuid, 'Disabled')

    expect(stable).toMatchObject({protocolType: 'consumer', members: [{clientId: `lambda-${uuid}`}]})
    expect((await describeGroup()).members).toEqual([])
  })

  it('shares its partitions with a consumer that joins the group, and takes them back', async () => {
    const {local, client, producer} = await mappedTopic({partitions: 2})
    await attach(client, local, {AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'shared'}})
    const consumer = new Kafka({brokers: [local.plaintextBootstrap!], logLevel: logLevel.NOTHING}).consumer({
      groupId: 'shared',
      partitionAssigners: [
        ({cluster: _}) => ({
          name: 'range',
          version: 0,
          assign: async () => [],
          protocol: () => ({name: 'range', metadata: Buffer.from('00000000000100066f7264657273ffffffff', 'hex')}),
        }),
      ],
    })
    const read: string[] = []
    await consumer.connect()
    await consumer.subscribe({topics: ['orders']})
    const joined = new Promise((resolve) => consumer.on('consumer.group_join', resolve))
    await consumer.run({eachMessage: async ({message}) => void read.push(String(message.value))})
    await joined
    const sendBoth = (value: string) =>
      producer.send({
        topic: 'orders',
        messages: [
          {partition: 0, value: `${value}0`},
          {partition: 1, value: `${value}1`},
        ],
      })

    await sendBoth('a')
    const seenByFunction = await seenUntil(local, (seen) => seen.length === 1)
    await until(
      () => read,
      (values) => values.length === 1,
    )
    await consumer.disconnect()
    await sendBoth('b')
    const seenLater = await seenUntil(local, (seen) => seen.length === 3)

    expect([...read, ...seenByFunction.map(([, , value]) => value)].sort()).toEqual(['a0', 'a1'])
    expect(
      seenLater
        .slice(1)
        .map(([, , value]) => value)
        .sort(),
    ).toEqual(['b0', 'b1'])
  }, 30_000)

  it('begins where it was told', async () => {
    const {local, client, producer, send} = await mappedTopic()
    await producer.send({
      topic: 'orders',
      messages: [
        {value: 'old', timestamp: '1000'},
        {value: 'newer', timestamp: '5000'},
      ],
    })
    await attach(client, local, {StartingPosition: 'AT_TIMESTAMP', StartingPositionTimestamp: new Date(2000)})
    await seenUntil(local, (seen) => seen.length > 0)
    await send('newest')

    expect((await seenUntil(local, (seen) => seen.length === 2)).map(([, , value]) => value)).toEqual(['newer', 'newest'])
  })

  it('that begins at LATEST misses nothing of what comes while the stack is down, and delivers nothing twice', async () => {
    const dataDir = await temporaryDataDir()
    const {local, client, admin, send} = await mappedTopic({dataDir})
    await send('before')
    const uuid = await attach(client, local, {
      StartingPosition: 'LATEST',
      AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g'},
    })
    await until(
      () => admin.fetchOffsets({groupId: 'g', topics: ['orders']}),
      ([orders]) => orders?.partitions[0]?.offset === '1',
    )
    await client.send(new UpdateEventSourceMappingCommand({UUID: uuid, Enabled: false}))
    await untilState(client, uuid, 'Disabled')
    await send('while disabled')
    await client.send(new UpdateEventSourceMappingCommand({UUID: uuid, Enabled: true}))
    await seenUntil(local, (seen) => seen.length === 1)
    await until(
      () => admin.fetchOffsets({groupId: 'g', topics: ['orders']}),
      ([orders]) => orders?.partitions[0]?.offset === '2',
    )
    await local.stop()

    const again = await stack({dataDir})
    const producer = new Kafka({brokers: [again.plaintextBootstrap!], logLevel: logLevel.NOTHING}).producer()
    await producer.connect()
    await producer.send({topic: 'orders', messages: [{value: 'after'}]})
    await producer.disconnect()

    const seen = await seenUntil(again, (all) => all.length >= 2)
    expect(seen.map(([, , value]) => value)).toEqual(['while disabled', 'after'])
  }, 30_000)

  it('delivers each partition in order, in batches of at most its size', async () => {
    const {local, client, producer} = await mappedTopic({partitions: 3})
    const messages = Array.from({length: 500}, (_, index) => ({value: String(index), partition: index % 3}))
    await producer.send({topic: 'orders', messages})
    await attach(client, local, {BatchSize: 40})

    const seen = await seenUntil(local, (all) => all.length >= 500)

    expect(Math.max(...(await batches(local)).map((batch) => batch.length))).toBeLessThanOrEqual(40)
    for (const partition of [0, 1, 2]) {
      const values = seen.filter(([of]) => of === partition).map(([, , value]) => Number(value))
      expect(values).toEqual(Array.from({length: Math.ceil((500 - partition) / 3)}, (_, index) => 3 * index + partition))
    }
  })

  it('passes over what its filters do not match', async () => {
    const {local, client, admin, send} = await mappedTopic()
    await send('{"kind":"a"}', '{"kind":"b"}', 'no JSON', '{"kind":"a","n":2}')
    await attach(client, local, {
      FilterCriteria: {Filters: [{Pattern: '{"value":{"kind":["a"]}}'}]},
      AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g'},
    })

    const seen = await seenUntil(local, (all) => all.length === 2)

    expect(seen.map(([, offset]) => offset)).toEqual([0, 3])
    await until(
      () => admin.fetchOffsets({groupId: 'g', topics: ['orders']}),
      ([orders]) => orders?.partitions[0]?.offset === '4',
    )
  })

  it('delivers a failing batch again, and stays at it by default', async () => {
    const {local, client, send} = await mappedTopic()
    await send('poison', 'fine')
    const uuid = await attach(client, local)

    const seen = await until(
      () => batches(local),
      (all) => all.length >= 2,
    )

    expect(seen[0]).toEqual(seen[1])
    expect(await lastResult(client, uuid)).toBe('PROBLEM: Function call failed')
  })

  it.each(['arn:aws:sqs:us-east-1:123456789012:failed', 'arn:aws:sns:us-east-1:123456789012:failed', 'arn:aws:s3:::failed'])(
    'gives up a poison record to %s, and goes on',
    async (Destination) => {
      const {local, client, send} = await mappedTopic()
      await send('first', 'poison', 'last')

      await attach(client, local, {
        MaximumRetryAttempts: 0,
        BisectBatchOnFunctionError: true,
        DestinationConfig: {OnFailure: {Destination}},
      })

      await seenUntil(local, (seen) => seen.some(([, , value]) => value === 'last') && seen.length > 3)
      const dir = join(local.dataDir, 'destinations', Destination.split(':')[2]!, 'failed')
      const [file] = await until(
        () => readdir(dir).catch(() => []),
        (files) => files.some((name) => name.endsWith('.json')),
      )
      const record = JSON.parse(await readFile(join(dir, file!), 'utf8'))
      expect(record).toMatchObject({
        requestContext: {
          requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
          functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:f',
          condition: 'RetriesExhausted',
        },
        responseContext: {statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled'},
        version: '1.0',
        KafkaBatchInfo: {batchSize: 1, eventSourceArn: local.clusterArn, recordInfo: {offset: '1'}},
      })
      expect('payload' in record).toBe(Destination.includes('s3'))
    },
  )

  it('gives up a poison record to a topic, with its key', async () => {
    const {local, client, admin, send} = await mappedTopic()
    await admin.createTopics({topics: [{topic: 'orders.dlq', numPartitions: 1}]})
    await send('poison')
    await attach(client, local, {MaximumRetryAttempts: 0, DestinationConfig: {OnFailure: {Destination: 'kafka://orders.dlq'}}})

    const consumer = new Kafka({brokers: [local.plaintextBootstrap!], logLevel: logLevel.NOTHING}).consumer({groupId: 'dlq'})
    const found = await new Promise<{key: string; value: any}>((resolve, reject) => {
      const run = async () => {
        await consumer.connect()
        await consumer.subscribe({topics: ['orders.dlq'], fromBeginning: true})
        await consumer.run({
          eachMessage: async ({message}) => resolve({key: String(message.key), value: JSON.parse(String(message.value))}),
        })
      }
      run().catch(reject)
    })
    await consumer.disconnect()

    expect(found.key).toBe('k')
    expect(found.value).toMatchObject({
      requestContext: {condition: 'RetriesExhausted', approximateInvokeCount: 1},
      payload: {eventSource: 'aws:kafka', records: {'orders-0': [{offset: 0}]}},
    })
  })

  it('says so while its topic is not there, and begins when it is', async () => {
    const {local, client, admin, producer} = await mappedTopic()
    const uuid = await attach(client, local, {Topics: ['later']})
    await until(
      () => lastResult(client, uuid),
      (result) => result!.startsWith('PROBLEM: Connection error.'),
    )

    await admin.createTopics({topics: [{topic: 'later', numPartitions: 1}]})
    await producer.send({topic: 'later', messages: [{value: 'here'}]})

    await seenUntil(local, (seen) => seen.length === 1)
  })

  it('reads the partitions that its topic gets', async () => {
    const {local, client, admin, producer} = await mappedTopic()
    await attach(client, local, {StartingPosition: 'LATEST'})
    await admin.createPartitions({topicPartitions: [{topic: 'orders', count: 2}]})

    await producer.send({topic: 'orders', messages: [{partition: 1, value: 'new'}]})

    expect(await seenUntil(local, (seen) => seen.length === 1)).toEqual([[1, 0, 'new']])
  })

  it('waits while its function is gone', async () => {
    const {local, client, send} = await mappedTopic()
    await attach(client, local)
    await client.send(new DeleteFunctionCommand({FunctionName: 'f'}))
    await send('a')
    await new Promise((resolve) => setTimeout(resolve, 300))

    await client.send(new CreateFunctionCommand(newFunction('f', RECORDER)))

    expect(await seenUntil(local, (seen) => seen.length === 1)).toEqual([[0, 0, 'a']])
  }, 20_000)

  it('does not hold up the end of the stack', async () => {
    const {local, client, send} = await mappedTopic({
      source: 'export const handler = () => new Promise((r) => setTimeout(r, 60_000))',
    })
    await send('a')
    await attach(client, local)
    await new Promise((resolve) => setTimeout(resolve, 300))

    const startedAt = Date.now()
    await local.stop()

    // The function would go on for a minute.
    expect(Date.now() - startedAt).toBeLessThan(30_000)
  }, 90_000)

  it('does not hold up the end of the stack while its group rebalances', async () => {
    const {local, client, send} = await mappedTopic()
    const consumer = new Kafka({brokers: [local.plaintextBootstrap!], logLevel: logLevel.NOTHING}).consumer({groupId: 'busy'})
    await consumer.connect()
    await consumer.subscribe({topics: ['orders'], fromBeginning: true})
    let release = () => {}
    const blocked = new Promise<void>((resolve) => {
      release = resolve
    })
    await send('a')
    // While it works it sends no heartbeat, so that it does not hear of the rebalance.
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async () => {
        resolve()
        await blocked
      }
      consumer.run({eachMessage}).catch(reject)
    })
    await attach(client, local, {AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'busy'}})
    await new Promise((resolve) => setTimeout(resolve, 300))

    const startedAt = Date.now()
    await local.stop()
    const took = Date.now() - startedAt
    release()
    await consumer.disconnect()

    // kafkajs gives a rebalance 60 s.
    expect(took).toBeLessThan(30_000)
  }, 60_000)

  it('leaves its offsets when it is deleted, and another goes on from there', async () => {
    const {local, client, send} = await mappedTopic()
    const group = {AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g'}}
    await send('one')
    const uuid = await attach(client, local, group)
    await seenUntil(local, (seen) => seen.length === 1)
    await client.send(new DeleteEventSourceMappingCommand({UUID: uuid}))
    await until(
      () => stateOf(client, uuid).catch((error) => error.name),
      (state) => state === 'ResourceNotFoundException',
    )
    await send('two')

    await attach(client, local, group)

    expect((await seenUntil(local, (seen) => seen.length === 2)).map(([, , value]) => value)).toEqual(['one', 'two'])
  })
})
