import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {json} from 'node:stream/consumers'

import {onTestFinished} from 'vitest'

type Asked = {operation: string; body: any}

/** CloudWatch over real HTTP, with what a test answers to GetMetricData and ListMetrics. Gone when the test ends. */
export async function scriptedCloudWatch(
  answer: (operation: string, body: any) => {status?: number; body: object},
): Promise<{url: string; asked: Asked[]}> {
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    const operation = String(request.headers['x-amz-target']).split('.')[1]!
    const body = await json(request)
    asked.push({operation, body})
    const answered = answer(operation, body)
    response.writeHead(answered.status ?? 200, {'content-type': 'application/x-amz-json-1.0'})
    response.end(JSON.stringify(answered.body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return {url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked}
}

/** Lag of one group in these topics, as MSK Serverless publishes it. `at` in seconds. */
export function lagMetrics(lags: Record<string, {lag: number; seconds?: number}>, at: number) {
  const metricOf = ({Metric: {MetricName, Dimensions}}: any): number | undefined => {
    const {lag, seconds} = lags[Dimensions.find(({Name}: any) => Name === 'Topic').Value] ?? {}
    return MetricName === 'SumOffsetLag' ? lag : seconds
  }
  return (operation: string, body: any) => {
    if (operation === 'ListMetrics') {
      const Metrics = Object.keys(lags).map((topic) => ({Dimensions: [...body.Dimensions, {Name: 'Topic', Value: topic}]}))
      return {body: {Metrics}}
    }
    const MetricDataResults = body.MetricDataQueries.map(({Id, MetricStat}: any) => {
      const value = metricOf(MetricStat)
      return {Id, Values: value === undefined ? [] : [value], Timestamps: value === undefined ? [] : [at]}
    })
    return {body: {MetricDataResults}}
  }
}
