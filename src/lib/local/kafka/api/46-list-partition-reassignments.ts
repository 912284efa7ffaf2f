import type {ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/** ListPartitionReassignments v0: there are none. `kafka-topics --describe` asks. */
export const listPartitionReassignments: Api<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse> = {
  key: 46,
  versions: [0, 0],
  handle(_request, {broker, allows}) {
    if (allows('DescribeCluster', broker.arn)) return {errorCode: ERROR.none, errorMessage: null, topics: []}
    return {errorCode: ERROR.clusterAuthorizationFailed, errorMessage: 'Cluster authorization failed.', topics: []}
  },
}
