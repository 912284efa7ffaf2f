import {afterEach, expect, it, vi} from 'vitest'

import {findMetrics, latestPoint, type Metric} from '../../../src/lib/aws/cloudwatch.js'
import {groupLag} from '../../../src/lib/aws/group-lag.js'
import {lagMetrics, scriptedCloudWatch} from '../../support/scripted-cloudwatch.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

const AT = 1_790_000_000
const access = {
  region: 'us-east-1',
  endpointUrl: undefined,
  credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'test'}),
  timeoutMs: 5_000,
}

const lag: Metric = {
  namespace: 'AWS/Kafka',
  name: 'SumOffsetLag',
  dimensions: {'Cluster Name': 'shop', 'Consumer Group': 'orders.placed', Topic: 'placed'},
  statistic: 'Sum',
}

async function scripted(answer: Parameters<typeof scriptedCloudWatch>[0]) {
  const {url, asked} = await scriptedCloudWatch(answer)
  vi.stubEnv('AWS_ENDPOINT_URL_CLOUDWATCH', url)
  return asked
}

it('reads the newest point of a metric with its time, summed over the partitions', async () => {
  const asked = await scripted(() => ({
    body: {MetricDataResults: [{Id: 'm0', Values: [42, 40], Timestamps: [AT, AT - 60]}]},
  }))

  expect(await latestPoint(access, lag)).toEqual({value: 42, at: new Date(AT * 1000)})

  const {ScanBy, MetricDataQueries} = asked[0]!.body
  expect(ScanBy).toBe('TimestampDescending')
  expect(MetricDataQueries[0].MetricStat).toEqual({
    Metric: {
      Namespace: 'AWS/Kafka',
      MetricName: 'SumOffsetLag',
      Dimensions: [
        {Name: 'Cluster Name', Value: 'shop'},
        {Name: 'Consumer Group', Value: 'orders.placed'},
        {Name: 'Topic', Value: 'placed'},
      ],
    },
    Period: 60,
    Stat: 'Sum',
  })
})

it('a metric without points has none', async () => {
  await scripted(() => ({body: {MetricDataResults: [{Id: 'm0', Values: [], Timestamps: []}]}}))

  expect(await latestPoint(access, lag)).toBeNull()
})

it('finds metrics of all pages', async () => {
  const page = (topic: string) => ({Metrics: [{Dimensions: [{Name: 'Topic', Value: topic}]}]})
  await scripted((_, {NextToken}) => ({body: NextToken ? page('b') : {...page('a'), NextToken: 'more'}}))

  expect(await findMetrics(access, lag)).toEqual([{Topic: 'a'}, {Topic: 'b'}])
})

it('throws what CloudWatch refuses with', async () => {
  await scripted(() => ({
    status: 403,
    body: {__type: 'AccessDenied', message: 'not authorized to perform: cloudwatch:GetMetricData'},
  }))

  await expect(latestPoint(access, lag)).rejects.toThrow('not authorized')
})

it('the lag of a group is that of its topics, as old as the oldest of them', async () => {
  await scripted(lagMetrics({placed: {lag: 40, seconds: 9}, paid: {lag: 2}}, AT))

  expect(await groupLag(access, 'shop', 'g')).toEqual({
    name: 'g',
    source: 'CloudWatch',
    at: new Date(AT * 1000).toISOString(),
    lag: 42,
    topics: [
      {topic: 'paid', lag: 2, timeToClearMs: null, at: new Date(AT * 1000).toISOString()},
      {topic: 'placed', lag: 40, timeToClearMs: 9_000, at: new Date(AT * 1000).toISOString()},
    ],
  })
})

it('a group that CloudWatch does not know has no lag there', async () => {
  await scripted(lagMetrics({}, AT))

  expect(await groupLag(access, 'shop', 'g')).toBeNull()
})
