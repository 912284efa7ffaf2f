import type {Broker, Topic} from '../broker.js'
import type {DescribeConfigsRequest, DescribeConfigsResponse} from '../messages.js'
import {CONFIG_TYPES, configKeys} from '../topic-config.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'
import {once} from './once.js'

type Resource = DescribeConfigsRequest['resources'][number]
type Result = DescribeConfigsResponse['results'][number]
type Config = Required<Result['configs'][number]>

/** ConfigResource.Type and ConfigEntry.ConfigSource of Kafka's clients. */
export const RESOURCE = {topic: 2, broker: 4} as const
const SOURCE = {topic: 1, default: 5} as const

/**
 * DescribeConfigs v0-4: a topic's configs with where each comes from. A broker's are not described on MSK Serverless.
 *
 * - v1: sources and synonyms
 * - v3: types and documentation
 * - v4: flexible
 */
export const describeConfigs: Api<DescribeConfigsRequest, DescribeConfigsResponse> = {
  key: 32,
  versions: [0, 4],
  handle: ({resources}, call) => ({
    results: once(resources, ({resourceType, resourceName}) => `${resourceType} ${resourceName}`).map((resource) =>
      describe(resource, call),
    ),
  }),
}

function describe({resourceType, resourceName, configurationKeys}: Resource, {broker, allows}: Call): Result {
  const failure = (errorCode: number, errorMessage: string): Result => ({
    resourceType,
    resourceName,
    errorCode,
    errorMessage,
    configs: [],
  })
  if (resourceType === RESOURCE.broker) {
    if (broker.serverless) return failure(ERROR.clusterAuthorizationFailed, 'Cluster authorization failed.')
    return {resourceType, resourceName, errorCode: ERROR.none, errorMessage: null, configs: []}
  }
  if (resourceType !== RESOURCE.topic) return failure(ERROR.invalidRequest, `Unsupported resource type: ${resourceType}`)
  if (!allows('DescribeTopicDynamicConfiguration', broker.topicArn(resourceName))) {
    return failure(ERROR.topicAuthorizationFailed, 'Topic authorization failed.')
  }
  const topic = broker.topics.get(resourceName)
  if (!topic) return failure(ERROR.unknownTopicOrPartition, 'This server does not host this topic-partition.')
  const names = [...configKeys(broker.serverless).keys()].filter((name) => configurationKeys?.includes(name) ?? true)
  return {
    resourceType,
    resourceName,
    errorCode: ERROR.none,
    errorMessage: null,
    configs: names.map((name) => describeConfig(broker, topic, name)),
  }
}

/** One config of a topic with its value, source and synonyms. */
export function describeConfig(broker: Broker, topic: Pick<Topic, 'config'>, name: string): Config {
  const key = configKeys(broker.serverless).get(name)!
  const set = topic.config.get(name)
  const byDefault = {name: BROKER_SYNONYMS[name] ?? name, value: key.default, source: SOURCE.default}
  return {
    name,
    value: set ?? key.default,
    readOnly: !key.settable,
    isDefault: set === undefined,
    configSource: set === undefined ? SOURCE.default : SOURCE.topic,
    isSensitive: false,
    synonyms: set === undefined ? [byDefault] : [{name, value: set, source: SOURCE.topic}, byDefault],
    configType: CONFIG_TYPES[key.type],
    documentation: null,
  }
}

/** The broker configs that a topic's defaults come from, where the names differ. */
const BROKER_SYNONYMS: Readonly<Record<string, string>> = {
  'cleanup.policy': 'log.cleanup.policy',
  'max.message.bytes': 'message.max.bytes',
  'message.timestamp.difference.max.ms': 'log.message.timestamp.difference.max.ms',
  'message.timestamp.type': 'log.message.timestamp.type',
  'retention.bytes': 'log.retention.bytes',
  'retention.ms': 'log.retention.ms',
  'segment.bytes': 'log.segment.bytes',
}
