import type {FindCoordinatorRequest, FindCoordinatorResponse} from '../messages.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'

const GROUP = 0
const TRANSACTION = 1

/**
 * FindCoordinator: v1 adds the key's type and an error message, v3 is flexible, v4 asks for several keys (KIP-699), v5 and v6 are v4 for what is served.
 * Any node serves any group; they are spread so that a client with several nodes really talks to several.
 */
export const findCoordinator: Api<FindCoordinatorRequest, FindCoordinatorResponse> = {
  key: 10,
  versions: [0, 6],
  handle({key, keyType, coordinatorKeys}, call) {
    if (call.version >= 4)
      return {coordinators: coordinatorKeys.map((each) => ({key: each, ...coordinatorOf(each, keyType, call)}))}
    return coordinatorOf(key, keyType, call)
  },
}

const coordinatorOf = (key: string, keyType: number, call: Call) => {
  if (keyType === GROUP) return groupCoordinator(key, call)
  if (keyType !== TRANSACTION) return failure(ERROR.invalidRequest, `there is no coordinator for keys of type ${keyType}`)
  if (!call.allows('DescribeTransactionalId', call.broker.transactionalIdArn(key)))
    return failure(ERROR.transactionalIdAuthorizationFailed)
  return failure(ERROR.coordinatorNotAvailable, 'transactions are not supported, only idempotent producers are')
}

const groupCoordinator = (groupId: string, call: Call) => {
  if (!call.allows('DescribeGroup', call.broker.groupArn(groupId))) return failure(ERROR.groupAuthorizationFailed)
  const nodes = call.broker.endpointsFor(call.connection)
  const node = nodes[hashOf(groupId) % nodes.length]
  if (!node) return failure(ERROR.coordinatorNotAvailable)
  return {...node, errorCode: ERROR.none, errorMessage: null}
}

const failure = (errorCode: number, errorMessage: string | null = null) => ({
  nodeId: -1,
  host: '',
  port: -1,
  errorCode,
  errorMessage,
})

/** Java's String.hashCode, made positive. */
const hashOf = (text: string): number => {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash & 0x7fffffff
}
