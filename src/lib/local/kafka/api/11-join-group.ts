import {joinError} from '../member.js'
import type {JoinGroupRequest, JoinGroupResponse} from '../messages.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'

/**
 * JoinGroup: v1 adds the rebalance timeout, v4 makes new members come back with the id they are given (KIP-394), v5 adds static members (KIP-345), v6 is
 * flexible, v7 adds the protocol type, v8 a reason, v9 skipAssignment (KIP-814). Parked until the round ends.
 */
export const joinGroup: Api<JoinGroupRequest, JoinGroupResponse> = {
  key: 11,
  versions: [0, 9],
  async handle(request, call) {
    const {broker, clientId, connection, version} = call
    const isAllowed = call.allows('AlterGroup', broker.groupArn(request.groupId))
    const caller = {clientId: clientId ?? '', clientHost: hostOf(connection.remoteAddress), version}
    const response = isAllowed
      ? await broker.groups.join(request, caller)
      : joinError(request.memberId, ERROR.groupAuthorizationFailed)
    return withNames(response, call)
  },
}

/** The protocol's name can be null from version 7 on. */
const withNames = (response: JoinGroupResponse, {version}: Call): JoinGroupResponse =>
  version < 7 ? {...response, protocolName: response.protocolName ?? ''} : response

/** As Java prints an address, without the port. */
const hostOf = (remoteAddress: string): string => `/${remoteAddress.replace(/:\d+$/, '')}`
