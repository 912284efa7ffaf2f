import {syncError} from '../member.js'
import type {SyncGroupRequest, SyncGroupResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/** SyncGroup: v3 adds static members, v4 is flexible, v5 adds protocol type and name, checked when they are given. Parked until the leader syncs. */
export const syncGroup: Api<SyncGroupRequest, SyncGroupResponse> = {
  key: 14,
  versions: [0, 5],
  handle(request, {allows, broker}) {
    const isAllowed = allows('AlterGroup', broker.groupArn(request.groupId))
    return isAllowed ? broker.groups.sync(request) : syncError(ERROR.groupAuthorizationFailed)
  },
}
