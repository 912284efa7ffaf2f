import {compileFilter, FilterError} from '../../lambda/filter.js'
import {parseOnFailure} from '../lambda/destinations.js'
import type {MappingSettings, NewMapping, StartingPosition} from '../lambda/mapping-record.js'
import {
  invalidParameter,
  readBoolean,
  readChoice,
  readInteger,
  readList,
  readObject,
  readRequiredText,
  readTags,
  readText,
  readTexts,
} from './lambda-input.js'
import type {AwsRequest} from './server.js'

type Body = AwsRequest['body']

/** Bounds: @aws-sdk/client-lambda's model and docs.aws.amazon.com/lambda/latest/dg/msk-esm-parameters.html, as of 2026-11-20. */
const TOPIC = /^[^.]([a-zA-Z0-9\-_.]+)$/
const GROUP = /^[a-zA-Z0-9-/*:_+=.@-]+$/
const MAX_FILTERS = 5

const DEFAULTS: Omit<MappingSettings, 'functionArn'> = {
  batchSize: 100,
  maximumBatchingWindowInSeconds: undefined,
  filters: [],
  onFailure: undefined,
  maximumRetryAttempts: -1,
  maximumRecordAgeInSeconds: -1,
  bisectBatchOnFunctionError: false,
  functionResponseTypes: [],
  provisionedPollerConfig: undefined,
  metrics: undefined,
  systemLogLevel: undefined,
  kmsKeyArn: undefined,
  enabled: true,
}

/** Parameters of other sources; Lambda refuses them for this one. */
const FOREIGN = [
  'ScalingConfig',
  'ParallelizationFactor',
  'TumblingWindowInSeconds',
  'Queues',
  'SelfManagedKafkaEventSourceConfig',
  'DocumentDBEventSourceConfig',
]

/** A mapping as CreateEventSourceMapping describes it, its function and source not yet looked up. @throws AwsError */
export function readNewMapping(body: Body, now: number): Omit<NewMapping, 'functionArn'> {
  const {SelfManagedEventSource} = body
  if (SelfManagedEventSource) throw invalidParameter('skk local has Amazon MSK event sources only, no self-managed ones.')
  const eventSourceArn = readText(body, 'EventSourceArn', {max: 1024})
  if (eventSourceArn === undefined) throw invalidParameter('Event source ARN is required for this event source type.')
  const topics = readTexts(body, 'Topics', {max: 1}) ?? []
  if (topics.length !== 1) throw invalidParameter('Topics must contain exactly one topic name for Kafka event sources.')
  const topic = readRequiredText({topics: topics[0]}, 'topics', {pattern: TOPIC, max: 249})
  const settings = readMappingSettings(body, topic)
  const source = readObject(body, 'AmazonManagedKafkaEventSourceConfig') ?? {}
  refuseSchemaRegistry(source)
  return {
    ...DEFAULTS,
    ...settings,
    eventSourceArn,
    topic,
    groupId: readText(source, 'ConsumerGroupId', {pattern: GROUP, max: 200}),
    ...readPosition(body, now),
    tags: readTags(body),
  }
}

function readPosition(body: Body, now: number): {startingPosition: StartingPosition; startingTimestamp: number | undefined} {
  const startingPosition = readChoice(body, 'StartingPosition', ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'] as const)
  if (startingPosition === undefined) {
    throw invalidParameter(
      "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
    )
  }
  const seconds = body['StartingPositionTimestamp'] ?? undefined
  if (seconds !== undefined && (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds < 0)) {
    throw invalidParameter('StartingPositionTimestamp must be a time in seconds since 1970.')
  }
  if (startingPosition === 'AT_TIMESTAMP' && seconds === undefined) {
    throw invalidParameter('StartingPositionTimestamp must be specified when StartingPosition is AT_TIMESTAMP.')
  }
  if (startingPosition !== 'AT_TIMESTAMP' && seconds !== undefined) {
    throw invalidParameter('StartingPositionTimestamp is only supported when StartingPosition is AT_TIMESTAMP.')
  }
  const startingTimestamp = seconds === undefined ? undefined : Math.round(seconds * 1000)
  if (startingTimestamp !== undefined && startingTimestamp > now)
    throw invalidParameter('StartingPositionTimestamp cannot be in the future.')
  return {startingPosition, startingTimestamp}
}

/** What UpdateEventSourceMapping changes too; only what the body names. `topic` is the mapping's own. @throws AwsError */
export function readMappingSettings(body: Body, topic: string): Partial<Omit<MappingSettings, 'functionArn'>> {
  for (const name of FOREIGN) {
    if (isPresent(body[name])) throw invalidParameter(`Unsupported ${name} parameter for given event source mapping type.`)
  }
  if ((readList(body, 'SourceAccessConfigurations', {max: 22})?.length ?? 0) > 0) {
    throw invalidParameter('MSK Serverless authenticates Lambda with IAM; SourceAccessConfigurations are not supported here.')
  }
  const read = {
    batchSize: readInteger(body, 'BatchSize', {min: 1, max: 10_000}),
    maximumBatchingWindowInSeconds: readInteger(body, 'MaximumBatchingWindowInSeconds', {min: 0, max: 300}),
    filters: readFilters(body),
    maximumRetryAttempts: readInteger(body, 'MaximumRetryAttempts', {min: -1, max: 10_000}),
    maximumRecordAgeInSeconds: readRecordAge(body),
    bisectBatchOnFunctionError: readBoolean(body, 'BisectBatchOnFunctionError'),
    functionResponseTypes: readResponseTypes(body),
    metrics: readMetrics(body),
    systemLogLevel: readChoice(readObject(body, 'LoggingConfig') ?? {}, 'SystemLogLevel', ['DEBUG', 'INFO', 'WARN']),
    kmsKeyArn: readText(body, 'KMSKeyArn', {max: 2048}),
    enabled: readBoolean(body, 'Enabled'),
  }
  const settings: Partial<MappingSettings> = Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined))
  // Empty objects unset these two.
  if (readObject(body, 'DestinationConfig')) settings.onFailure = readOnFailure(body, topic)
  if (readObject(body, 'ProvisionedPollerConfig')) settings.provisionedPollerConfig = readPollers(body)
  return settings
}

const isPresent = (value: unknown): boolean =>
  value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0)

function readFilters(body: Body): string[] | undefined {
  const criteria = readObject(body, 'FilterCriteria')
  if (!criteria) return undefined
  const filters = readList(criteria, 'Filters', {max: 10}) ?? []
  if (filters.length > MAX_FILTERS) throw invalidParameter(`A mapping has at most ${MAX_FILTERS} filters.`)
  return filters.map((filter) => {
    const pattern = readRequiredText(readObject({filter}, 'filter') ?? {}, 'Pattern', {max: 4096})
    try {
      compileFilter(pattern)
      return pattern
    } catch (error) {
      if (!(error instanceof FilterError)) throw error
      throw invalidParameter(`Invalid filter pattern definition. (${error.message})`)
    }
  })
}

function readRecordAge(body: Body): number | undefined {
  const age = readInteger(body, 'MaximumRecordAgeInSeconds', {min: -1, max: 604_800})
  if (age !== undefined && age !== -1 && age < 60) {
    throw invalidParameter('MaximumRecordAgeInSeconds must be -1, or from 60 to 604800.')
  }
  return age
}

function readResponseTypes(body: Body): string[] | undefined {
  const types = readTexts(body, 'FunctionResponseTypes', {max: 1})
  const stray = types?.find((type) => type !== 'ReportBatchItemFailures')
  if (stray !== undefined)
    throw invalidParameter(`The function response type "${stray.slice(0, 64)}" is not ReportBatchItemFailures.`)
  return types
}

function readMetrics(body: Body): string[] | undefined {
  const metrics = readTexts(readObject(body, 'MetricsConfig') ?? {}, 'Metrics', {max: 3})
  const stray = metrics?.find((metric) => !['EventCount', 'ErrorCount', 'KafkaMetrics'].includes(metric))
  if (stray !== undefined)
    throw invalidParameter(`The metric "${stray.slice(0, 64)}" is not EventCount, ErrorCount or KafkaMetrics.`)
  return metrics
}

function readOnFailure(body: Body, topic: string): string | undefined {
  const config = readObject(body, 'DestinationConfig') ?? {}
  if (isPresent(config['OnSuccess']))
    throw invalidParameter('Unsupported OnSuccess parameter for given event source mapping type.')
  const destination = readText(readObject(config, 'OnFailure') ?? {}, 'Destination', {max: 350})
  if (destination === undefined || destination === '') return undefined
  const parsed = parseOnFailure(destination)
  if (!parsed) throw invalidParameter(`The destination "${destination}" is not an ARN of SQS, SNS or S3, nor kafka://TOPIC.`)
  if (parsed.service === 'kafka' && parsed.name === topic) {
    throw invalidParameter('The on-failure destination cannot be the topic of the event source.')
  }
  return destination
}

function readPollers(body: Body): Record<string, unknown> | undefined {
  const config = readObject(body, 'ProvisionedPollerConfig') ?? {}
  if (Object.keys(config).length === 0) return undefined
  const MinimumPollers = readInteger(config, 'MinimumPollers', {min: 1, max: 200}) ?? 1
  const MaximumPollers = readInteger(config, 'MaximumPollers', {min: 1, max: 2000}) ?? Math.max(200, MinimumPollers)
  const PollerGroupName = readText(config, 'PollerGroupName', {pattern: /^[a-zA-Z0-9-_]{0,128}$/, max: 128})
  if (MinimumPollers > MaximumPollers) throw invalidParameter('MinimumPollers must not be greater than MaximumPollers.')
  return {MinimumPollers, MaximumPollers, ...(PollerGroupName !== undefined && {PollerGroupName})}
}

/** The group of a mapping never changes. @throws AwsError */
export function refuseAnotherGroup(body: Body, groupId: string): void {
  const source = readObject(body, 'AmazonManagedKafkaEventSourceConfig') ?? {}
  refuseSchemaRegistry(source)
  const wanted = readText(source, 'ConsumerGroupId', {max: 200})
  if (wanted !== undefined && wanted !== groupId) throw invalidParameter('ConsumerGroupId cannot be updated.')
}

function refuseSchemaRegistry(source: Body): void {
  if (isPresent(source['SchemaRegistryConfig'])) throw invalidParameter('skk local has no schema registries.')
}
