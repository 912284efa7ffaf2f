import {ERROR} from './api/error-codes.js'
import {
  answer,
  type Caller,
  commonProtocols,
  describeMember,
  isOversized,
  joinError,
  MAX_METADATA_BYTES,
  type Member,
  metadataOf,
  NO_BYTES,
  newMember,
  newMemberId,
  sameProtocols,
  selectProtocol,
  syncError,
  update,
  waitForAssignment,
  waitForRound,
} from './member.js'
import type {
  DescribeGroupsResponse,
  HeartbeatRequest,
  JoinGroupRequest,
  JoinGroupResponse,
  LeaveGroupRequest,
  SyncGroupRequest,
  SyncGroupResponse,
} from './messages.js'
import {CommittedOffsets} from './offsets.js'
import {subscribedTopics} from './subscription.js'

/** Named as DescribeGroups and ListGroups spell them. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

/** A new member waits for its first round at most so long (Kafka's NewMemberJoinTimeoutMs): its client may be gone. */
const NEW_MEMBER_TIMEOUT_MS = 300_000
/** Kafka's group.max.size is unlimited; a process on a laptop is not. */
const MAX_MEMBERS = 1_000

/**
 * One classic consumer group: Kafka 2.8's state machine, with group.initial.rebalance.delay.ms = 0.
 * Members are forgotten when their session ends, not when their connection does. Answers that must wait for others are promises.
 */
export class Group {
  readonly id: string
  readonly offsets = new CommittedOffsets()
  state: GroupState = 'Empty'
  generation = 0
  protocolType: string | null = null
  /** Epoch milliseconds; meaningful in state Empty. */
  emptySince = Date.now()
  #protocolName: string | null = null
  #leader: string | null = null
  readonly #members = new Map<string, Member>()
  /** Member ids by group.instance.id (KIP-345). */
  readonly #instances = new Map<string, string>()
  /** Ids that were handed out with MEMBER_ID_REQUIRED and have not come back yet (KIP-394). */
  readonly #pending = new Map<string, NodeJS.Timeout>()
  readonly #unsynced = new Set<string>()
  #round: NodeJS.Timeout | undefined
  readonly #onGeneration: (group: Group) => void

  /** `onGeneration` is called when a generation has its assignment, and when the last member has gone. */
  constructor(id: string, onGeneration: (group: Group) => void) {
    this.id = id
    this.#onGeneration = onGeneration
  }

  get hasPendingMembers(): boolean {
    return this.#pending.size > 0
  }

  join(request: JoinGroupRequest, caller: Caller): JoinGroupResponse | Promise<JoinGroupResponse> {
    const {memberId, protocols} = request
    if (this.state === 'Dead') return joinError(memberId, ERROR.coordinatorNotAvailable)
    if (isOversized(protocols)) return joinError(memberId, ERROR.invalidRequest)
    if (!this.#hasRoomFor(memberId)) return joinError('', ERROR.groupMaxSizeReached)
    if (!this.#supports(request)) return joinError(memberId, ERROR.inconsistentGroupProtocol)
    const response = memberId === '' ? this.#joinUnknown(request, caller) : this.#joinKnown(request, caller)
    this.#completeRoundIfAllJoined()
    return response
  }

  sync({memberId, groupInstanceId, generationId, protocolType, protocolName, assignments}: SyncGroupRequest) {
    const error = this.memberError(memberId, groupInstanceId) || this.#generationError(generationId)
    if (error) return syncError(error)
    if (protocolType !== null && protocolType !== this.protocolType) return syncError(ERROR.inconsistentGroupProtocol)
    if (protocolName !== null && protocolName !== this.#protocolName) return syncError(ERROR.inconsistentGroupProtocol)
    if (this.state === 'PreparingRebalance') return syncError(ERROR.rebalanceInProgress)
    const isAssigning = this.state === 'CompletingRebalance' && memberId === this.#leader
    if (isAssigning && assignments.some(({assignment}) => assignment.length > MAX_METADATA_BYTES))
      return syncError(ERROR.invalidRequest)
    const member = this.#members.get(memberId)!
    this.#unsynced.delete(memberId)
    const response = waitForAssignment(member)
    if (isAssigning) this.#assign(assignments)
    if (this.state === 'Stable') this.#answerSync(member, this.#assignmentOf(member))
    return response
  }

  /** Returns an error code. */
  heartbeat({memberId, groupInstanceId, generationId}: HeartbeatRequest): number {
    const error = this.memberError(memberId, groupInstanceId) || this.#generationError(generationId)
    if (error) return error
    this.#renewSession(this.#members.get(memberId)!)
    return this.state === 'PreparingRebalance' ? ERROR.rebalanceInProgress : ERROR.none
  }

  /** Removes one member, by its id, or by its instance id whatever its member id. Returns an error code. */
  leave({memberId, groupInstanceId}: Pick<LeaveGroupRequest['members'][number], 'memberId' | 'groupInstanceId'>): number {
    if (this.#pending.has(memberId)) {
      this.#dropPending(memberId)
      return ERROR.none
    }
    const knownId = groupInstanceId === null ? memberId : this.#instances.get(groupInstanceId)
    const member = knownId === undefined ? undefined : this.#members.get(knownId)
    if (!member) return ERROR.unknownMemberId
    if (memberId !== '' && memberId !== member.id) return ERROR.fencedInstanceId
    this.#removeAndRebalance(member)
    return ERROR.none
  }

  /** Whether a commit with that member and generation is let in, as an error code. A generation below 0 is a commit without membership. */
  commitError(memberId: string, groupInstanceId: string | null, generation: number): number {
    if (this.state === 'Dead') return ERROR.coordinatorNotAvailable
    if (generation < 0 && this.state === 'Empty') return ERROR.none
    const error = this.memberError(memberId, groupInstanceId) || this.#generationError(generation)
    if (error) return error
    // In PreparingRebalance Kafka still takes it: that is how members save their progress before they rejoin.
    if (this.state === 'CompletingRebalance') return ERROR.rebalanceInProgress
    this.#renewSession(this.#members.get(memberId)!)
    return ERROR.none
  }

  memberError(memberId: string, groupInstanceId: string | null): number {
    if (this.state === 'Dead') return ERROR.coordinatorNotAvailable
    const holder = groupInstanceId === null ? memberId : this.#instances.get(groupInstanceId)
    if (holder === undefined) return ERROR.unknownMemberId
    if (holder !== memberId) return ERROR.fencedInstanceId
    return this.#members.has(memberId) ? ERROR.none : ERROR.unknownMemberId
  }

  /** Whether members of a consumer group may be subscribed to the topic; true too where their metadata cannot be read, as in Kafka. */
  mayConsume(topic: string): boolean {
    const subscriptions = [...this.#members.values()].map((member) => subscribedTopics(metadataOf(member, this.#protocolName)))
    return subscriptions.some((topics) => topics === null || topics.includes(topic))
  }

  describe(): DescribeGroupsResponse['groups'][number] {
    const isStable = this.state === 'Stable'
    const members = [...this.#members.values()].map((member) => describeMember(member, isStable ? this.#protocolName : null))
    const protocolData = (isStable && this.#protocolName) || ''
    return {
      errorCode: ERROR.none,
      groupId: this.id,
      groupState: this.state,
      protocolType: this.protocolType ?? '',
      protocolData,
      members,
    }
  }

  /** Ends it: whoever waits is told to look for the coordinator again, and no timer is left. */
  close(): void {
    this.state = 'Dead'
    this.#stopRound()
    for (const timer of this.#pending.values()) clearTimeout(timer)
    this.#pending.clear()
    for (const member of [...this.#members.values()]) this.#remove(member, ERROR.coordinatorNotAvailable)
  }

  #hasRoomFor(memberId: string): boolean {
    return this.#members.has(memberId) || this.#pending.has(memberId) || this.#members.size + this.#pending.size < MAX_MEMBERS
  }

  /** Whether a protocol of the request is one that every member knows. */
  #supports({protocolType, protocols}: JoinGroupRequest): boolean {
    if (this.#members.size === 0) return protocolType !== '' && protocols.length > 0
    if (protocolType !== this.protocolType) return false
    const common = commonProtocols(this.#members.values())
    return protocols.some(({name}) => common.has(name))
  }

  #joinUnknown(request: JoinGroupRequest, caller: Caller): JoinGroupResponse | Promise<JoinGroupResponse> {
    const {groupInstanceId, sessionTimeoutMs} = request
    const memberId = newMemberId(groupInstanceId ?? caller.clientId)
    const held = groupInstanceId === null ? undefined : this.#instances.get(groupInstanceId)
    if (held !== undefined) return this.#replaceStatic(this.#members.get(held)!, memberId, request, caller)
    // KIP-394, from version 4 on: a client that never sees its answer must not leave a member behind at every try.
    if (caller.version < 4 || groupInstanceId !== null) return this.#add(memberId, request, caller)
    this.#pending.set(memberId, setTimeout(() => this.#dropPending(memberId), sessionTimeoutMs).unref())
    return joinError(memberId, ERROR.memberIdRequired)
  }

  #joinKnown(request: JoinGroupRequest, caller: Caller): JoinGroupResponse | Promise<JoinGroupResponse> {
    const {memberId, groupInstanceId, protocols} = request
    if (this.#pending.has(memberId) && groupInstanceId === null) return this.#add(memberId, request, caller)
    const error = this.memberError(memberId, groupInstanceId)
    if (error) return joinError(memberId, error)
    const member = this.#members.get(memberId)!
    // A leader that joins a stable group asks for a rebalance: something that metadata does not show has changed, such as partitions.
    const mayStay = this.state === 'CompletingRebalance' || (this.state === 'Stable' && memberId !== this.#leader)
    if (mayStay && sameProtocols(member.protocols, protocols)) return this.#joined(member)
    update(member, request)
    return this.#rejoin(member)
  }

  #add(memberId: string, request: JoinGroupRequest, caller: Caller): Promise<JoinGroupResponse> {
    const member = newMember(memberId, request, caller)
    clearTimeout(this.#pending.get(memberId))
    this.#pending.delete(memberId)
    if (this.#members.size === 0) this.protocolType = request.protocolType
    this.#leader ??= memberId
    this.#members.set(memberId, member)
    if (member.instanceId !== null) this.#instances.set(member.instanceId, memberId)
    this.#renewSession(member, NEW_MEMBER_TIMEOUT_MS)
    return this.#rejoin(member)
  }

  /** KIP-345: a restarted static member takes its predecessor's place, without a rebalance where none is under way. */
  #replaceStatic(member: Member, memberId: string, request: JoinGroupRequest, {version}: Caller) {
    const previousLeader = this.#leader
    answer(member, ERROR.fencedInstanceId)
    this.#rename(member, memberId)
    update(member, request)
    this.#renewSession(member)
    if (this.state !== 'Stable' || selectProtocol([...this.#members.values()]) !== this.#protocolName) return this.#rejoin(member)
    // Before KIP-814 (version 9) a returning leader is not told that it leads: the assignment that it would make has no round to be used in.
    if (version < 9) return {...this.#joined(member), leader: previousLeader ?? '', members: []}
    return {...this.#joined(member), skipAssignment: this.#leader === memberId}
  }

  #rename(member: Member, memberId: string): void {
    this.#members.delete(member.id)
    if (this.#unsynced.delete(member.id)) this.#unsynced.add(memberId)
    if (this.#leader === member.id) this.#leader = memberId
    member.id = memberId
    this.#members.set(memberId, member)
    this.#instances.set(member.instanceId!, memberId)
  }

  /** The member waits for the round, which begins with it unless one is under way. */
  #rejoin(member: Member): Promise<JoinGroupResponse> {
    const response = waitForRound(member)
    this.#prepareRebalance()
    return response
  }

  #prepareRebalance(): void {
    if (this.state === 'PreparingRebalance') return
    const isFirst = this.state === 'Empty'
    this.state = 'PreparingRebalance'
    for (const member of this.#members.values()) this.#answerSync(member, syncError(ERROR.rebalanceInProgress))
    if (isFirst) this.#completeRound()
    else this.#startRound(() => this.#completeRound())
    this.#completeRoundIfAllJoined()
  }

  #completeRoundIfAllJoined(): void {
    if (this.state !== 'PreparingRebalance' || this.#pending.size > 0) return
    if ([...this.#members.values()].every(({answerJoin}) => answerJoin)) this.#completeRound()
  }

  /** Ends the joining: all are here, or the time is up. */
  #completeRound(): void {
    this.#stopRound()
    for (const member of [...this.#members.values()]) if (!member.answerJoin && member.instanceId === null) this.#remove(member)
    if (this.#members.size > 0 && !this.#electLeader()) this.#startRound(() => this.#completeRound())
    else this.#beginGeneration()
  }

  #beginGeneration(): void {
    this.generation++
    if (this.#members.size === 0) this.#becomeEmpty()
    else this.#answerJoins()
  }

  #answerJoins(): void {
    this.#protocolName = selectProtocol([...this.#members.values()])
    this.state = 'CompletingRebalance'
    for (const member of this.#members.values()) {
      this.#unsynced.add(member.id)
      member.isNew = false
      member.answerJoin?.(this.#joined(member))
      member.answerJoin = undefined
      this.#renewSession(member)
    }
    this.#startRound(() => this.#removeUnsynced())
  }

  #becomeEmpty(): void {
    this.state = 'Empty'
    this.#protocolName = null
    this.emptySince = Date.now()
    this.#onGeneration(this)
  }

  /** Whether a member that has joined leads. Static members that stay away are kept, but cannot lead. */
  #electLeader(): boolean {
    if (this.#leader !== null && this.#members.get(this.#leader)?.answerJoin) return true
    const joined = [...this.#members.values()].find(({answerJoin}) => answerJoin)
    if (joined) this.#leader = joined.id
    return joined !== undefined
  }

  /** The answer to a member of the current generation; the leader learns of all members. */
  #joined(member: Member): JoinGroupResponse {
    return {
      errorCode: ERROR.none,
      generationId: this.generation,
      protocolType: this.protocolType,
      protocolName: this.#protocolName,
      leader: this.#leader ?? '',
      memberId: member.id,
      members: member.id === this.#leader ? this.#roster() : [],
    }
  }

  #roster = (): JoinGroupResponse['members'] =>
    [...this.#members.values()].map((member) => {
      return {memberId: member.id, groupInstanceId: member.instanceId, metadata: metadataOf(member, this.#protocolName)}
    })

  /** The leader's assignment makes the group stable; a member that it left out has nothing to do. */
  #assign(assignments: SyncGroupRequest['assignments']): void {
    const byMember = new Map(assignments.map(({memberId, assignment}) => [memberId, assignment]))
    for (const member of this.#members.values()) member.assignment = Buffer.from(byMember.get(member.id) ?? NO_BYTES)
    this.state = 'Stable'
    this.#onGeneration(this)
    for (const member of this.#members.values()) this.#answerSync(member, this.#assignmentOf(member))
  }

  #assignmentOf({assignment}: Member): SyncGroupResponse {
    return {errorCode: ERROR.none, protocolType: this.protocolType, protocolName: this.#protocolName, assignment}
  }

  #answerSync(member: Member, response: SyncGroupResponse): void {
    if (!member.answerSync) return
    member.answerSync(response)
    member.answerSync = undefined
    this.#renewSession(member)
  }

  /** Members that joined but never synced would hold their partitions and consume nothing. */
  #removeUnsynced(): void {
    const silent = [...this.#unsynced].map((id) => this.#members.get(id)!)
    if (silent.length === 0) return
    for (const member of silent) this.#remove(member)
    this.#prepareRebalance()
  }

  #generationError = (generation: number): number => (generation === this.generation ? ERROR.none : ERROR.illegalGeneration)

  #dropPending(memberId: string): void {
    clearTimeout(this.#pending.get(memberId))
    this.#pending.delete(memberId)
    this.#completeRoundIfAllJoined()
  }

  #removeAndRebalance(member: Member): void {
    this.#remove(member)
    if (this.state === 'PreparingRebalance') this.#completeRoundIfAllJoined()
    else this.#prepareRebalance()
  }

  #remove(member: Member, error: number = ERROR.unknownMemberId): void {
    answer(member, error)
    clearTimeout(member.session)
    this.#members.delete(member.id)
    this.#unsynced.delete(member.id)
    if (member.instanceId !== null) this.#instances.delete(member.instanceId)
    if (this.#leader === member.id) this.#leader = this.#members.keys().next().value ?? null
  }

  #renewSession(member: Member, timeoutMs = member.sessionTimeoutMs): void {
    clearTimeout(member.session)
    member.session = setTimeout(() => this.#endSession(member), timeoutMs).unref()
  }

  /** Who waits for an answer cannot send heartbeats; its session starts anew with the answer. */
  #endSession(member: Member): void {
    const isWaiting = member.answerJoin !== undefined || member.answerSync !== undefined
    if (member.isNew || !isWaiting) this.#removeAndRebalance(member)
  }

  #startRound(onTimeout: () => void): void {
    this.#stopRound()
    const timeoutMs = Math.max(...[...this.#members.values()].map(({rebalanceTimeoutMs}) => rebalanceTimeoutMs), 0)
    this.#round = setTimeout(onTimeout, timeoutMs).unref()
  }

  #stopRound(): void {
    clearTimeout(this.#round)
    this.#round = undefined
  }
}
