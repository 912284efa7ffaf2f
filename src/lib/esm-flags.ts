import {Flags, type Interfaces} from '@oclif/core'

import type {MappingSettings, StartingPosition} from './aws/mapping.js'
import {durationFlag} from './base-command.js'
import {SkkError} from './errors.js'

/** What can be set of a mapping and changed later. */
export const settingsFlags = {
  'batch-size': Flags.integer({description: 'records in a batch at most, 1 to 10000 (AWS: 100)'}),
  'batching-window': durationFlag({description: 'how long to gather a batch, in whole seconds (AWS: 500ms)'}),
  filter: Flags.string({
    description: 'pattern that a record must match, as JSON; any of several suffices',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: '<json>',
  }),
  'on-failure': Flags.string({
    description: 'where the records go that were given up: ARN of a queue, topic or bucket, or kafka://topic',
    helpValue: '<arn>',
  }),
  'min-pollers': Flags.integer({description: 'provisioned pollers at least; they cost money', min: 1, max: 200}),
  'max-pollers': Flags.integer({description: 'provisioned pollers at most', min: 1, max: 2000}),
  'poller-group': Flags.string({description: 'mappings of one group share their pollers', dependsOn: ['min-pollers']}),
  'max-retries': Flags.integer({description: 'how often a failed batch is tried again, -1 is for ever', min: -1, max: 10_000}),
  'max-age': durationFlag({description: 'records older than this are given up, 60s to 7d'}),
  bisect: Flags.boolean({description: 'halve a batch that failed', allowNo: true}),
  'report-batch-item-failures': Flags.boolean({description: 'the function says which records failed', allowNo: true}),
  metrics: Flags.option({
    options: ['EventCount', 'ErrorCount', 'KafkaMetrics'] as const,
    description: 'group of metrics of the mapping',
    multiple: true,
    multipleNonGreedy: true,
  })(),
  'log-level': Flags.option({options: ['DEBUG', 'INFO', 'WARN'] as const, description: "of AWS's own log of the mapping"})(),
}

type SettingsFlags = Interfaces.InferredFlags<typeof settingsFlags>

/** The settings that flags say; what they do not say is left out. Throws SkkError (usage). */
export function settingsOf(flags: SettingsFlags): MappingSettings {
  const {'min-pollers': min, 'max-pollers': max, 'poller-group': group} = flags
  return {
    ...given('batchSize', flags['batch-size']),
    ...given('batchingWindowSeconds', seconds(flags['batching-window'], '--batching-window')),
    ...given('filters', flags.filter),
    ...given('onFailure', flags['on-failure']),
    ...((min ?? max) !== undefined && {
      pollers: {...given('min', min), ...given('max', max), ...given('group', group)},
    }),
    ...given('maxRetries', flags['max-retries']),
    ...given('maxAgeSeconds', seconds(flags['max-age'], '--max-age')),
    ...given('bisect', flags.bisect),
    ...given('reportBatchItemFailures', flags['report-batch-item-failures']),
    ...given('metrics', flags.metrics),
    ...given('logLevel', flags['log-level']),
  }
}

const given = <Name extends string, Value>(name: Name, value: Value | undefined): {[Key in Name]?: Value} =>
  (value === undefined ? {} : {[name]: value}) as {[Key in Name]?: Value}

function seconds(ms: number | undefined, flag: string): number | undefined {
  if (ms === undefined || ms % 1000 === 0) return ms === undefined ? undefined : ms / 1000
  throw new SkkError(`${flag} must be whole seconds`, {code: 'USAGE', exit: 'usage', hint: 'Write it as 30s or 5m, for example.'})
}

export const POSITIONS: Record<string, StartingPosition> = {
  'trim-horizon': 'TRIM_HORIZON',
  latest: 'LATEST',
  'at-timestamp': 'AT_TIMESTAMP',
}

/** ISO 8601 of a time; UTC when it has no zone. Throws SkkError (usage). */
export function isoTime(text: string): string {
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i.test(text) || /^\d{4}-\d\d-\d\d$/.test(text) ? text : `${text}Z`
  const at = Date.parse(zoned)
  if (!Number.isNaN(at)) return new Date(at).toISOString()
  throw new SkkError(`"${text}" is not a time`, {code: 'USAGE', exit: 'usage', hint: 'Write it as 2026-11-21T10:00:00Z.'})
}
