import {type Broker, send, versionOf} from '../broker.js'
import {check} from '../broker-error.js'
import {Writer} from '../wire.js'

export type ProducerId = {producerId: number; producerEpoch: number}

const API = {key: 22, name: 'InitProducerId'}

/** InitProducerId v0-1 for an idempotent producer; any broker answers it. Throws BrokerError. */
export async function initProducerId(broker: Broker): Promise<ProducerId> {
  const version = versionOf(broker, API, 0, 1)
  const body = new Writer().string(null).int32(60_000)
  const answer = await send(broker, {...API, version, body: body.finish()}, 'start')
  check(answer.int16(), {api: API.name})
  return {producerId: answer.int64(), producerEpoch: answer.int16()}
}
