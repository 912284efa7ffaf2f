import {type Broker, send, versionOf} from '../broker.js'
import {check} from '../broker-error.js'
import {Writer} from '../wire.js'

export type Coordinator = {nodeId: number; host: string; port: number}

const API = {key: 10, name: 'FindCoordinator'}
const GROUP = 0

/** FindCoordinator v1-2 of a consumer group; any broker answers it. Throws BrokerError. */
export async function findCoordinator(broker: Broker, group: string): Promise<Coordinator> {
  const version = versionOf(broker, API, 1, 2)
  const body = new Writer().string(group).int8(GROUP)
  const answer = await send(broker, {...API, version, body: body.finish()}, 'start')
  const [errorCode, text] = [answer.int16(), answer.nullableString()]
  // Brokers fill the text with the code's general sentence, which tells less than ours.
  check(errorCode, {api: API.name, group}, errorCode === 30 ? null : text)
  return {nodeId: answer.int32(), host: answer.string(), port: answer.int32()}
}
