import type {OffsetDeleteRequest, OffsetDeleteResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/** OffsetDelete: v0 only (KIP-496), never flexible. */
export const offsetDelete: Api<OffsetDeleteRequest, OffsetDeleteResponse> = {
  key: 47,
  versions: [0, 0],
  async handle(request, {allows, broker}) {
    if (!allows('DeleteGroup', broker.groupArn(request.groupId))) return {errorCode: ERROR.groupAuthorizationFailed, topics: []}
    return broker.groups.deleteOffsets(request, (topic) => allows('ReadData', broker.topicArn(topic)))
  },
}
