import {type Broker, send, versionOf} from '../broker.js'
import {check} from '../broker-error.js'
import {Writer} from '../wire.js'
import type {CommitAnswer} from './offset-commit.js'

const API = {key: 47, name: 'OffsetDelete'}
/** After the error code. */
const THROTTLE_AT = 2

/** OffsetDelete v0 (KIP-496) to the group's coordinator: what was committed there is forgotten. Throws BrokerError for the group. */
export async function deleteOffsets(
  coordinator: Broker,
  group: string,
  places: readonly {topic: string; partition: number}[],
): Promise<CommitAnswer[]> {
  const version = versionOf(coordinator, API, 0, 0)
  const body = new Writer().string(group)
  body.array([...new Set(places.map(({topic}) => topic))], (name) =>
    body.string(name).array(
      places.filter(({topic}) => topic === name),
      ({partition}) => body.int32(partition),
    ),
  )
  const answer = await send(coordinator, {...API, version, body: body.finish()}, THROTTLE_AT)
  const errorCode = answer.int16()
  answer.int32() // throttle time
  check(errorCode, {api: API.name, group})
  return answer
    .array(() => {
      const topic = answer.string()
      return answer.array(() => ({topic, partition: answer.int32(), errorCode: answer.int16()}))
    })
    .flat()
}
