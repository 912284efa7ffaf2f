import {QUOTAS} from '../../limits.js'
import {ERROR} from './api/error-codes.js'
import {Group} from './group.js'
import {type Caller, joinError, syncError} from './member.js'
import type {
  DescribeGroupsResponse,
  HeartbeatRequest,
  JoinGroupRequest,
  JoinGroupResponse,
  OffsetCommitRequest,
  OffsetCommitResponse,
  OffsetDeleteRequest,
  OffsetDeleteResponse,
  SyncGroupRequest,
  SyncGroupResponse,
} from './messages.js'
import type {CommittedOffsets, PartitionOffset} from './offsets.js'

/** What groups leave in the cluster's state log. Members are not in it: after a restart they join again, as after a coordinator's failure. */
export type GroupEntry =
  | {
      type: 'group'
      group: string
      protocolType: string | null
      generation: number /** Null: it has members. */
      emptySince: number | null
    }
  | {type: 'group-deleted'; group: string}
  | {type: 'offset-commit'; group: string; offsets: readonly PartitionOffset[]}
  | {type: 'offset-delete'; group: string; partitions: readonly {topic: string; partition: number}[]}
  | {type: 'offset-topic-deleted'; topic: string}

export type GroupCoordinatorOptions = {
  /** Resolves when the entry is in the state log. */
  persist(entry: GroupEntry): Promise<void>
  topicExists(topic: string, partition: number): boolean
  serverless: boolean
  /** Kafka's group.min.session.timeout.ms and group.max.session.timeout.ms; tests need shorter ones. */
  sessionTimeoutMs?: {min: number; max: number}
}

/** offsets.retention.minutes, from when the group was empty; of a group that only stores offsets, from the commit (KIP-211). */
const OFFSETS_RETENTION_MS = 7 * 24 * 3_600_000
/** offsets.retention.check.interval.ms: so long an empty group without offsets may still be seen. */
const EMPTY_GROUP_MS = 600_000
/** offset.metadata.max.bytes, which Kafka compares with the string's length. */
const MAX_OFFSET_METADATA = 4_096
/** Where no quota says otherwise: a process on a laptop has an end. */
const MAX_GROUPS = 10_000

/**
 * The consumer groups of a cluster and what they have committed. Any node serves any group.
 * Memory changes first and the state log follows in the same order; what is acknowledged is in the log.
 */
export class GroupCoordinator {
  readonly #groups = new Map<string, Group>()
  readonly #persist: (entry: GroupEntry) => Promise<void>
  readonly #topicExists: (topic: string, partition: number) => boolean
  readonly #serverless: boolean
  readonly #sessionTimeoutMs: {min: number; max: number}

  constructor({persist, topicExists, serverless, sessionTimeoutMs}: GroupCoordinatorOptions) {
    this.#persist = persist
    this.#topicExists = topicExists
    this.#serverless = serverless
    this.#sessionTimeoutMs = sessionTimeoutMs ?? {min: 6_000, max: 1_800_000}
  }

  /** The answer may wait for the other members. */
  join(request: JoinGroupRequest, caller: Caller): JoinGroupResponse | Promise<JoinGroupResponse> {
    const {groupId, memberId, sessionTimeoutMs} = request
    const {min, max} = this.#sessionTimeoutMs
    if (groupId === '') return joinError(memberId, ERROR.invalidGroupId)
    if (sessionTimeoutMs < min || sessionTimeoutMs > max) return joinError(memberId, ERROR.invalidSessionTimeout)
    const known = this.find(groupId)
    if (!known && memberId !== '') return joinError(memberId, ERROR.unknownMemberId)
    const group = known ?? this.#create(groupId, this.#serverless ? QUOTAS.consumerGroups : MAX_GROUPS)
    // AWS says only that JoinGroup fails beyond the quota; the code is unverified, and is the one that its other quotas answer with.
    if (!group) return joinError(memberId, ERROR.invalidRequest)
    return group.join(request, caller)
  }

  /** The answer may wait for the leader. */
  sync(request: SyncGroupRequest): SyncGroupResponse | Promise<SyncGroupResponse> {
    if (request.groupId === '') return syncError(ERROR.invalidGroupId)
    return this.find(request.groupId)?.sync(request) ?? syncError(ERROR.unknownMemberId)
  }

  /** Returns an error code. */
  heartbeat(request: HeartbeatRequest): number {
    if (request.groupId === '') return ERROR.invalidGroupId
    return this.find(request.groupId)?.heartbeat(request) ?? ERROR.unknownMemberId
  }

  /** Returns an error code for that member. */
  leave(groupId: string, member: {memberId: string; groupInstanceId: string | null}): number {
    if (groupId === '') return ERROR.invalidGroupId
    return this.find(groupId)?.leave(member) ?? ERROR.unknownMemberId
  }

  /** A group that does not exist is described as Dead, without an error. */
  describe(groupId: string): DescribeGroupsResponse['groups'][number] {
    const dead = {errorCode: ERROR.none, groupId, groupState: 'Dead', protocolType: '', protocolData: '', members: []}
    return this.find(groupId)?.describe() ?? dead
  }

  list(): Group[] {
    for (const group of [...this.#groups.values()]) this.#expire(group)
    return [...this.#groups.values()]
  }

  /** The group, unless it does not exist or nothing is left of it. */
  find(groupId: string): Group | undefined {
    const group = this.#groups.get(groupId)
    if (group) this.#expire(group)
    return this.#groups.get(groupId)
  }

  /** Returns an error code; when it is none, the group is gone for good. */
  async delete(groupId: string): Promise<number> {
    const group = this.find(groupId)
    if (!group) return ERROR.groupIdNotFound
    if (group.state !== 'Empty') return ERROR.nonEmptyGroup
    this.#drop(group)
    return this.#store({type: 'group-deleted', group: groupId})
  }

  /** Resolves when what was accepted is in the log. `mayRead` tells whether the caller may commit for that topic. */
  async commit(request: OffsetCommitRequest, mayRead: (topic: string) => boolean): Promise<OffsetCommitResponse> {
    const timestamp = Date.now()
    const accepted: PartitionOffset[] = []
    const topics = request.topics.map(({name, partitions}) => {
      const isReadable = mayRead(name)
      return {
        name,
        partitions: partitions.map(
          ({partitionIndex, committedOffset: offset, committedLeaderEpoch: leaderEpoch, committedMetadata}) => {
            const committed = {
              topic: name,
              partition: partitionIndex,
              offset,
              leaderEpoch,
              metadata: committedMetadata ?? '',
              timestamp,
            }
            const errorCode = isReadable ? this.#offsetError(committed) : ERROR.topicAuthorizationFailed
            if (errorCode === ERROR.none) accepted.push(committed)
            return {partitionIndex, errorCode}
          },
        ),
      }
    })
    const groupError = accepted.length > 0 ? await this.#commit(request, accepted) : ERROR.none
    return groupError === ERROR.none ? {topics} : {topics: topics.map((topic) => withError(topic, groupError))}
  }

  /** What the group has committed, or undefined if there is no such group. */
  offsetsOf(groupId: string): CommittedOffsets | undefined {
    return this.find(groupId)?.offsets
  }

  /** Resolves when the deletions are in the log. A topic that a living consumer group may be subscribed to is refused. */
  async deleteOffsets(
    {groupId, topics}: OffsetDeleteRequest,
    mayRead: (topic: string) => boolean,
  ): Promise<OffsetDeleteResponse> {
    const group = this.find(groupId)
    if (groupId === '') return {errorCode: ERROR.invalidGroupId, topics: []}
    if (!group) return {errorCode: ERROR.groupIdNotFound, topics: []}
    if (group.state !== 'Empty' && group.protocolType !== 'consumer') return {errorCode: ERROR.nonEmptyGroup, topics: []}
    const deleted: {topic: string; partition: number}[] = []
    const results = topics.map(({name, partitions}) => {
      const topicError = this.#deletionError(group, name, mayRead)
      return {
        name,
        partitions: partitions.map(({partitionIndex}) => {
          const errorCode = topicError || (this.#topicExists(name, partitionIndex) ? ERROR.none : ERROR.unknownTopicOrPartition)
          if (errorCode === ERROR.none) deleted.push({topic: name, partition: partitionIndex})
          return {partitionIndex, errorCode}
        }),
      }
    })
    for (const {topic, partition} of deleted) group.offsets.delete(topic, partition)
    const errorCode =
      deleted.length > 0 ? await this.#store({type: 'offset-delete', group: groupId, partitions: deleted}) : ERROR.none
    return {errorCode, topics: errorCode === ERROR.none ? results : []}
  }

  /** To be called when a topic is deleted: a new topic of that name must not be read from the old one's offsets. */
  async forgetTopic(topic: string): Promise<void> {
    const committed = [...this.#groups.values()].filter(({offsets}) => offsets.deleteTopic(topic))
    if (committed.length > 0) await this.#persist({type: 'offset-topic-deleted', topic})
  }

  /** Takes in an entry of the state log; what is not about groups is left alone. */
  replay(entry: unknown): void {
    const known = entry as GroupEntry
    if (known.type === 'group') this.#replayGroup(known)
    else if (known.type === 'group-deleted') this.#groups.delete(known.group)
    else if (known.type === 'offset-commit') for (const offset of known.offsets) this.#restore(known.group).offsets.set(offset)
    else if (known.type === 'offset-delete') this.#replayDeletion(known)
    else if (known.type === 'offset-topic-deleted')
      for (const {offsets} of this.#groups.values()) offsets.deleteTopic(known.topic)
  }

  /** The entries that replay to what is there now. */
  *snapshot(): Iterable<GroupEntry> {
    for (const group of this.list()) {
      if (group.protocolType !== null) yield groupEntry(group)
      const offsets = [...group.offsets.entries()]
      if (offsets.length > 0) yield {type: 'offset-commit', group: group.id, offsets}
    }
  }

  /** Answers everybody who waits, and stops all timers. */
  close(): void {
    for (const group of this.#groups.values()) group.close()
    this.#groups.clear()
  }

  /** Undefined if there are `limit` groups already. */
  #create(groupId: string, limit: number): Group | undefined {
    if (this.#groups.size >= limit && this.list().length >= limit) return undefined
    return this.#restore(groupId)
  }

  #restore(groupId: string): Group {
    const group = this.#groups.get(groupId) ?? new Group(groupId, (changed) => this.#recordGeneration(changed))
    this.#groups.set(groupId, group)
    return group
  }

  /** Nobody waits for it: a generation that is lost in a crash has no members any more. A broken log shows at the next commit. */
  #recordGeneration(group: Group): void {
    this.#persist(groupEntry(group)).catch(() => {})
  }

  async #commit(request: OffsetCommitRequest, offsets: readonly PartitionOffset[]): Promise<number> {
    const {groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generation} = request
    const known = this.find(groupId)
    if (!known && generation >= 0) return ERROR.illegalGeneration
    const group = known ?? this.#create(groupId, MAX_GROUPS)
    if (!group) return ERROR.invalidRequest
    const error = group.commitError(memberId, groupInstanceId, generation)
    if (error) return error
    for (const offset of offsets) group.offsets.set(offset)
    return this.#store({type: 'offset-commit', group: groupId, offsets})
  }

  #offsetError({topic, partition, offset, metadata}: PartitionOffset): number {
    if (!this.#topicExists(topic, partition)) return ERROR.unknownTopicOrPartition
    if (metadata.length > MAX_OFFSET_METADATA) return ERROR.offsetMetadataTooLarge
    return Number.isSafeInteger(offset) ? ERROR.none : ERROR.invalidCommitOffsetSize
  }

  #deletionError(group: Group, topic: string, mayRead: (topic: string) => boolean): number {
    if (!mayRead(topic)) return ERROR.topicAuthorizationFailed
    return group.state !== 'Empty' && group.mayConsume(topic) ? ERROR.groupSubscribedToTopic : ERROR.none
  }

  /** A log that cannot be written is, as in Kafka, a coordinator that is gone: clients look for it again and retry. */
  async #store(entry: GroupEntry): Promise<number> {
    return this.#persist(entry).then(
      () => ERROR.none,
      () => ERROR.notCoordinator,
    )
  }

  /** Without a timer: whoever looks at a group finds it as it would be by now, and so does a replay of the log. */
  #expire(group: Group): void {
    if (group.state !== 'Empty' || group.hasPendingMembers) return
    const now = Date.now()
    const emptySince = group.protocolType === null ? 0 : group.emptySince
    for (const {topic, partition, timestamp} of [...group.offsets.entries()]) {
      if (Math.max(emptySince, timestamp) + OFFSETS_RETENTION_MS <= now) group.offsets.delete(topic, partition)
    }
    const isOver = group.generation === 0 || group.emptySince + EMPTY_GROUP_MS <= now
    if (group.offsets.isEmpty && isOver) this.#drop(group)
  }

  #drop(group: Group): void {
    group.close()
    this.#groups.delete(group.id)
  }

  #replayGroup({group: groupId, protocolType, generation, emptySince}: Extract<GroupEntry, {type: 'group'}>): void {
    const group = this.#restore(groupId)
    group.protocolType = protocolType
    group.generation = generation
    group.emptySince = emptySince ?? Date.now()
  }

  #replayDeletion({group, partitions}: Extract<GroupEntry, {type: 'offset-delete'}>): void {
    for (const {topic, partition} of partitions) this.#groups.get(group)?.offsets.delete(topic, partition)
  }
}

const groupEntry = ({id, protocolType, generation, state, emptySince}: Group): GroupEntry => {
  return {type: 'group', group: id, protocolType, generation, emptySince: state === 'Empty' ? emptySince : null}
}

/** The group's error for all partitions that have none of their own. */
const withError = ({name, partitions}: OffsetCommitResponse['topics'][number], groupError: number) => {
  return {
    name,
    partitions: partitions.map(({partitionIndex, errorCode}) => ({partitionIndex, errorCode: errorCode || groupError})),
  }
}
