import {ERROR} from '../kafka/api/error-codes.js'
import type {Broker} from '../kafka/broker.js'
import type {JoinGroupResponse} from '../kafka/messages.js'
import {subscribedTopics} from '../kafka/subscription.js'

/** How a mapping takes part in its consumer group: as a member like any other, which heartbeats for as long as it is in. */
export type Membership = {
  partitions: readonly number[]
  /** Aborts when the group rebalances, or when we are out of it. */
  lost: AbortSignal
  /** @throws Error when the group does not take it */
  commit(offsets: ReadonlyMap<number, number>): Promise<void>
  /** Stays a member, whose place the next `join` takes over. */
  stop(): void
}

const HEARTBEAT_MS = 3_000
const SESSION_MS = 30_000
const PROTOCOL = 'range'

export class GroupMember {
  readonly #broker: Broker
  readonly #groupId: string
  readonly #topic: string
  readonly #clientId: string
  #memberId = ''

  constructor(broker: Broker, {groupId, topic, uuid}: {groupId: string; topic: string; uuid: string}) {
    this.#broker = broker
    this.#groupId = groupId
    this.#topic = topic
    this.#clientId = `lambda-${uuid}`
  }

  /** Resolves with our share of the topic's partitions, which may wait for the other members. @throws Error when refused */
  async join(): Promise<Membership> {
    const {groups} = this.#broker
    const request = {
      groupId: this.#groupId,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: SESSION_MS,
      memberId: this.#memberId,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [{name: PROTOCOL, metadata: subscription(this.#topic)}],
      reason: null,
    }
    // Version 3 is let in at once; nobody but us can lose the answer.
    const joined = await groups.join(request, {clientId: this.#clientId, clientHost: '/127.0.0.1', version: 3})
    if (joined.errorCode !== ERROR.none) throw this.#refused('join', joined.errorCode)
    this.#memberId = joined.memberId
    const synced = await groups.sync({
      groupId: this.#groupId,
      generationId: joined.generationId!,
      memberId: this.#memberId,
      groupInstanceId: null,
      protocolType: null,
      protocolName: null,
      assignments: joined.leader === this.#memberId ? this.#assign(joined.members) : [],
    })
    if (synced.errorCode !== ERROR.none) throw this.#refused('sync with', synced.errorCode)
    return this.#membership(joined.generationId!, readAssignment(synced.assignment, this.#topic))
  }

  /** A dead member id is of no more use. */
  #refused(what: string, errorCode: number): Error {
    if (errorCode === ERROR.unknownMemberId) this.#memberId = ''
    return new Error(`cannot ${what} the group "${this.#groupId}": error ${errorCode}`)
  }

  #membership(generationId: number, partitions: readonly number[]): Membership {
    const {groups} = this.#broker
    const identity = {groupId: this.#groupId, memberId: this.#memberId, groupInstanceId: null}
    const lost = new AbortController()
    const heartbeat = setInterval(() => {
      if (groups.heartbeat({...identity, generationId}) !== ERROR.none) lost.abort()
    }, HEARTBEAT_MS)
    return {
      partitions,
      lost: lost.signal,
      stop: () => clearInterval(heartbeat),
      commit: async (offsets) => {
        const committed = [...offsets].map(([partitionIndex, committedOffset]) => ({
          partitionIndex,
          committedOffset,
          committedLeaderEpoch: -1,
          commitTimestamp: -1,
          committedMetadata: '',
        }))
        const topics = [{name: this.#topic, partitions: committed}]
        const request = {...identity, generationIdOrMemberEpoch: generationId, retentionTimeMs: -1, topics}
        const response = await groups.commit(request, () => true)
        const errorCode = response.topics.flatMap((topic) => topic.partitions).find((partition) => partition.errorCode)?.errorCode
        if (errorCode) throw new Error(`cannot commit for the group "${this.#groupId}": error ${errorCode}`)
      },
    }
  }

  /** Ranges of every topic's partitions for those who subscribed to it: others may be in the group, with topics of their own. */
  #assign(members: JoinGroupResponse['members']): {memberId: string; assignment: Buffer}[] {
    const subscriptions = members.map(({memberId, metadata}) => ({memberId, topics: subscribedTopics(metadata) ?? []}))
    const names = [...new Set(subscriptions.flatMap(({topics}) => topics))]
    const shares = new Map(members.map(({memberId}) => [memberId, new Map<string, number[]>()]))
    for (const name of names) {
      const subscribers = subscriptions.filter(({topics}) => topics.includes(name)).map(({memberId}) => memberId)
      const count = this.#broker.topics.get(name)?.partitions.length ?? 0
      for (let partition = 0; partition < count; partition++) {
        const share = shares.get(subscribers[Math.floor((partition * subscribers.length) / count)]!)!
        share.set(name, [...(share.get(name) ?? []), partition])
      }
    }
    return [...shares].map(([memberId, share]) => ({memberId, assignment: assignment(share)}))
  }

  leave(): void {
    if (this.#memberId === '') return
    this.#broker.groups.leave(this.#groupId, {memberId: this.#memberId, groupInstanceId: null})
    this.#memberId = ''
  }
}

/** A ConsumerProtocolSubscription, version 0: version, topics, user data. */
function subscription(topic: string): Buffer {
  return Buffer.concat([int16(0), int32(1), text(topic), int32(-1)])
}

/** A ConsumerProtocolAssignment, version 0: version, topics with their partitions, user data. */
function assignment(share: ReadonlyMap<string, readonly number[]>): Buffer {
  const topics = [...share].map(([name, partitions]) => [text(name), int32(partitions.length), ...partitions.map(int32)])
  return Buffer.concat([int16(0), int32(topics.length), ...topics.flat(), int32(-1)])
}

function readAssignment(bytes: Buffer, wanted: string): number[] {
  if (bytes.length < 6) return []
  let at = 6
  for (let topics = bytes.readInt32BE(2); topics > 0; topics--) {
    const length = bytes.readInt16BE(at)
    const name = bytes.toString('utf8', at + 2, at + 2 + length)
    const count = bytes.readInt32BE(at + 2 + length)
    at += 6 + length
    if (name === wanted) return Array.from({length: count}, (_, index) => bytes.readInt32BE(at + 4 * index))
    at += 4 * count
  }
  return []
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int16(bytes.length), bytes])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
