import type {AlterConfigsRequest, AlterConfigsResponse} from '../messages.js'
import {configKeys, refusal} from '../topic-config.js'
import {alterableTopic} from './44-incremental-alter-configs.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'
import {storageError} from './storage-error.js'

type Resource = AlterConfigsRequest['resources'][number]
type Result = AlterConfigsResponse['responses'][number]

/**
 * AlterConfigs v0-2: replaces a topic's configs; what is not named goes back to its default.
 * MSK Serverless refuses even to repeat cleanup.policy (Mongey/terraform-provider-kafka#446), so it keeps its value.
 */
export const alterConfigs: Api<AlterConfigsRequest, AlterConfigsResponse> = {
  key: 33,
  versions: [0, 2],
  handle: ({resources, validateOnly}, call) =>
    call.broker.inOrder(async () => {
      const responses: Result[] = []
      for (const resource of resources) responses.push(await replace(resource, validateOnly, call))
      return {responses}
    }),
}

async function replace({resourceType, resourceName, configs}: Resource, validateOnly: boolean, call: Call): Promise<Result> {
  const {broker} = call
  const result = (errorCode: number, errorMessage: string | null): Result => ({
    resourceType,
    resourceName,
    errorCode,
    errorMessage,
  })
  const found = alterableTopic(resourceType, resourceName, call)
  if ('errorCode' in found) return result(found.errorCode, found.errorMessage)
  const reason = configs
    .map(({name, value}) => refusal(broker.serverless, name, value, 'alter'))
    .find((text) => text !== undefined)
  if (reason !== undefined) return result(ERROR.invalidConfig, reason)
  if (validateOnly) return result(ERROR.none, null)
  const kept = [...found.config].filter(([name]) => !configKeys(broker.serverless).get(name)?.alterable)
  const given = configs.flatMap(({name, value}): [string, string][] => (value === null ? [] : [[name, value]]))
  return result(await storageError(broker, () => broker.setConfig(found, new Map([...kept, ...given]))), null)
}
