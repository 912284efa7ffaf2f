import type {OffsetCommitRequest, OffsetCommitResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/**
 * OffsetCommit: v0 has neither generation nor member (both default to a commit without membership), v1 a timestamp and v2-4 a retention time, which
 * are not used; v6 adds the leader epoch, v7 static members, v8 is flexible, v9 is v8 for groups of this kind (KIP-848).
 */
export const offsetCommit: Api<OffsetCommitRequest, OffsetCommitResponse> = {
  key: 8,
  versions: [0, 9],
  async handle(request, call) {
    const {broker} = call
    if (!call.allows('AlterGroup', broker.groupArn(request.groupId))) return refusal(request, ERROR.groupAuthorizationFailed)
    return broker.groups.commit(request, (topic) => call.allows('ReadData', broker.topicArn(topic)))
  },
}

const refusal = ({topics}: OffsetCommitRequest, errorCode: number): OffsetCommitResponse => ({
  topics: topics.map(({name, partitions}) => ({
    name,
    partitions: partitions.map(({partitionIndex}) => ({partitionIndex, errorCode})),
  })),
})
