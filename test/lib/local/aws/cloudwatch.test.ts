import {CloudWatchClient, type Dimension, GetMetricDataCommand, ListMetricsCommand} from '@aws-sdk/client-cloudwatch'
import {describe, expect, it, onTestFinished} from 'vitest'

import type {Local} from '../../../../src/lib/local/index.js'
import {until} from '../../../support/lambda.js'
import {attach, mappedTopic, seenUntil} from '../../../support/mapped-topic.js'

const COUNTS = [
  'PolledEventCount',
  'FilteredOutEventCount',
  'InvokedEventCount',
  'FailedInvokeEventCount',
  'DroppedEventCount',
  'OnFailureDestinationDeliveredEventCount',
]
const LAGS = ['MaxOffsetLag', 'SumOffsetLag']

/** AWS's own client against the stack. */
function cloudWatch({endpoint, region, accessKeyId, secretAccessKey}: Local): CloudWatchClient {
  const client = new CloudWatchClient({endpoint, region, credentials: {accessKeyId, secretAccessKey}, maxAttempts: 1})
  onTestFinished(() => client.destroy())
  return client
}

type Asked = {names?: readonly string[]; stat?: string; period?: number; dimensions?: Dimension[]}

const ask = (uuid: string, {names = [...COUNTS, ...LAGS], stat = 'Sum', period = 3600, dimensions}: Asked = {}) =>
  new GetMetricDataCommand({
    StartTime: new Date(Date.now() - 2 * 3_600_000),
    EndTime: new Date(Date.now() + 60_000),
    MetricDataQueries: names.map((MetricName, index) => ({
      Id: `m${index}`,
      MetricStat: {
        Metric: {
          Namespace: 'AWS/Lambda',
          MetricName,
          Dimensions: dimensions ?? [{Name: 'EventSourceMappingUUID', Value: uuid}],
        },
        Period: period,
        Stat: stat,
      },
    })),
  })

/** The sum of each metric that has points. */
async function sums(client: CloudWatchClient, uuid: string, asked?: Asked): Promise<Record<string, number>> {
  const {MetricDataResults = []} = await client.send(ask(uuid, asked))
  return Object.fromEntries(
    MetricDataResults.filter(({Values = []}) => Values.length > 0).map(({Label, Values = []}) => [
      Label,
      Values.reduce((sum, value) => sum + value, 0),
    ]),
  )
}

const groups = (...Metrics: ('EventCount' | 'KafkaMetrics')[]) => ({MetricsConfig: {Metrics}})

describe('CloudWatch', () => {
  it("tells AWS's own client what a mapping polled, filtered out, invoked, and gave up", async () => {
    const {local, client, send} = await mappedTopic()
    const metrics = cloudWatch(local)
    await send('{"kind": "wanted"}', '{"kind": "other"}', '{"kind": "wanted", "is": "poison"}')

    const uuid = await attach(client, local, {
      ...groups('EventCount', 'KafkaMetrics'),
      FilterCriteria: {Filters: [{Pattern: '{"value": {"kind": ["wanted"]}}'}]},
      BatchSize: 1,
      MaximumRetryAttempts: 1,
      DestinationConfig: {OnFailure: {Destination: 'arn:aws:sqs:us-east-1:123456789012:failed'}},
    })

    const told = await until(
      () => sums(metrics, uuid),
      (now) => now['OnFailureDestinationDeliveredEventCount'] === 1 && now['SumOffsetLag'] === 0,
    )
    expect(told).toEqual({
      PolledEventCount: 3,
      FilteredOutEventCount: 1,
      InvokedEventCount: 3,
      FailedInvokeEventCount: 2,
      OnFailureDestinationDeliveredEventCount: 1,
      MaxOffsetLag: 0,
      SumOffsetLag: 0,
    })
  })

  it('has no metric of a group that the mapping does not ask for', async () => {
    const {local, client, send} = await mappedTopic()
    const metrics = cloudWatch(local)
    await send('a')

    const none = await attach(client, local)
    await seenUntil(local, (seen) => seen.length === 1)

    expect(await sums(metrics, none)).toEqual({})
  })

  it('has the lag of the partitions, largest and summed, behind what was committed', async () => {
    const {local, client, producer, admin} = await mappedTopic({partitions: 2})
    const metrics = cloudWatch(local)
    await admin.setOffsets({
      groupId: 'g',
      topic: 'orders',
      partitions: [
        {partition: 0, offset: '0'},
        {partition: 1, offset: '0'},
      ],
    })
    const poison = (count: number) => Array.from({length: count}, () => ({value: 'poison'}))
    for (const [partition, count] of [
      [0, 3],
      [1, 4],
    ] as const)
      await producer.send({topic: 'orders', messages: poison(count).map((message) => ({...message, partition}))})

    const uuid = await attach(client, local, {
      ...groups('KafkaMetrics'),
      AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g'},
    })

    expect(await sums(metrics, uuid)).toEqual({MaxOffsetLag: 4, SumOffsetLag: 7})
  })

  it('refuses what it cannot answer, and knows no other operation', async () => {
    const {local, client} = await mappedTopic()
    const metrics = cloudWatch(local)
    const uuid = await attach(client, local, groups('EventCount'))

    await expect(metrics.send(ask(uuid, {stat: 'p99'}))).rejects.toThrow('the Sum of PolledEventCount only')
    await expect(metrics.send(ask(uuid, {period: 90}))).rejects.toThrow('Period is no multiple of 60')
    await expect(metrics.send(new ListMetricsCommand({}))).rejects.toThrow('nothing of CloudWatch but GetMetricData')
    expect(await sums(metrics, uuid, {dimensions: [{Name: 'FunctionName', Value: 'f'}]})).toEqual({})
  })
})
