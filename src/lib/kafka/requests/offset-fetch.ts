import {type Broker, send, versionOf} from '../broker.js'
import {check} from '../broker-error.js'
import {Writer} from '../wire.js'
import type {PartitionOffset} from './offset-commit.js'

const API = {key: 9, name: 'OffsetFetch'}

/** OffsetFetch v3-5 to the group's coordinator: the committed offsets by partition; those without a commit are left out. Throws BrokerError. */
export async function fetchCommitted(
  coordinator: Broker,
  group: string,
  topic: string,
  partitions: readonly number[],
): Promise<Map<number, number>> {
  const committed = await offsetFetch(coordinator, group, [{topic, partitions}])
  return new Map(committed.map(({partition, offset}) => [partition, offset]))
}

/** The same of all topics that may be seen. */
export const fetchAllCommitted = (coordinator: Broker, group: string): Promise<PartitionOffset[]> =>
  offsetFetch(coordinator, group, null)

async function offsetFetch(
  coordinator: Broker,
  group: string,
  topics: readonly {topic: string; partitions: readonly number[]}[] | null,
): Promise<PartitionOffset[]> {
  const version = versionOf(coordinator, API, 3, 5)
  const body = new Writer().string(group)
  body.array(topics, ({topic, partitions}) => body.string(topic).array(partitions, (partition) => body.int32(partition)))
  const answer = await send(coordinator, {...API, version, body: body.finish()}, 'start')
  const found = answer.array(() => {
    const topic = answer.string()
    return answer.array(() => {
      const [partition, offset] = [answer.int32(), answer.int64()]
      if (version >= 5) answer.int32() // leader epoch
      answer.nullableString() // metadata
      check(answer.int16(), {api: API.name, topic, partition, group})
      return {topic, partition, offset}
    })
  })
  check(answer.int16(), {api: API.name, group})
  return found.flat().filter(({offset}) => offset >= 0)
}
