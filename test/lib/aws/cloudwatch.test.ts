import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {json} from 'node:stream/consumers'

import {afterEach, expect, it, onTestFinished, vi} from 'vitest'

import {latestPoint, type Metric} from '../../../src/lib/aws/cloudwatch.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

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

/** CloudWatch, as far as GetMetricData goes, with this answer; what was asked. */
async function scripted(body: object, status = 200): Promise<any[]> {
  const asked: any[] = []
  const server = createServer(async (request, response) => {
    asked.push(await json(request))
    response.writeHead(status, {'content-type': 'application/x-amz-json-1.0'})
    response.end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  vi.stubEnv('AWS_ENDPOINT_URL_CLOUDWATCH', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return asked
}

it('reads the newest point of a metric with its time, summed over the partitions', async () => {
  const at = 1_790_000_000
  const asked = await scripted({MetricDataResults: [{Id: 'm1', Values: [42, 40], Timestamps: [at, at - 60]}]})

  expect(await latestPoint(access, lag)).toEqual({value: 42, at: new Date(at * 1000)})

  const [{ScanBy, MetricDataQueries}] = asked
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
  await scripted({MetricDataResults: [{Id: 'm1', Values: [], Timestamps: []}]})

  expect(await latestPoint(access, lag)).toBeNull()
})

it('throws what CloudWatch refuses with', async () => {
  await scripted({__type: 'AccessDenied', message: 'not authorized to perform: cloudwatch:GetMetricData'}, 403)

  await expect(latestPoint(access, lag)).rejects.toThrow('not authorized')
})
