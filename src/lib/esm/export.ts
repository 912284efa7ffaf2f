import {createInput, functionNameOf, type Mapping, type NewMapping, type StartingPosition} from '../aws/mapping.js'
import {groupOf, isOn, type Wanted} from './plan.js'

export type Format = 'cfn' | 'sam' | 'terraform'

/** A mapping that exists, as it would be wanted again. What AWS's default is, is left out. */
export function wantedOf(mapping: Mapping): Wanted {
  const {batchSize, batchingWindowSeconds, filters, onFailure, pollers, maxRetries, maxAgeSeconds, metrics, logLevel} = mapping
  return {
    function: mapping.function,
    eventSourceArn: mapping.eventSourceArn,
    topic: mapping.topic,
    group: mapping.group ?? mapping.uuid,
    startingPosition: (mapping.startingPosition ?? 'TRIM_HORIZON') as StartingPosition,
    ...(mapping.startingTime !== null && {startingTime: mapping.startingTime}),
    settings: {
      ...(batchSize !== null && {batchSize}),
      ...(batchingWindowSeconds !== null && {batchingWindowSeconds}),
      ...(filters.length > 0 && {filters}),
      ...(onFailure !== null && {onFailure}),
      ...(pollers !== null && {pollers}),
      ...(maxRetries !== null && maxRetries !== -1 && {maxRetries}),
      ...(maxAgeSeconds !== null && maxAgeSeconds !== -1 && {maxAgeSeconds}),
      ...(mapping.bisect && {bisect: true}),
      ...(mapping.reportBatchItemFailures && {reportBatchItemFailures: true}),
      ...(metrics.length > 0 && {metrics}),
      ...(logLevel !== null && {logLevel}),
      ...(!isOn(mapping) && {enabled: false}),
    },
    tags: {},
  }
}

/**
 * A template of the mappings in `width` chains: each is made after the one before it, because CloudFormation and Terraform create
 * side by side what does not depend on each other, and end at the first throttle (aws/aws-cdk#9882).
 */
export async function exportMappings(mappings: readonly Wanted[], format: Format, width = 1): Promise<string> {
  const names = namesOf(mappings)
  const chained = mappings.map((wanted, index) => ({wanted, name: names[index]!, after: names[index - width]}))
  return format === 'terraform' ? chained.map(terraform).join('\n') : cloudFormation(chained, format)
}

type Chained = {wanted: Wanted; name: string; after: string | undefined}

/** Letters and digits of function and topic, which CloudFormation takes; numbered when that is not enough to tell them apart. */
function namesOf(mappings: readonly Wanted[]): string[] {
  const counts = new Map<string, number>()
  return mappings.map(({function: name, topic}) => {
    const words = `${functionNameOf(name)} ${topic}`.split(/[^A-Za-z0-9]+/).filter(Boolean)
    const base = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
    const count = (counts.get(base) ?? 0) + 1
    counts.set(base, count)
    return count === 1 ? base : `${base}N${count}`
  })
}

const newMapping = (wanted: Wanted): NewMapping => ({
  functionName: wanted.function,
  eventSourceArn: wanted.eventSourceArn,
  topic: wanted.topic,
  group: groupOf(wanted),
  startingPosition: wanted.startingPosition ?? 'TRIM_HORIZON',
  ...(wanted.startingTime !== undefined && {startingTime: wanted.startingTime}),
  ...wanted.settings,
})

async function cloudFormation(chained: readonly Chained[], format: 'cfn' | 'sam'): Promise<string> {
  const {stringify} = await import('yaml')
  const resources = chained.map(({wanted, name, after}) => [
    name,
    {
      Type: 'AWS::Lambda::EventSourceMapping',
      ...(after !== undefined && {DependsOn: after}),
      Properties: propertiesOf(wanted),
    },
  ])
  const template = {
    AWSTemplateFormatVersion: '2010-09-09',
    ...(format === 'sam' && {Transform: 'AWS::Serverless-2016-10-31'}),
    Resources: Object.fromEntries(resources),
  }
  const note =
    format === 'sam' ? '# Not as `Events` of their functions: SAM makes those all at once, and they cannot be chained.\n' : ''
  return `${note}${stringify(template, {lineWidth: 0}).trimEnd()}`
}

/** CloudFormation's properties are the members of the API, but for tags and times. */
function propertiesOf(wanted: Wanted): Record<string, unknown> {
  const {Tags: _, StartingPositionTimestamp, ...properties} = createInput(newMapping(wanted), {})
  const tags = Object.entries(wanted.tags).map(([Key, Value]) => ({Key, Value}))
  return {
    ...properties,
    ...(StartingPositionTimestamp && {StartingPositionTimestamp: StartingPositionTimestamp.getTime() / 1000}),
    ...(tags.length > 0 && {Tags: tags}),
  }
}

function terraform({wanted, name, after}: Chained): string {
  const {settings, tags} = wanted
  const {pollers} = settings
  const lines = [
    attribute('function_name', wanted.function),
    attribute('event_source_arn', wanted.eventSourceArn),
    attribute('topics', [wanted.topic]),
    attribute('starting_position', wanted.startingPosition ?? 'TRIM_HORIZON'),
    attribute('starting_position_timestamp', wanted.startingTime),
    attribute('enabled', settings.enabled),
    attribute('batch_size', settings.batchSize),
    attribute('maximum_batching_window_in_seconds', settings.batchingWindowSeconds),
    attribute('maximum_retry_attempts', settings.maxRetries),
    attribute('maximum_record_age_in_seconds', settings.maxAgeSeconds),
    attribute('bisect_batch_on_function_error', settings.bisect),
    attribute('function_response_types', settings.reportBatchItemFailures ? ['ReportBatchItemFailures'] : undefined),
    block('amazon_managed_kafka_event_source_config', [attribute('consumer_group_id', groupOf(wanted))]),
    settings.filters?.length
      ? block(
          'filter_criteria',
          settings.filters.map((pattern) => block('filter', [attribute('pattern', pattern)])),
        )
      : [],
    settings.onFailure
      ? block('destination_config', [block('on_failure', [attribute('destination_arn', settings.onFailure)])])
      : [],
    pollers
      ? block('provisioned_poller_config', [
          attribute('minimum_pollers', pollers.min),
          attribute('maximum_pollers', pollers.max),
          attribute('poller_group_name', pollers.group),
        ])
      : [],
    settings.metrics?.length ? block('metrics_config', [attribute('metrics', settings.metrics)]) : [],
    settings.logLevel ? block('logging_config', [attribute('system_log_level', settings.logLevel)]) : [],
    Object.keys(tags).length > 0 ? tagsBlock(tags) : [],
    after === undefined ? [] : [`depends_on = [aws_lambda_event_source_mapping.${after}]`],
  ]
  const body = lines.flat().map((line) => `  ${line}`)
  return [`resource "aws_lambda_event_source_mapping" "${name}" {`, ...body, '}', ''].join('\n')
}

const attribute = (name: string, value: unknown): string[] => (value === undefined ? [] : [`${name} = ${literal(value)}`])

const block = (name: string, lines: readonly string[][]): string[] => [
  `${name} {`,
  ...lines.flat().map((line) => `  ${line}`),
  '}',
]

const tagsBlock = (tags: Record<string, string>): string[] => [
  'tags = {',
  ...Object.entries(tags).map(([key, value]) => `  ${literal(key)} = ${literal(value)}`),
  '}',
]

/** `${` and `%{` begin templates in HCL. */
const literal = (value: unknown): string => JSON.stringify(value).replaceAll(/([$%])\{/g, '$1$1{')
