import type {DeleteGroupsRequest, DeleteGroupsResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/** DeleteGroups: v2 is flexible. Each group has its own result; one with members is refused. */
export const deleteGroups: Api<DeleteGroupsRequest, DeleteGroupsResponse> = {
  key: 42,
  versions: [0, 2],
  async handle({groupsNames}, {allows, broker}) {
    const results = [...new Set(groupsNames)].map(async (groupId) => {
      const isAllowed = allows('DeleteGroup', broker.groupArn(groupId))
      return {groupId, errorCode: isAllowed ? await broker.groups.delete(groupId) : ERROR.groupAuthorizationFailed}
    })
    return {throttleTimeMs: 0, results: await Promise.all(results)}
  },
}
