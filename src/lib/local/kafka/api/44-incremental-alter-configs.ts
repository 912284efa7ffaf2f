import type {Topic} from '../broker.js'
import type {IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse} from '../messages.js'
import {configKeys, refusal} from '../topic-config.js'
import {RESOURCE} from './32-describe-configs.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'
import {storageError} from './storage-error.js'

type Resource = IncrementalAlterConfigsRequest['resources'][number]
type Result = IncrementalAlterConfigsResponse['responses'][number]

/** AlterConfigOp.OpType. */
const OPERATION = {set: 0, delete: 1, append: 2, subtract: 3} as const

/** IncrementalAlterConfigs v0-1 (KIP-339): changes the named configs only. */
export const incrementalAlterConfigs: Api<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse> = {
  key: 44,
  versions: [0, 1],
  handle: ({resources, validateOnly}, call) =>
    call.broker.inOrder(async () => {
      const responses: Result[] = []
      for (const resource of resources) responses.push(await alter(resource, validateOnly, call))
      return {responses}
    }),
}

async function alter({resourceType, resourceName, configs}: Resource, validateOnly: boolean, call: Call): Promise<Result> {
  const {broker} = call
  const result = (errorCode: number, errorMessage: string | null): Result => ({
    resourceType,
    resourceName,
    errorCode,
    errorMessage,
  })
  const found = alterableTopic(resourceType, resourceName, call)
  if ('errorCode' in found) return result(found.errorCode, found.errorMessage)
  const changed = new Map(found.config)
  for (const {name, configOperation, value} of configs) {
    const isList = configKeys(broker.serverless).get(name)?.type === 'list'
    if (!isList && (configOperation === OPERATION.append || configOperation === OPERATION.subtract)) {
      return result(ERROR.invalidConfig, `Config value append is not allowed for config key: ${name}`)
    }
    const wanted = configOperation === OPERATION.delete ? null : combined(name, configOperation, value, found, call)
    const reason = refusal(broker.serverless, name, wanted, 'alter')
    if (reason !== undefined) return result(ERROR.invalidConfig, reason)
    if (wanted === null) changed.delete(name)
    else changed.set(name, wanted)
  }
  return result(validateOnly ? ERROR.none : await storageError(broker, () => broker.setConfig(found, changed)), null)
}

/** The value after the operation. */
function combined(name: string, operation: number, value: string | null, topic: Topic, {broker}: Call): string | null {
  if (value === null || operation === OPERATION.set) return value
  const current = broker.configOf(topic, name).split(',')
  const named = value.split(',')
  const without = current.filter((item) => !named.includes(item))
  return (operation === OPERATION.append ? [...without, ...named] : without).join(',')
}

/** The topic, if it exists and the principal may alter its configs; shared with AlterConfigs. */
export function alterableTopic(
  resourceType: number,
  name: string,
  {broker, allows}: Call,
): Topic | {errorCode: number; errorMessage: string} {
  if (resourceType === RESOURCE.broker)
    return {errorCode: ERROR.clusterAuthorizationFailed, errorMessage: 'Cluster authorization failed.'}
  if (resourceType !== RESOURCE.topic)
    return {errorCode: ERROR.invalidRequest, errorMessage: `Unsupported resource type: ${resourceType}`}
  if (!allows('AlterTopicDynamicConfiguration', broker.topicArn(name))) {
    return {errorCode: ERROR.topicAuthorizationFailed, errorMessage: 'Topic authorization failed.'}
  }
  const topic = broker.topics.get(name)
  return topic ?? {errorCode: ERROR.unknownTopicOrPartition, errorMessage: 'This server does not host this topic-partition.'}
}
