import type {DescribeClientQuotasRequest, DescribeClientQuotasResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/** DescribeClientQuotas v0-1: none are set. `kafka-configs` asks. */
export const describeClientQuotas: Api<DescribeClientQuotasRequest, DescribeClientQuotasResponse> = {
  key: 48,
  versions: [0, 1],
  handle(_request, {broker, allows}) {
    if (allows('DescribeCluster', broker.arn)) return {errorCode: ERROR.none, errorMessage: null, entries: []}
    return {errorCode: ERROR.clusterAuthorizationFailed, errorMessage: 'Cluster authorization failed.', entries: null}
  },
}
