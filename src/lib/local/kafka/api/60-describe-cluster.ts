import type {DescribeClusterRequest, DescribeClusterResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/** DescribeCluster v0-1: the nodes, without topics (KIP-700). v1 asks for brokers or controllers; we have brokers. */
export const describeCluster: Api<DescribeClusterRequest, DescribeClusterResponse> = {
  key: 60,
  versions: [0, 1],
  handle(_request, {broker, connection, allows}) {
    if (!allows('DescribeCluster', broker.arn)) {
      return {
        errorCode: ERROR.clusterAuthorizationFailed,
        errorMessage: 'Cluster authorization failed.',
        clusterId: '',
        controllerId: -1,
        brokers: [],
      }
    }
    const brokers = broker.endpointsFor(connection).map(({nodeId, host, port}) => ({brokerId: nodeId, host, port, rack: null}))
    return {errorCode: ERROR.none, errorMessage: null, clusterId: broker.clusterId, controllerId: broker.nodeIds[0]!, brokers}
  },
}
