import type {OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse} from '../messages.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'

type Asked = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number]
type Result = OffsetForLeaderEpochResponse['topics'][number]['partitions'][number]

/** OffsetForLeaderEpoch v0-4: where an epoch ended. There is one leader for ever here, so its only epoch ends at the log's end. */
export const offsetForLeaderEpoch: Api<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse> = {
  key: 23,
  versions: [0, 4],
  handle: ({topics}, call) => ({
    topics: topics.map(({topic, partitions}) => ({topic, partitions: partitions.map((asked) => endOf(topic, asked, call))})),
  }),
}

function endOf(name: string, {partition, currentLeaderEpoch, leaderEpoch}: Asked, {broker, connection, allows}: Call): Result {
  const failure = (errorCode: number): Result => ({partition, errorCode, leaderEpoch: -1, endOffset: -1})
  if (!allows('DescribeTopic', broker.topicArn(name))) return failure(ERROR.topicAuthorizationFailed)
  const topic = broker.topics.get(name)
  const log = topic?.partitions[partition]
  if (!topic || !log) return failure(ERROR.unknownTopicOrPartition)
  if (broker.leaderOf(topic, partition) !== connection.listener.nodeId) return failure(ERROR.notLeaderOrFollower)
  if (currentLeaderEpoch > log.leaderEpoch) return failure(ERROR.unknownLeaderEpoch)
  if (leaderEpoch > log.leaderEpoch) return {...failure(ERROR.none)}
  return {partition, errorCode: ERROR.none, leaderEpoch: log.leaderEpoch, endOffset: log.highWatermark}
}
