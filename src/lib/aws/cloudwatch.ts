import type {Access} from './msk.js'

export type Metric = {
  namespace: 'AWS/Kafka' | 'AWS/Lambda'
  name: string
  dimensions: Record<string, string>
  /** MSK Serverless publishes one point per partition: their sum is the value. */
  statistic: 'Sum' | 'Maximum'
}

type Point = {value: number; at: Date}

const MINUTE_MS = 60_000

/**
 * The newest point of a metric of the last `minutes`; null when there is none. `access.endpointUrl` is CloudWatch's, so leave that
 * of another service out. Throws what the SDK throws.
 */
export async function latestPoint(access: Access, metric: Metric, minutes = 15): Promise<Point | null> {
  const {CloudWatchClient, GetMetricDataCommand} = await import('@aws-sdk/client-cloudwatch')
  const client = new CloudWatchClient({
    ...(access.region && {region: access.region}),
    credentials: access.credentials,
    ...(access.endpointUrl && {endpoint: access.endpointUrl}),
  })
  try {
    const now = Date.now()
    const answer = await client.send(
      new GetMetricDataCommand({
        StartTime: new Date(now - minutes * MINUTE_MS),
        EndTime: new Date(now),
        ScanBy: 'TimestampDescending',
        MaxDatapoints: 100,
        MetricDataQueries: [
          {
            Id: 'm1',
            MetricStat: {
              Metric: {
                Namespace: metric.namespace,
                MetricName: metric.name,
                Dimensions: Object.entries(metric.dimensions).map(([Name, Value]) => ({Name, Value})),
              },
              Period: 60,
              Stat: metric.statistic,
            },
          },
        ],
      }),
      {abortSignal: AbortSignal.timeout(access.timeoutMs)},
    )
    const {Values = [], Timestamps = []} = answer.MetricDataResults?.[0] ?? {}
    return Values[0] === undefined || !Timestamps[0] ? null : {value: Values[0], at: Timestamps[0]}
  } finally {
    client.destroy()
  }
}
