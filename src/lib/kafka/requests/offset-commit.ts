import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'

export type PartitionOffset = {topic: string; partition: number; offset: number}
export type CommitAnswer = {topic: string; partition: number; errorCode: number}

const API = {key: 8, name: 'OffsetCommit'}
const NO_GENERATION = -1
const NO_MEMBER = ''

/**
 * OffsetCommit v3-7 to the group's coordinator, by nobody: no generation and no member, which the coordinator takes only while
 * the group has none (else UNKNOWN_MEMBER_ID). It makes a group that does not exist yet.
 */
export async function commitOffsets(
  coordinator: Broker,
  group: string,
  offsets: readonly PartitionOffset[],
): Promise<CommitAnswer[]> {
  const version = versionOf(coordinator, API, 3, 7)
  const body = new Writer().string(group).int32(NO_GENERATION).string(NO_MEMBER)
  if (version >= 7) body.string(null) // group instance id
  if (version <= 4) body.int64(-1) // retention: the broker's
  body.array([...new Set(offsets.map(({topic}) => topic))], (name) =>
    body.string(name).array(
      offsets.filter(({topic}) => topic === name),
      ({partition, offset}) => {
        body.int32(partition).int64(offset)
        if (version >= 6) body.int32(-1) // leader epoch unknown
        body.string('') // metadata
      },
    ),
  )
  const answer = await send(coordinator, {...API, version, body: body.finish()}, 'start')
  return answer
    .array(() => {
      const topic = answer.string()
      return answer.array(() => ({topic, partition: answer.int32(), errorCode: answer.int16()}))
    })
    .flat()
}
