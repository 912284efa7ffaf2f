import type {RunningCluster} from '../clusters.js'
import {EVENT_COUNTS, type EventCount} from '../lambda/mapping-metrics.js'
import type {MappingRecord} from '../lambda/mapping-record.js'
import type {Mappings} from '../lambda/mappings.js'
import {lagsOf} from '../lambda/partition-source.js'
import {AwsError} from './error.js'
import {readInteger, readList, readObject, readRequiredText, readText} from './lambda-input.js'
import type {AwsRequest, AwsResponse, Route} from './server.js'

type Members = AwsRequest['body']

export type CloudWatchOptions = {
  mappings: Mappings
  /** Undefined while the cluster does not run. */
  cluster(arn: string): RunningCluster | undefined
  /** Epoch milliseconds. */
  now?(): number
}

/** The two of KafkaMetrics, and how the lags of the partitions make each. */
const LAGS: Record<string, (lags: readonly number[]) => number> = {
  MaxOffsetLag: (lags) => Math.max(...lags),
  SumOffsetLag: (lags) => lags.reduce((sum, lag) => sum + lag, 0),
}

const TARGET = 'GraniteServiceVersion20100801.GetMetricData'
const MINUTE_MS = 60_000
const MOST_QUERIES = 500
const EARLIEST = -8_640_000_000_000
const LATEST = 8_640_000_000_000

/** GetMetricData in AWS's JSON protocol, for the metrics of mappings and nothing else: all that is asked of CloudWatch about them. */
export function cloudWatchRoutes(options: CloudWatchOptions): Route[] {
  const handle = (request: AwsRequest): AwsResponse => {
    if (request.header('x-amz-target') === TARGET) return getMetricData(options, request)
    throw new AwsError(404, 'UnknownOperationException', 'skk local knows nothing of CloudWatch but GetMetricData.')
  }
  return [{method: 'POST', path: '/', service: 'monitoring', action: 'cloudwatch:GetMetricData', handle}]
}

function getMetricData(options: CloudWatchOptions, {body}: AwsRequest): AwsResponse {
  // As CloudWatch does, so that the minute in which a window begins counts as in it.
  const start = Math.floor(readTime(body, 'StartTime') / MINUTE_MS) * MINUTE_MS
  const end = readTime(body, 'EndTime')
  const oldestFirst = readText(body, 'ScanBy', {max: 64}) === 'TimestampAscending'
  const results = (readList(body, 'MetricDataQueries', {max: MOST_QUERIES}) ?? []).map((one) => {
    const query = readObject({query: one}, 'query') ?? {}
    const id = readRequiredText(query, 'Id', {max: 255})
    const {name, points} = answerTo(query, options)
    const wanted = points.filter(([at]) => at >= start && at < end).sort(([a], [b]) => (oldestFirst ? a - b : b - a))
    return {
      Id: id,
      Label: readText(query, 'Label', {max: 2000}) ?? name,
      Timestamps: wanted.map(([at]) => at / 1000),
      Values: wanted.map(([, value]) => value),
      StatusCode: 'Complete',
    }
  })
  return {status: 200, body: {MetricDataResults: results, Messages: []}}
}

/** Epoch milliseconds; on the wire they are seconds. */
function readTime(body: Members, name: string): number {
  const seconds = body[name]
  if (typeof seconds !== 'number' || !(seconds >= EARLIEST && seconds <= LATEST)) throw invalid(`${name} is not a time.`)
  return seconds * 1000
}

type Points = [at: number, value: number][]

function answerTo(query: Members, options: CloudWatchOptions): {name: string; points: Points} {
  const asked = readObject(query, 'MetricStat')
  if (!asked) throw invalid('skk local answers no expressions: a query needs MetricStat.')
  const period = readInteger(asked, 'Period', {min: 60, max: 86_400}) ?? 60
  if (period % 60 !== 0) throw invalid('Period is no multiple of 60.')
  const metric = readObject(asked, 'Metric') ?? {}
  const name = readRequiredText(metric, 'MetricName', {max: 255})
  const stat = readRequiredText(asked, 'Stat', {max: 64})
  const mapping = readText(metric, 'Namespace', {max: 255}) === 'AWS/Lambda' ? mappingOf(metric, options) : undefined
  if (!mapping) return {name, points: []}
  if (name in LAGS) return {name, points: lagPoints(name, mapping, options)}
  const counted = EVENT_COUNTS.includes(name as EventCount) && mapping.metrics?.includes('EventCount')
  if (!counted) return {name, points: []}
  if (stat !== 'Sum') throw invalid(`skk local has the Sum of ${name} only.`)
  return {name, points: sumBy(period * 1000, options.mappings.metricsOf(mapping.uuid).points(name as EventCount))}
}

/** The mapping that the metric's one dimension names. */
function mappingOf(metric: Members, {mappings}: CloudWatchOptions): MappingRecord | undefined {
  const [dimension, ...more] = (readList(metric, 'Dimensions', {max: 30}) ?? []).map((one) => readObject({one}, 'one') ?? {})
  if (!dimension || more.length > 0 || dimension['Name'] !== 'EventSourceMappingUUID') return undefined
  return mappings.find(readRequiredText(dimension, 'Value', {max: 1024}))
}

function sumBy(periodMs: number, points: Points): Points {
  const sums = new Map<number, number>()
  for (const [at, value] of points) {
    const start = at - (at % periodMs)
    sums.set(start, (sums.get(start) ?? 0) + value)
  }
  return [...sums]
}

/** One point, of this minute: how far behind the mapping is now. None while it does not poll, or has committed nothing. */
function lagPoints(name: string, mapping: MappingRecord, {cluster, now = Date.now}: CloudWatchOptions): Points {
  const running = cluster(mapping.eventSourceArn)
  if (!running || mapping.state !== 'Enabled' || !mapping.metrics?.includes('KafkaMetrics')) return []
  const lags = lagsOf(running.broker, mapping)
  const at = now()
  return lags.length === 0 ? [] : [[at - (at % MINUTE_MS), LAGS[name]!(lags)]]
}

const invalid = (message: string): AwsError => new AwsError(400, 'InvalidParameterValue', message)
