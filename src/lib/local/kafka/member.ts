import {randomUUID} from 'node:crypto'

import {ERROR} from './api/error-codes.js'
import type {DescribeGroupsResponse, JoinGroupRequest, JoinGroupResponse, SyncGroupResponse} from './messages.js'

/** Who sent a JoinGroup, and in which version. */
export type Caller = {clientId: string; clientHost: string; version: number}

type Protocol = {name: string; metadata: Buffer}

export type Member = {
  id: string
  /** Of a static member (KIP-345). */
  instanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: Protocol[]
  assignment: Buffer
  /** Until its first round ends. */
  isNew: boolean
  session: NodeJS.Timeout | undefined
  /** Answers the JoinGroup, or the SyncGroup, in which the member waits. */
  answerJoin: ((response: JoinGroupResponse) => void) | undefined
  answerSync: ((response: SyncGroupResponse) => void) | undefined
}

export const NO_BYTES = Buffer.alloc(0)

const MAX_PROTOCOLS = 100
/** Of a member's metadata, and of its assignment. Kafka's limit is the offsets topic's max.message.bytes, for the whole group. */
export const MAX_METADATA_BYTES = 1_048_576
/** A client id may have 32 KiB, and so may the member id that is made of it. */
const MAX_PREFIX = 255

/** `prefix` is the client's id or the static member's instance id. */
export const newMemberId = (prefix: string): string => `${prefix.slice(0, MAX_PREFIX)}-${randomUUID()}`

/** The refusal of a JoinGroup, with the member id that the client shall go on with. */
export const joinError = (memberId: string, errorCode: number): JoinGroupResponse => {
  return {errorCode, generationId: -1, protocolType: null, protocolName: null, leader: '', memberId, members: []}
}

export const syncError = (errorCode: number): SyncGroupResponse => {
  return {errorCode, protocolType: null, protocolName: null, assignment: NO_BYTES}
}

export const newMember = (id: string, request: JoinGroupRequest, {clientId, clientHost}: Caller): Member => {
  const waiting = {session: undefined, answerJoin: undefined, answerSync: undefined}
  const identity = {id, instanceId: request.groupInstanceId, clientId, clientHost}
  return {...identity, ...claimsOf(request), assignment: NO_BYTES, isNew: true, ...waiting}
}

/** Takes over what a member says of itself. */
export const update = (member: Member, request: JoinGroupRequest): void => {
  Object.assign(member, claimsOf(request))
}

/** Metadata is copied: it is a slice of a frame, which would be kept with it. */
const claimsOf = ({sessionTimeoutMs, rebalanceTimeoutMs, protocols}: JoinGroupRequest) => ({
  sessionTimeoutMs,
  // Version 0 has none, and some clients send 0, which would end every round at once.
  rebalanceTimeoutMs: rebalanceTimeoutMs > 0 ? rebalanceTimeoutMs : sessionTimeoutMs,
  protocols: protocols.map(({name, metadata}) => ({name, metadata: Buffer.from(metadata)})),
})

/** Asked twice, the first answer is for a connection that is lost, or that will ask again when it reads this. */
export const waitForRound = (member: Member): Promise<JoinGroupResponse> => {
  member.answerJoin?.(joinError(member.id, ERROR.rebalanceInProgress))
  return new Promise((resolve) => {
    member.answerJoin = resolve
  })
}

export const waitForAssignment = (member: Member): Promise<SyncGroupResponse> => {
  member.answerSync?.(syncError(ERROR.rebalanceInProgress))
  return new Promise((resolve) => {
    member.answerSync = resolve
  })
}

/** Ends a member's waiting with an error, if it waits. */
export const answer = (member: Member, errorCode: number): void => {
  member.answerJoin?.(joinError(member.id, errorCode))
  member.answerSync?.(syncError(errorCode))
  member.answerJoin = undefined
  member.answerSync = undefined
}

/** The protocols that every member knows, in the first member's order. */
export const commonProtocols = (members: Iterable<Member>): Set<string> => {
  const [first, ...others] = [...members].map(({protocols}) => new Set(protocols.map(({name}) => name)))
  return new Set([...(first ?? [])].filter((name) => others.every((names) => names.has(name))))
}

/** Each member votes for the first of its protocols that all know; on a tie the one named first wins. */
export const selectProtocol = (members: readonly Member[]): string | null => {
  const votes = new Map([...commonProtocols(members)].map((name) => [name, 0]))
  for (const {protocols} of members) {
    const choice = protocols.find(({name}) => votes.has(name))?.name
    if (choice !== undefined) votes.set(choice, votes.get(choice)! + 1)
  }
  const most = Math.max(...votes.values())
  return [...votes].find(([, count]) => count === most)?.[0] ?? null
}

export const isOversized = (protocols: readonly Protocol[]): boolean =>
  protocols.length > MAX_PROTOCOLS ||
  protocols.reduce((sum, {name, metadata}) => sum + name.length + metadata.length, 0) > MAX_METADATA_BYTES

export const metadataOf = ({protocols}: Member, protocolName: string | null): Buffer =>
  protocols.find(({name}) => name === protocolName)?.metadata ?? NO_BYTES

/** As DescribeGroups tells it; without a protocol, which is while the group is not stable, metadata and assignment are empty. */
export const describeMember = (
  member: Member,
  protocolName: string | null,
): DescribeGroupsResponse['groups'][number]['members'][number] => ({
  memberId: member.id,
  groupInstanceId: member.instanceId,
  clientId: member.clientId,
  clientHost: member.clientHost,
  memberMetadata: metadataOf(member, protocolName),
  memberAssignment: protocolName === null ? NO_BYTES : member.assignment,
})

export const sameProtocols = (left: readonly Protocol[], right: readonly Protocol[]): boolean =>
  left.length === right.length &&
  left.every(({name, metadata}, index) => name === right[index]!.name && metadata.equals(right[index]!.metadata))
