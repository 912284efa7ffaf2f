import {type Broker, send, versionOf} from '../broker.js'
import {check} from '../broker-error.js'
import {Writer} from '../wire.js'

const API = {key: 42, name: 'DeleteGroups'}

/** DeleteGroups v0-1 of one group, to its coordinator. Throws BrokerError. */
export async function deleteGroup(coordinator: Broker, group: string): Promise<void> {
  const version = versionOf(coordinator, API, 0, 1)
  const body = new Writer()
  body.array([group], (name) => body.string(name))
  const answer = await send(coordinator, {...API, version, body: body.finish()}, 'start')
  const results = answer.array(() => ({name: answer.string(), errorCode: answer.int16()}))
  check(results[0]?.errorCode ?? -1, {api: API.name, group})
}
