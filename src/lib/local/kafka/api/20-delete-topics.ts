import type {DeleteTopicsRequest, DeleteTopicsResponse} from '../messages.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'
import {storageError} from './storage-error.js'

type Result = DeleteTopicsResponse['responses'][number]

/**
 * DeleteTopics v0-6.
 *
 * - v4: flexible
 * - v5: error messages
 * - v6: by topic id as well as by name
 */
export const deleteTopics: Api<DeleteTopicsRequest, DeleteTopicsResponse> = {
  key: 20,
  versions: [0, 6],
  handle: ({topics, topicNames}, call) =>
    call.broker.inOrder(async () => {
      const asked = call.version >= 6 ? topics : topicNames.map((name) => ({name, topicId: ''}))
      const responses: Result[] = []
      for (const one of asked) responses.push(await remove(one, call))
      return {responses}
    }),
}

async function remove({name, topicId}: DeleteTopicsRequest['topics'][number], {broker, allows}: Call): Promise<Result> {
  const topic = name === null ? broker.topicById(topicId) : broker.topics.get(name)
  const known = topic?.name ?? name
  // Whether a topic exists is told only to those who may delete it.
  if (known !== null && !allows('DeleteTopic', broker.topicArn(known))) {
    return {name, topicId, errorCode: ERROR.topicAuthorizationFailed}
  }
  if (!topic) return {name, topicId, errorCode: name === null ? ERROR.unknownTopicId : ERROR.unknownTopicOrPartition}
  return {name: topic.name, topicId: topic.id, errorCode: await storageError(broker, () => broker.deleteTopic(topic))}
}
