import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'

export type GroupMember = {
  memberId: string
  /** `group.instance.id` of a static member. */
  instanceId: string | null
  clientId: string
  host: string
  /** In the form of the group's protocol; empty while the group rebalances. */
  assignment: Buffer
}
/** `state` is Kafka's own word, such as `Stable`; `Dead` for a group that does not exist. */
export type GroupAnswer = {errorCode: number; name: string; state: string; protocolType: string; members: GroupMember[]}

const API = {key: 15, name: 'DescribeGroups'}

/** DescribeGroups v1-4 to the coordinator of the groups. */
export async function describeGroups(coordinator: Broker, groups: readonly string[]): Promise<GroupAnswer[]> {
  const version = versionOf(coordinator, API, 1, 4)
  const body = new Writer()
  body.array(groups, (group) => body.string(group))
  if (version >= 3) body.bool(false) // authorized operations
  const answer = await send(coordinator, {...API, version, body: body.finish()}, 'start')
  return answer.array(() => {
    const head = {errorCode: answer.int16(), name: answer.string(), state: answer.string(), protocolType: answer.string()}
    answer.string() // assignor
    const members = answer.array(() => {
      const memberId = answer.string()
      const instanceId = version >= 4 ? answer.nullableString() : null
      const member = {memberId, instanceId, clientId: answer.string(), host: answer.string()}
      answer.bytes() // subscription
      return {...member, assignment: answer.bytes()}
    })
    if (version >= 3) answer.int32() // authorized operations
    return {...head, members}
  })
}
