import {type Broker, send, versionOf} from '../broker.js'
import {check} from '../broker-error.js'
import {Writer} from '../wire.js'

const API = {key: 9, name: 'OffsetFetch'}

/** OffsetFetch v3-5 to the group's coordinator: the committed offsets by partition; those without a commit are left out. Throws BrokerError. */
export async function fetchCommitted(
  coordinator: Broker,
  group: string,
  topic: string,
  partitions: readonly number[],
): Promise<Map<number, number>> {
  const version = versionOf(coordinator, API, 3, 5)
  const body = new Writer()
  body.string(group).array([topic], (name) => body.string(name).array(partitions, (partition) => body.int32(partition)))
  const answer = await send(coordinator, {...API, version, body: body.finish()}, 'start')
  const committed = new Map<number, number>()
  answer.array(() => {
    answer.string()
    answer.array(() => {
      const [partition, offset] = [answer.int32(), answer.int64()]
      if (version >= 5) answer.int32() // leader epoch
      answer.nullableString() // metadata
      check(answer.int16(), {api: API.name, topic, partition, group})
      if (offset >= 0) committed.set(partition, offset)
    })
  })
  check(answer.int16(), {api: API.name, group})
  return committed
}
