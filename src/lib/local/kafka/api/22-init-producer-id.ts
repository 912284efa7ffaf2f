import type {InitProducerIdRequest, InitProducerIdResponse} from '../messages.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'

/**
 * InitProducerId v0-4: an id for an idempotent producer. Transactional ids are refused: transactions are not implemented.
 *
 * - v2: flexible
 * - v3: a producer may name its id to bump its epoch (KIP-360)
 */
export const initProducerId: Api<InitProducerIdRequest, InitProducerIdResponse> = {
  key: 22,
  versions: [0, 4],
  async handle({transactionalId, producerId, producerEpoch}, call) {
    const failure = (errorCode: number): InitProducerIdResponse => ({errorCode, producerId: -1, producerEpoch: -1})
    if (transactionalId !== null) {
      const mayUse = call.allows('AlterTransactionalId', call.broker.transactionalIdArn(transactionalId))
      return failure(mayUse ? ERROR.coordinatorNotAvailable : ERROR.transactionalIdAuthorizationFailed)
    }
    if (!mayWriteIdempotently(call)) return failure(ERROR.clusterAuthorizationFailed)
    const isBump = producerId >= 0 && producerEpoch >= 0 && producerEpoch < MAX_EPOCH
    if (isBump) return {errorCode: ERROR.none, producerId, producerEpoch: producerEpoch + 1}
    return {errorCode: ERROR.none, producerId: await call.broker.nextProducerId(), producerEpoch: 0}
  },
}

/** A producer at the last epoch gets a new id. */
const MAX_EPOCH = 32_766

/**
 * The permission on the cluster, or to write to every topic. `WriteData` on some topics by name is not enough, which is what
 * people meet on MSK (librdkafka#4446, #4452, kafkajs#1623).
 */
function mayWriteIdempotently({broker, connection, allows}: Call): boolean {
  const {principal} = connection
  if (principal?.allows('kafka-cluster:WriteData', broker.topicArn('*'))) return true
  return allows('WriteDataIdempotently', broker.arn)
}
