import type {CloudWatchClient} from '@aws-sdk/client-cloudwatch'

import type {Access} from './msk.js'

export type Metric = {
  namespace: 'AWS/Kafka' | 'AWS/Lambda'
  name: string
  dimensions: Record<string, string>
  /** MSK Serverless publishes one point per partition: their sum is the value. */
  statistic: 'Sum' | 'Maximum'
}

export type Point = {value: number; at: Date}

const MINUTE_MS = 60_000
/** Of one call of GetMetricData. */
const MOST_METRICS = 500

/** The newest point of a metric, as of several. */
export const latestPoint = async (access: Access, metric: Metric): Promise<Point | null> =>
  (await latestPoints(access, [metric]))[0] ?? null

/** The newest point of each of up to 500 metrics in the last quarter of an hour; null where there is none. */
export const latestPoints = async (access: Access, metrics: readonly Metric[]): Promise<(Point | null)[]> =>
  (await recentPoints(access, metrics)).map(([newest]) => newest ?? null)

/**
 * The points of each of up to 500 metrics in the last quarter of an hour, by the minute, newest first. `access.endpointUrl` is
 * CloudWatch's, so leave that of another service out. Throws what the SDK throws, as all functions here do.
 */
export async function recentPoints(access: Access, metrics: readonly Metric[]): Promise<Point[][]> {
  const {GetMetricDataCommand} = await import('@aws-sdk/client-cloudwatch')
  const asked = metrics.slice(0, MOST_METRICS)
  const now = Date.now()
  const input = {
    StartTime: new Date(now - 15 * MINUTE_MS),
    EndTime: new Date(now),
    ScanBy: 'TimestampDescending' as const,
    MetricDataQueries: asked.map((metric, index) => ({Id: `m${index}`, MetricStat: statisticOf(metric)})),
  }
  const {MetricDataResults = []} = await withClient(access, (client, options) =>
    client.send(new GetMetricDataCommand(input), options),
  )
  return asked.map((_, index) => {
    const {Values = [], Timestamps = []} = MetricDataResults.find(({Id}) => Id === `m${index}`) ?? {}
    return Values.flatMap((value, at): Point[] => (Timestamps[at] ? [{value, at: Timestamps[at]}] : []))
  })
}

const statisticOf = ({namespace, name, dimensions, statistic}: Metric) => ({
  Metric: {Namespace: namespace, MetricName: name, Dimensions: dimensionsOf(dimensions)},
  Period: 60,
  Stat: statistic,
})

const dimensionsOf = (dimensions: Record<string, string>) => Object.entries(dimensions).map(([Name, Value]) => ({Name, Value}))

/** The dimensions of the metrics of that name which have these dimensions among theirs and were active in the last three hours. */
export async function findMetrics(
  access: Access,
  {namespace, name, dimensions}: Omit<Metric, 'statistic'>,
): Promise<Record<string, string>[]> {
  const {ListMetricsCommand} = await import('@aws-sdk/client-cloudwatch')
  return withClient(access, async (client, options) => {
    const found: Record<string, string>[] = []
    let token: string | undefined
    do {
      const page = await client.send(
        new ListMetricsCommand({
          Namespace: namespace,
          MetricName: name,
          Dimensions: dimensionsOf(dimensions),
          RecentlyActive: 'PT3H',
          ...(token && {NextToken: token}),
        }),
        options,
      )
      for (const {Dimensions = []} of page.Metrics ?? [])
        found.push(Object.fromEntries(Dimensions.map(({Name = '', Value = ''}) => [Name, Value])))
      token = page.NextToken
    } while (token)
    return found
  })
}

async function withClient<T>(
  {region, credentials, endpointUrl, timeoutMs}: Access,
  work: (client: CloudWatchClient, options: {abortSignal: AbortSignal}) => Promise<T>,
): Promise<T> {
  const sdk = await import('@aws-sdk/client-cloudwatch')
  const client = new sdk.CloudWatchClient({credentials, ...(region && {region}), ...(endpointUrl && {endpoint: endpointUrl})})
  try {
    return await work(client, {abortSignal: AbortSignal.timeout(timeoutMs)})
  } finally {
    client.destroy()
  }
}
