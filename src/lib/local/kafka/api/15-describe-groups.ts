import type {DescribeGroupsRequest, DescribeGroupsResponse} from '../messages.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'
import {once} from './once.js'

/** Bits of a group's authorizedOperations: the codes of Kafka's AclOperation. */
const OPERATIONS = [
  {action: 'AlterGroup', bit: 1 << 3},
  {action: 'DeleteGroup', bit: 1 << 6},
  {action: 'DescribeGroup', bit: 1 << 8},
] as const

/** DescribeGroups: v3 adds authorizedOperations, v4 static members, v5 is flexible. A group that does not exist is Dead, without an error. */
export const describeGroups: Api<DescribeGroupsRequest, DescribeGroupsResponse> = {
  key: 15,
  versions: [0, 5],
  handle({groups, includeAuthorizedOperations}, call) {
    return {groups: once(groups, (groupId) => groupId).map((groupId) => describe(groupId, includeAuthorizedOperations, call))}
  },
}

const describe = (
  groupId: string,
  includeOperations: boolean,
  {allows, maySee, broker}: Call,
): DescribeGroupsResponse['groups'][number] => {
  const arn = broker.groupArn(groupId)
  if (!allows('DescribeGroup', arn)) {
    return {errorCode: ERROR.groupAuthorizationFailed, groupId, groupState: '', protocolType: '', protocolData: '', members: []}
  }
  if (!includeOperations) return broker.groups.describe(groupId)
  const authorizedOperations = OPERATIONS.reduce((bits, {action, bit}) => (maySee(action, arn) ? bits | bit : bits), 0)
  return {...broker.groups.describe(groupId), authorizedOperations}
}
