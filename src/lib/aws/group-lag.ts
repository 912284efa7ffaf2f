import {findMetrics, latestPoints, type Metric, type Point} from './cloudwatch.js'
import type {Access} from './msk.js'

/** How far behind a group is in one topic, as CloudWatch had it last. `timeToClearMs` is AWS's own estimate. */
type TopicLag = {topic: string; lag: number; timeToClearMs: number | null; at: string}

/** What can be known of a group without a route to its brokers; `at` is the time of the oldest point, ISO 8601. */
export type LagFromMetrics = {name: string; source: 'CloudWatch'; at: string; lag: number; topics: TopicLag[]}

/** `cluster` is a name. Source: docs.aws.amazon.com/msk/latest/developerguide/metrics-details.html, in a copy of November 2026. */
export const sumOffsetLag = (cluster: string, group: string, topic: string): Metric =>
  lagMetric('SumOffsetLag', {'Cluster Name': cluster, 'Consumer Group': group, Topic: topic}, 'Sum')

/** Seconds until the largest lag of a partition is cleared; from the same page. */
const estimatedTime = (cluster: string, group: string, topic: string): Metric =>
  lagMetric('EstimatedMaxTimeLag', {'Cluster Name': cluster, 'Consumer Group': group, Topic: topic}, 'Maximum')

const lagMetric = (name: string, dimensions: Record<string, string>, statistic: Metric['statistic']): Metric => ({
  namespace: 'AWS/Kafka',
  name,
  dimensions,
  statistic,
})

/** The lag of a group by topic; null when CloudWatch has none of the last quarter of an hour. Throws what the SDK throws. */
export async function groupLag(access: Access, cluster: string, group: string): Promise<LagFromMetrics | null> {
  const found = await findMetrics(access, {
    namespace: 'AWS/Kafka',
    name: 'SumOffsetLag',
    dimensions: {'Cluster Name': cluster, 'Consumer Group': group},
  })
  const topics = [...new Set(found.flatMap(({Topic}) => Topic ?? []))].sort()
  if (topics.length === 0) return null
  const points = await latestPoints(
    access,
    topics.flatMap((topic) => [sumOffsetLag(cluster, group, topic), estimatedTime(cluster, group, topic)]),
  )
  const lags = topics.flatMap((topic, index) => topicLag(topic, points[2 * index], points[2 * index + 1]))
  if (lags.length === 0) return null
  return {
    name: group,
    source: 'CloudWatch',
    at: lags.map(({at}) => at).sort()[0]!,
    lag: lags.reduce((sum, {lag}) => sum + lag, 0),
    topics: lags,
  }
}

function topicLag(topic: string, sum: Point | null | undefined, time: Point | null | undefined): TopicLag[] {
  if (!sum) return []
  return [{topic, lag: sum.value, timeToClearMs: time ? time.value * 1000 : null, at: sum.at.toISOString()}]
}
