import type {InitProducerIdRequest, InitProducerIdResponse} from '../messages.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'

/**
 * InitProducerId v0-4: an id for an idempotent producer. Transactional ids are refused: transactions are not implemented.
 *
 * - v2: flexible
 * - v3: a producer names the id that it has (KIP-360). Without a transactional id the answer is a new one all the same, as in
 *   TransactionCoordinator.handleInitProducerId: some clients name id 0, and two producers with one id lose each other's records
 */
export const initProducerId: Api<InitProducerIdRequest, InitProducerIdResponse> = {
  key: 22,
  versions: [0, 4],
  async handle({transactionalId}, call) {
    const failure = (errorCode: number): InitProducerIdResponse => ({errorCode, producerId: -1, producerEpoch: -1})
    if (transactionalId !== null) {
      const mayUse = call.allows('AlterTransactionalId', call.broker.transactionalIdArn(transactionalId))
      return failure(mayUse ? ERROR.coordinatorNotAvailable : ERROR.transactionalIdAuthorizationFailed)
    }
    if (!mayWriteIdempotently(call)) return failure(ERROR.clusterAuthorizationFailed)
    return {errorCode: ERROR.none, producerId: await call.broker.nextProducerId(), producerEpoch: 0}
  },
}

/**
 * The permission on the cluster, or to write to every topic. `WriteData` on some topics by name is not enough, which is what
 * people meet on MSK (librdkafka#4446, #4452, kafkajs#1623).
 */
function mayWriteIdempotently({broker, connection, allows}: Call): boolean {
  const {principal} = connection
  if (principal?.allows('kafka-cluster:WriteData', broker.topicArn('*'))) return true
  return allows('WriteDataIdempotently', broker.arn)
}
