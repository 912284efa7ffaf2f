import type {Topic} from '../broker.js'
import type {MetadataRequest, MetadataResponse} from '../messages.js'
import {isValidTopicName} from '../topic-name.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'
import {once} from './once.js'

type TopicMetadata = MetadataResponse['topics'][number]

/** "Not asked for" in the bit fields of authorized operations (KIP-430). */
const NO_OPERATIONS = -2147483648

/**
 * Metadata v0-12: who the nodes are and where each partition lives, by the addresses of the listener that was asked.
 *
 * - v0: an empty list of topics means all; since v1 null does
 * - v4: allow_auto_topic_creation, which MSK Serverless ignores
 * - v7: leader epochs
 * - v10: topic ids; usable in requests since v12
 */
export const metadata: Api<MetadataRequest, MetadataResponse> = {
  key: 3,
  versions: [0, 12],
  handle(request, call) {
    const {broker, version} = call
    const wantsAll = request.topics === null || (version === 0 && request.topics.length === 0)
    return {
      brokers: broker.endpointsFor(call.connection),
      clusterId: broker.clusterId,
      controllerId: broker.nodeIds[0]!,
      topics: wantsAll
        ? visibleTopics(call)
        : once(request.topics!, ({name, topicId}) => name ?? `id ${topicId}`).map((asked) => askedTopic(asked, call)),
      clusterAuthorizedOperations: NO_OPERATIONS,
    }
  },
}

/** Topics that the principal may not describe are left out, not reported. */
function visibleTopics(call: Call): TopicMetadata[] {
  const {broker, maySee} = call
  const mayDescribe = ({name}: Topic): boolean => maySee('DescribeTopic', broker.topicArn(name))
  return [...broker.topics.values()].filter(mayDescribe).map((topic) => describe(topic, call))
}

function askedTopic({name, topicId}: NonNullable<MetadataRequest['topics']>[number], call: Call): TopicMetadata {
  const {broker, allows} = call
  const failure = (errorCode: number): TopicMetadata => ({
    errorCode,
    name,
    topicId,
    partitions: [],
    topicAuthorizedOperations: NO_OPERATIONS,
  })
  if (name === null) {
    const topic = broker.topicById(topicId)
    if (topic && allows('DescribeTopic', broker.topicArn(topic.name))) return describe(topic, call)
    return failure(ERROR.unknownTopicId)
  }
  if (!isValidTopicName(name)) return failure(ERROR.invalidTopic)
  if (!allows('DescribeTopic', broker.topicArn(name))) return failure(ERROR.topicAuthorizationFailed)
  const topic = broker.topics.get(name)
  return topic ? describe(topic, call) : failure(ERROR.unknownTopicOrPartition)
}

function describe(topic: Topic, {broker}: Call): TopicMetadata {
  const partitions = topic.partitions.map((log, partitionIndex) => {
    const replicaNodes = broker.replicasOf(topic, partitionIndex)
    const leaderId = broker.leaderOf(topic, partitionIndex)
    return {
      errorCode: ERROR.none,
      partitionIndex,
      leaderId,
      leaderEpoch: log.leaderEpoch,
      replicaNodes,
      isrNodes: replicaNodes,
      offlineReplicas: [],
    }
  })
  const {name, id: topicId} = topic
  return {errorCode: ERROR.none, name, topicId, isInternal: false, partitions, topicAuthorizedOperations: NO_OPERATIONS}
}
