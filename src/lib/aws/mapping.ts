import type {
  CreateEventSourceMappingCommandInput,
  EventSourceMappingConfiguration,
  UpdateEventSourceMappingCommandInput,
} from '@aws-sdk/client-lambda'

export type StartingPosition = 'TRIM_HORIZON' | 'LATEST' | 'AT_TIMESTAMP'
type Pollers = {min?: number; max?: number; group?: string}

/** What can be changed while a mapping exists. A member that is left out is AWS's default on create, and stays as it is on update. */
export type MappingSettings = {
  enabled?: boolean
  /** Records, 1 to 10,000. */
  batchSize?: number
  batchingWindowSeconds?: number
  /** JSON patterns; an empty list takes the filters away. */
  filters?: readonly string[]
  /** ARN of a queue, topic or bucket, or `kafka://TOPIC`; null takes it away. */
  onFailure?: string | null
  /** Provisioned pollers; null goes back to on-demand ones. */
  pollers?: Pollers | null
  /** -1 is for ever. */
  maxRetries?: number
  /** -1 is for ever. */
  maxAgeSeconds?: number
  bisect?: boolean
  reportBatchItemFailures?: boolean
  metrics?: readonly string[]
  logLevel?: string
}

export type NewMapping = MappingSettings & {
  /** Name, name:alias, or ARN. */
  functionName: string
  eventSourceArn: string
  topic: string
  group: string
  startingPosition: StartingPosition
  /** ISO 8601, with AT_TIMESTAMP. */
  startingTime?: string
}

/** A mapping of a topic to a function, as `--json` shows it. */
export type Mapping = {
  uuid: string
  arn: string
  functionArn: string
  /** As it is typed: name, or name:alias. */
  function: string
  eventSourceArn: string
  topic: string
  /** Null when AWS named it by the mapping's UUID and did not say so. */
  group: string | null
  /** Creating, Enabling, Enabled, Disabling, Disabled, Updating or Deleting. */
  state: string
  stateReason: string | null
  /** `No records processed`, `OK` or `PROBLEM: …`. */
  lastProcessingResult: string | null
  lastModified: string | null
  startingPosition: string | null
  startingTime: string | null
  batchSize: number | null
  batchingWindowSeconds: number | null
  filters: string[]
  onFailure: string | null
  pollers: Pollers | null
  maxRetries: number | null
  maxAgeSeconds: number | null
  bisect: boolean
  reportBatchItemFailures: boolean
  metrics: string[]
  logLevel: string | null
}

/** `name` or `name:alias` of any way to write a function: name, partial ARN, ARN. `$LATEST` is what no alias means. */
export function functionNameOf(nameOrArn: string): string {
  const bare = nameOrArn.replace(/^(?:arn:[^:]+:lambda:[^:]*:)?(?:\d{12}:)?function:/, '')
  return bare.replace(/:\$LATEST$/, '')
}

export function mappingOf(found: EventSourceMappingConfiguration): Mapping {
  const functionArn = found.FunctionArn ?? ''
  return {
    uuid: found.UUID ?? '',
    arn: found.EventSourceMappingArn ?? '',
    functionArn,
    function: functionNameOf(functionArn),
    eventSourceArn: found.EventSourceArn ?? '',
    topic: found.Topics?.[0] ?? '',
    group: found.AmazonManagedKafkaEventSourceConfig?.ConsumerGroupId ?? null,
    state: found.State ?? '',
    stateReason: found.StateTransitionReason ?? null,
    lastProcessingResult: found.LastProcessingResult ?? null,
    lastModified: found.LastModified?.toISOString() ?? null,
    startingPosition: found.StartingPosition ?? null,
    startingTime: found.StartingPositionTimestamp?.toISOString() ?? null,
    batchSize: found.BatchSize ?? null,
    batchingWindowSeconds: found.MaximumBatchingWindowInSeconds ?? null,
    filters: (found.FilterCriteria?.Filters ?? []).map(({Pattern}) => Pattern ?? ''),
    onFailure: found.DestinationConfig?.OnFailure?.Destination || null,
    pollers: pollersOf(found),
    maxRetries: found.MaximumRetryAttempts ?? null,
    maxAgeSeconds: found.MaximumRecordAgeInSeconds ?? null,
    bisect: found.BisectBatchOnFunctionError ?? false,
    reportBatchItemFailures: found.FunctionResponseTypes?.includes('ReportBatchItemFailures') ?? false,
    metrics: [...(found.MetricsConfig?.Metrics ?? [])],
    logLevel: found.LoggingConfig?.SystemLogLevel ?? null,
  }
}

function pollersOf({ProvisionedPollerConfig: config}: EventSourceMappingConfiguration): Pollers | null {
  if (!config || config.MinimumPollers === undefined) return null
  return {
    min: config.MinimumPollers,
    ...(config.MaximumPollers !== undefined && {max: config.MaximumPollers}),
    ...(config.PollerGroupName && {group: config.PollerGroupName}),
  }
}

export function createInput(mapping: NewMapping, tags: Record<string, string>): CreateEventSourceMappingCommandInput {
  const {functionName, eventSourceArn, topic, group, startingPosition, startingTime, ...settings} = mapping
  return {
    FunctionName: functionName,
    EventSourceArn: eventSourceArn,
    Topics: [topic],
    StartingPosition: startingPosition,
    ...(startingTime !== undefined && {StartingPositionTimestamp: new Date(startingTime)}),
    AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: group},
    Tags: tags,
    ...settingsInput(settings),
  }
}

export const updateInput = (uuid: string, settings: MappingSettings): UpdateEventSourceMappingCommandInput => ({
  UUID: uuid,
  ...settingsInput(settings),
})

/** AWS ignores a member that is missing; an empty object is what takes a setting away. */
function settingsInput(settings: MappingSettings): Omit<UpdateEventSourceMappingCommandInput, 'UUID'> {
  const {enabled, batchSize, batchingWindowSeconds, filters, onFailure, pollers, maxRetries, maxAgeSeconds} = settings
  const {bisect, reportBatchItemFailures, metrics, logLevel} = settings
  return {
    ...(enabled !== undefined && {Enabled: enabled}),
    ...(batchSize !== undefined && {BatchSize: batchSize}),
    ...(batchingWindowSeconds !== undefined && {MaximumBatchingWindowInSeconds: batchingWindowSeconds}),
    ...(filters && {FilterCriteria: filters.length > 0 ? {Filters: filters.map((Pattern) => ({Pattern}))} : {}}),
    ...(onFailure !== undefined && {DestinationConfig: {OnFailure: onFailure === null ? {} : {Destination: onFailure}}}),
    ...(pollers !== undefined && {ProvisionedPollerConfig: pollersInput(pollers)}),
    ...(maxRetries !== undefined && {MaximumRetryAttempts: maxRetries}),
    ...(maxAgeSeconds !== undefined && {MaximumRecordAgeInSeconds: maxAgeSeconds}),
    ...(bisect !== undefined && {BisectBatchOnFunctionError: bisect}),
    ...(reportBatchItemFailures !== undefined && {
      FunctionResponseTypes: reportBatchItemFailures ? ['ReportBatchItemFailures'] : [],
    }),
    ...(metrics && {MetricsConfig: {Metrics: metrics as ('EventCount' | 'ErrorCount' | 'KafkaMetrics')[]}}),
    ...(logLevel !== undefined && {LoggingConfig: {SystemLogLevel: logLevel as 'DEBUG' | 'INFO' | 'WARN'}}),
  }
}

const pollersInput = (pollers: Pollers | null) => ({
  ...(pollers?.min !== undefined && {MinimumPollers: pollers.min}),
  ...(pollers?.max !== undefined && {MaximumPollers: pollers.max}),
  ...(pollers?.group !== undefined && {PollerGroupName: pollers.group}),
})
