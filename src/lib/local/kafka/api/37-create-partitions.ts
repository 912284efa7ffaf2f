import type {CreatePartitionsRequest, CreatePartitionsResponse} from '../messages.js'
import {partitionQuota} from '../topic-config.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'
import {storageError} from './storage-error.js'

type Wanted = CreatePartitionsRequest['topics'][number]
type Result = CreatePartitionsResponse['results'][number]

/** CreatePartitions v0-3: makes a topic wider; never narrower. */
export const createPartitions: Api<CreatePartitionsRequest, CreatePartitionsResponse> = {
  key: 37,
  versions: [0, 3],
  handle: ({topics, validateOnly}, call) =>
    call.broker.inOrder(async () => {
      const results: Result[] = []
      for (const wanted of topics) results.push(await widen(wanted, validateOnly, call))
      return {results}
    }),
}

async function widen({name, count}: Wanted, validateOnly: boolean, {broker, allows}: Call): Promise<Result> {
  const result = (errorCode: number, errorMessage: string | null = null): Result => ({name, errorCode, errorMessage})
  if (!allows('AlterTopic', broker.topicArn(name))) return result(ERROR.topicAuthorizationFailed, 'Authorization failed.')
  const topic = broker.topics.get(name)
  if (!topic) return result(ERROR.unknownTopicOrPartition, 'This server does not host this topic-partition.')
  const current = topic.partitions.length
  if (count <= current)
    return result(
      ERROR.invalidPartitions,
      `Topic currently has ${current} partitions, which is not fewer than the requested ${count}.`,
    )
  const compacted = broker.isCompacted(topic)
  const quota = partitionQuota(broker.serverless, compacted)
  const total = broker.partitionCount(compacted) + count - current
  if (total > quota) return result(ERROR.invalidRequest, `The cluster's quota is ${quota} partitions.`)
  return result(validateOnly ? ERROR.none : await storageError(broker, () => broker.addPartitions(topic, count)))
}
