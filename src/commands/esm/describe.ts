import {Args} from '@oclif/core'

import type {Mapping} from '../../lib/aws/mapping.js'
import {formatDuration} from '../../lib/duration.js'
import {readTags} from '../../lib/esm/attach.js'
import {type Health, healthOf} from '../../lib/esm/health.js'
import {theOnly} from '../../lib/esm/select.js'
import {EsmCommand, selectionFlags} from '../../lib/esm-command.js'
import {type Lag, lagOf} from '../../lib/esm-evidence.js'
import {type MetricValues, metricValuesOf} from '../../lib/esm-metrics.js'

type Described = Mapping & {health: Health; tags: Record<string, string>; lag: Lag; metricValues: MetricValues | null}

export default class EsmDescribe extends EsmCommand<typeof EsmDescribe> {
  static override description = 'show the state, the health and the settings of a mapping'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --function orders --topic orders',
    '<%= config.bin %> <%= command.id %> 0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9 --query health.words',
  ]
  static override args = {uuid: Args.string({description: 'the mapping'})}
  static override flags = selectionFlags

  async run(): Promise<Described> {
    const uuids = this.args.uuid === undefined ? [] : [this.args.uuid]
    this.requireSelection(uuids)
    const account = await this.account()
    const described = await this.withLambda(account, async (world) => {
      const mapping = theOnly(await this.selected(world, account, uuids))
      const [tags, lag, metricValues] = await Promise.all([
        readTags(world, mapping.arn),
        lagOf(() => this.kafkaOf(mapping), this.othersAccess(account), mapping),
        metricValuesOf(this.metricsAccess(account), mapping).catch((error: Error) => {
          this.note(`CloudWatch does not tell the metrics of the mapping: ${error.message}`)
          return null
        }),
      ])
      return {...mapping, health: healthOf(mapping), tags, lag, metricValues}
    })
    this.table(rowsOf(described), {field: ([field]) => field, value: ([, value]) => value})
    return described
  }
}

function rowsOf({
  health,
  tags,
  lag,
  metricValues,
  filters,
  metrics,
  pollers,
  ...mapping
}: Described): [string, string | number | boolean][] {
  const rows: [string, string | number | boolean | null | undefined][] = [
    ['health', health.words],
    ['cause', health.cause],
    ['fix', health.fix],
    ['lag', lagText(lag)],
    ['last result', mapping.lastProcessingResult],
    ['state', mapping.state],
    ['state reason', mapping.stateReason],
    ['function', mapping.function],
    ['topic', mapping.topic],
    ['group', mapping.group],
    ['cluster', mapping.eventSourceArn],
    ['uuid', mapping.uuid],
    ['last modified', mapping.lastModified],
    ['starting position', [mapping.startingPosition, mapping.startingTime].filter(Boolean).join(' ')],
    ['batch size', mapping.batchSize],
    ['batching window (s)', mapping.batchingWindowSeconds],
    ['filters', filters.join(' or ')],
    ['on failure', mapping.onFailure],
    ['pollers', pollers && `${pollers.min ?? 1} to ${pollers.max ?? 200}${pollers.group ? ` of group ${pollers.group}` : ''}`],
    ['max retries', mapping.maxRetries],
    ['max age (s)', mapping.maxAgeSeconds],
    ['bisect', mapping.bisect],
    ['report batch item failures', mapping.reportBatchItemFailures],
    ['metrics', metrics.join(', ')],
    ...Object.entries(metricValues ?? {}).map(([name, value]): [string, number] => [
      `${name}${/Count$/.test(name) ? ', 15m' : ''}`,
      value,
    ]),
    ['log level', mapping.logLevel],
    [
      'tags',
      Object.entries(tags)
        .map(([key, value]) => `${key}=${value}`)
        .join(', '),
    ],
  ]
  return rows.filter(
    (row): row is [string, string | number | boolean] => row[1] !== null && row[1] !== undefined && row[1] !== '',
  )
}

function lagText(lag: Lag): string {
  if (lag.records === null) return `not known (${lag.reason})`
  const age = formatDuration(Math.max(0, Date.now() - Date.parse(lag.at)))
  return `${lag.records} records (${lag.source === 'brokers' ? 'the brokers, now' : `CloudWatch, ${age} ago`})`
}
