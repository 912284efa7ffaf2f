import type {ListGroupsRequest, ListGroupsResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/** ListGroups: v3 is flexible, v4 adds the state and a filter on it (KIP-518), v5 the type (KIP-848), of which there is one. Without DescribeCluster: those that may be described. */
export const listGroups: Api<ListGroupsRequest, ListGroupsResponse> = {
  key: 16,
  versions: [0, 5],
  handle({statesFilter, typesFilter}, {maySee, broker}) {
    const seesAll = maySee('DescribeCluster', broker.arn)
    const groups = broker.groups
      .list()
      .filter(({state}) => passes(statesFilter, state) && passes(typesFilter, 'classic'))
      .filter(({id}) => seesAll || maySee('DescribeGroup', broker.groupArn(id)))
      .map(({id, protocolType, state}) => ({
        groupId: id,
        protocolType: protocolType ?? '',
        groupState: state,
        groupType: 'classic',
      }))
    return {errorCode: ERROR.none, groups}
  },
}

/** An empty filter lets everything pass; the absent one of older versions is empty. */
const passes = (filter: readonly string[], value: string): boolean =>
  filter.length === 0 || filter.some((wanted) => wanted.toLowerCase() === value.toLowerCase())
