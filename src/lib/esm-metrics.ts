import {type Metric, recentPoints} from './aws/cloudwatch.js'
import type {Mapping} from './aws/mapping.js'
import type {Access} from './aws/msk.js'

/** By AWS's names, those that CloudWatch has points of: counts of records in the last quarter of an hour, and the newest lags. */
export type MetricValues = Record<string, number>

/** Which metrics a mapping has by the groups of its MetricsConfig: docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html */
const COUNTS = [
  'PolledEventCount',
  'FilteredOutEventCount',
  'InvokedEventCount',
  'FailedInvokeEventCount',
  'DroppedEventCount',
  'OnFailureDestinationDeliveredEventCount',
]
const LAGS = ['MaxOffsetLag', 'SumOffsetLag']

/** Dimension: third-party reports of Lambda's metrics of event-source mappings. */
export const mappingMetric = (uuid: string, name: string, statistic: Metric['statistic']): Metric => ({
  namespace: 'AWS/Lambda',
  name,
  dimensions: {EventSourceMappingUUID: uuid},
  statistic,
})

/** Null when the mapping asks for none of them, or CloudWatch has no point. Throws what the SDK throws. */
export async function metricValuesOf(access: Access, {uuid, metrics}: Mapping): Promise<MetricValues | null> {
  const asked = [
    ...(metrics.includes('EventCount') ? COUNTS.map((name) => mappingMetric(uuid, name, 'Sum')) : []),
    ...(metrics.includes('KafkaMetrics') ? LAGS.map((name) => mappingMetric(uuid, name, 'Maximum')) : []),
  ]
  if (asked.length === 0) return null
  const found = await recentPoints(access, asked)
  const values = asked.flatMap(({name, statistic}, index): [string, number][] => {
    const points = found[index] ?? []
    if (points.length === 0) return []
    return [[name, statistic === 'Sum' ? points.reduce((sum, {value}) => sum + value, 0) : points[0]!.value]]
  })
  return values.length === 0 ? null : Object.fromEntries(values)
}
