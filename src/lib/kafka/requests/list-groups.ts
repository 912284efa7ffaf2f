import {type Broker, send, versionOf} from '../broker.js'
import {check} from '../broker-error.js'
import {Writer} from '../wire.js'

const API = {key: 16, name: 'ListGroups'}

/** ListGroups v1-2: the ids of the groups that this broker coordinates, as far as they may be seen. Throws BrokerError. */
export async function listGroupsOf(broker: Broker): Promise<string[]> {
  const version = versionOf(broker, API, 1, 2)
  const answer = await send(broker, {...API, version, body: new Writer().finish()}, 'start')
  check(answer.int16(), {api: API.name})
  return answer.array(() => {
    const group = answer.string()
    answer.string() // protocol type
    return group
  })
}
