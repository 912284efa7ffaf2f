import type {LeaveGroupRequest, LeaveGroupResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/** LeaveGroup: v0-2 remove one member, v3 several, by member id or instance id, each with its own error (KIP-345); v4 is flexible, v5 adds reasons. */
export const leaveGroup: Api<LeaveGroupRequest, LeaveGroupResponse> = {
  key: 13,
  versions: [0, 5],
  handle({groupId, memberId, members}, {allows, broker, version}) {
    if (!allows('AlterGroup', broker.groupArn(groupId))) return {errorCode: ERROR.groupAuthorizationFailed}
    if (groupId === '') return {errorCode: ERROR.invalidGroupId}
    if (version < 3) return {errorCode: broker.groups.leave(groupId, {memberId, groupInstanceId: null})}
    const results = members.map((member) => ({...member, errorCode: broker.groups.leave(groupId, member)}))
    return {errorCode: ERROR.none, members: results}
  },
}
