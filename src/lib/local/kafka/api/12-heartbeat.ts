import type {HeartbeatRequest, HeartbeatResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/** Heartbeat: v3 adds static members, v4 is flexible. REBALANCE_IN_PROGRESS is how a member learns that it must join again. */
export const heartbeat: Api<HeartbeatRequest, HeartbeatResponse> = {
  key: 12,
  versions: [0, 4],
  handle(request, {allows, broker}) {
    const isAllowed = allows('AlterGroup', broker.groupArn(request.groupId))
    return {errorCode: isAllowed ? broker.groups.heartbeat(request) : ERROR.groupAuthorizationFailed}
  },
}
