import {SkkError} from '../errors.js'
import {nearest} from '../nearest.js'
import type {Broker} from './broker.js'
import {check} from './broker-error.js'
import {anyBroker, type Cluster} from './cluster.js'
import {atCoordinator, brokerWithId, whileLoading} from './groups/coordinator.js'
import {deleteGroup as sendDeleteGroup} from './requests/delete-groups.js'
import {describeGroups, type GroupAnswer, type GroupMember} from './requests/describe-groups.js'
import type {Coordinator} from './requests/find-coordinator.js'
import {listGroupsOf} from './requests/list-groups.js'
import {metadata} from './requests/metadata.js'
import {Reader} from './wire.js'

/** `state` is Kafka's word, such as `Stable` or `Empty`; both are null where the group may be listed but not described. */
export type GroupSummary = {name: string; state: string | null; members: number | null}

type Member = Omit<GroupMember, 'assignment'> & {
  /** Null when the group is not one of consumers (Kafka Connect's, for example). */
  assignments: {topic: string; partitions: number[]}[] | null
}
export type Group = {name: string; state: string; protocolType: string; coordinator: Coordinator; members: Member[]}

const NOT_COORDINATOR = 16
const GROUP_AUTHORIZATION_FAILED = 30
const DEAD = 'Dead'
const PER_REQUEST = 100

/** Every group that may be seen, by name. Throws kafkajs' errors and BrokerError, as all functions here do. */
export async function listGroups(cluster: Cluster): Promise<GroupSummary[]> {
  const {brokers} = await metadata(await anyBroker(cluster), [])
  const listed = new Map<string, Broker>()
  for (const {nodeId} of brokers) {
    const broker = await brokerWithId(cluster, nodeId)
    for (const name of await whileLoading(() => listGroupsOf(broker))) if (!listed.has(name)) listed.set(name, broker)
  }
  const answers = await Promise.all(
    [...new Set(listed.values())].map((broker) => {
      const names = [...listed].filter(([, lister]) => lister === broker).map(([name]) => name)
      return describeAt(cluster, broker, names)
    }),
  )
  return answers
    .flat()
    .map(({name, errorCode, state, members}) =>
      errorCode === GROUP_AUTHORIZATION_FAILED ? {name, state: null, members: null} : {name, state, members: members.length},
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** A group may have moved to another coordinator since it was listed. */
async function describeAt(cluster: Cluster, broker: Broker, names: readonly string[]): Promise<GroupAnswer[]> {
  const answers: GroupAnswer[] = []
  for (let at = 0; at < names.length; at += PER_REQUEST) {
    answers.push(...(await describeGroups(broker, names.slice(at, at + PER_REQUEST))))
  }
  return Promise.all(
    answers.map(async (answer) => {
      if (answer.errorCode !== NOT_COORDINATOR) return checked(answer, [GROUP_AUTHORIZATION_FAILED])
      return atCoordinator(cluster, answer.name, (coordinator) => describeOne(coordinator, answer.name))
    }),
  )
}

/** One group; null when it does not exist. */
export const findGroup = (cluster: Cluster, name: string): Promise<Group | null> =>
  atCoordinator(cluster, name, async (broker, coordinator) => {
    const {state, protocolType, members} = await describeOne(broker, name)
    if (state === DEAD) return null
    return {name, state, protocolType, coordinator, members: members.map((member) => readMember(member, protocolType))}
  })

/** One group. Throws SkkError (not found) with the nearest name. */
export async function requireGroup(cluster: Cluster, name: string): Promise<Group> {
  const group = await findGroup(cluster, name)
  if (group) return group
  // Who may see one group may not see the others.
  const existing = await listGroups(cluster).catch(() => [])
  throw groupNotFound(
    name,
    existing.map((each) => each.name),
  )
}

async function describeOne(broker: Broker, name: string): Promise<GroupAnswer> {
  const [answer] = await describeGroups(broker, [name])
  if (!answer) throw new RangeError('the answer to DescribeGroups does not name the group')
  return checked(answer)
}

function checked(answer: GroupAnswer, tolerated: readonly number[] = []): GroupAnswer {
  if (!tolerated.includes(answer.errorCode)) check(answer.errorCode, {api: 'DescribeGroups', group: answer.name})
  return answer
}

/** Brokers write a host as Java does an address without a name: `/127.0.0.1`. */
const readMember = ({assignment, host, ...member}: GroupMember, protocolType: string): Member => ({
  ...member,
  host: host.replace(/^\//, ''),
  assignments: protocolType === 'consumer' ? readAssignment(assignment) : null,
})

/** A ConsumerProtocolAssignment: version, topics with their partitions, and user data, which is not ours. */
function readAssignment(bytes: Buffer): Member['assignments'] {
  if (bytes.length === 0) return []
  const reader = new Reader(bytes)
  reader.int16()
  return reader.array(() => ({topic: reader.string(), partitions: reader.array(() => reader.int32()).sort((a, b) => a - b)}))
}

/** Deletes a group and what it has committed. Throws BrokerError: NON_EMPTY_GROUP while it has members. */
export const deleteGroup = (cluster: Cluster, name: string): Promise<void> =>
  atCoordinator(cluster, name, (coordinator) => sendDeleteGroup(coordinator, name))

/** Exit 6 when somebody is in the group; only an empty one may be changed from outside. */
export function refuseInUse({name, state, members}: Group): void {
  if (members.length === 0 && state === 'Empty') return
  const who = members.map(({clientId, host}) => `"${clientId}" on ${host}`).join(', ')
  const count = `${members.length} ${members.length === 1 ? 'member' : 'members'}`
  throw new SkkError(`group "${name}" is in use: it is ${state} with ${count}${who && `, ${who}`}`, {
    code: 'GROUP_IN_USE',
    exit: 'conflict',
    hint: `Stop them first, a mapping with \`skk esm pause\`, and see with \`skk groups describe ${name}\` when the group is empty.`,
  })
}

/** Exit 3 with the nearest of the names that do exist. */
function groupNotFound(name: string, existing: readonly string[]): SkkError {
  const meant = nearest(name, existing)
  return new SkkError(`group "${name}" does not exist`, {
    code: 'GROUP_NOT_FOUND',
    exit: 'notFound',
    hint: meant ? `Did you mean "${meant}"? See all with \`skk groups list\`.` : 'See what exists with `skk groups list`.',
  })
}
