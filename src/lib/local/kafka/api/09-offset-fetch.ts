import type {OffsetFetchRequest, OffsetFetchResponse} from '../messages.js'
import type {CommittedOffset} from '../offsets.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'
import {once} from './once.js'

type Query = OffsetFetchRequest['groups'][number]

/**
 * OffsetFetch: v0 read from ZooKeeper, where a partition without a commit was an error; v2 allows all topics (null) and has a top-level error, v5 adds
 * the leader epoch, v6 is flexible, v7 adds requireStable (always so without transactions), v8 asks for several groups, v9 is v8 for groups of this kind.
 * A group or partition that is not known has offset -1 and no error.
 */
export const offsetFetch: Api<OffsetFetchRequest, OffsetFetchResponse> = {
  key: 9,
  versions: [0, 9],
  handle({groupId, topics, groups}, call) {
    if (call.version >= 8) return {groups: once(groups, (group) => group.groupId).map((query) => committed(query, call))}
    const {errorCode, topics: results} = committed({groupId, topics, memberId: null, memberEpoch: -1}, call)
    return {errorCode, topics: results}
  },
}

const committed = ({groupId, topics}: Query, call: Call) => {
  const {broker, version, maySee} = call
  const isDenied = !call.allows('DescribeGroup', broker.groupArn(groupId))
  const offsets = isDenied ? undefined : broker.groups.offsetsOf(groupId)
  const mayDescribe = (topic: string): boolean => call.allows('DescribeTopic', broker.topicArn(topic))
  if (isDenied && version >= 2) return {groupId, errorCode: ERROR.groupAuthorizationFailed, topics: []}
  const committedTopics = offsets?.topics ?? []
  const wanted =
    topics ??
    committedTopics
      .filter((name) => maySee('DescribeTopic', broker.topicArn(name)))
      .map((name) => ({name, partitionIndexes: offsets?.partitions(name) ?? []}))
  const answers = wanted.map(({name, partitionIndexes}) => {
    const topicError = isDenied
      ? ERROR.groupAuthorizationFailed
      : topics && !mayDescribe(name)
        ? ERROR.topicAuthorizationFailed
        : ERROR.none
    const offsetOf = (partition: number) => (topicError === ERROR.none ? offsets?.get(name, partition) : undefined)
    return {
      name,
      partitions: partitionIndexes.map((partition) => partitionAnswer(partition, offsetOf(partition), topicError, version)),
    }
  })
  return {groupId, errorCode: ERROR.none, topics: answers}
}

const partitionAnswer = (partitionIndex: number, commit: CommittedOffset | undefined, error: number, version: number) => {
  const errorCode = !commit && error === ERROR.none && version === 0 ? ERROR.unknownTopicOrPartition : error
  const {offset, leaderEpoch, metadata} = commit ?? {offset: -1, leaderEpoch: -1, metadata: ''}
  return {partitionIndex, committedOffset: offset, committedLeaderEpoch: leaderEpoch, metadata, errorCode}
}
