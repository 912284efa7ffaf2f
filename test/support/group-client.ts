import {joinGroup} from '../../src/lib/local/kafka/api/11-join-group.js'
import {heartbeat} from '../../src/lib/local/kafka/api/12-heartbeat.js'
import {leaveGroup} from '../../src/lib/local/kafka/api/13-leave-group.js'
import {syncGroup} from '../../src/lib/local/kafka/api/14-sync-group.js'
import type {Api, Call} from '../../src/lib/local/kafka/api/api.js'
import {GroupCoordinator, type GroupCoordinatorOptions, type GroupEntry} from '../../src/lib/local/kafka/groups.js'
import type {JoinGroupRequest, JoinGroupResponse, SyncGroupResponse} from '../../src/lib/local/kafka/messages.js'

const ARN = 'arn:aws:kafka:us-east-1:123456789012:cluster/local/uuid-s1'

/** A coordinator whose state log is an array: topic "orders" has 3 partitions, "events" 1. */
export function coordinator(options: Partial<GroupCoordinatorOptions> = {}) {
  const entries: GroupEntry[] = []
  const partitions: Record<string, number> = {orders: 3, events: 1}
  const groups = new GroupCoordinator({
    persist: async (entry) => {
      entries.push(structuredClone(entry))
    },
    topicExists: (topic, partition) => partition >= 0 && partition < (partitions[topic] ?? 0),
    serverless: true,
    ...options,
  })
  return {groups, entries}
}

/** A call as server.ts makes it, of a principal that may do everything except `denied`: pairs like "ReadData orders". */
export function call(groups: GroupCoordinator, version: number, denied: readonly string[] = []): Call {
  const nameOf = (resource: string): string => resource.split('/').slice(3).join('/')
  const broker = {
    groups,
    arn: ARN,
    groupArn: (id: string) => `${ARN.replace(':cluster/', ':group/')}/${id}`,
    topicArn: (topic: string) => `${ARN.replace(':cluster/', ':topic/')}/${topic}`,
    transactionalIdArn: (id: string) => `${ARN.replace(':cluster/', ':transactional-id/')}/${id}`,
    endpointsFor: () => [151, 204, 257].map((nodeId, index) => ({nodeId, host: '127.0.0.1', port: 9098 + index})),
  }
  const allows = (action: string, resource: string): boolean => !denied.includes(`${action} ${nameOf(resource)}`.trim())
  return {
    version,
    clientId: 'app',
    broker,
    connection: {remoteAddress: '127.0.0.1:50000'},
    allows,
    maySee: allows,
  } as unknown as Call
}

/** What a handler answers; a call that ought to wait is told apart by `isWaiting`. */
export const ask = async <Request, Response extends object>(
  api: Api<Request, Response>,
  request: Request,
  to: Call,
): Promise<Response> => (await api.handle(request, to))!

/** Whether the promise is still open after everything that can happen now has happened. */
export async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open')
  for (let tick = 0; tick < 20; tick++) await Promise.resolve()
  return (await Promise.race([promise, Promise.resolve(open)])) === open
}

export const joinRequest = (request: Partial<JoinGroupRequest> = {}): JoinGroupRequest => ({
  groupId: 'g',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 60_000,
  memberId: '',
  groupInstanceId: null,
  protocolType: 'consumer',
  protocols: [{name: 'range', metadata: subscription('orders')}],
  reason: null,
  ...request,
})

/** A ConsumerProtocolSubscription of version 0. */
export function subscription(...topics: string[]): Buffer {
  const names = topics.map((topic) => Buffer.from(topic))
  const bytes = Buffer.alloc(6 + names.reduce((sum, name) => sum + 2 + name.length, 0) + 4)
  bytes.writeInt32BE(topics.length, 2)
  let at = 6
  for (const name of names) {
    bytes.writeInt16BE(name.length, at)
    name.copy(bytes, at + 2)
    at += 2 + name.length
  }
  bytes.writeInt32BE(-1, at)
  return bytes
}

/** The group protocol from a client's side, for one coordinator. `version` is JoinGroup's: 3 spares a member the second join. */
export const groupClient = (groups: GroupCoordinator) => ({
  join: (request: Partial<JoinGroupRequest> = {}, version = 3): Promise<JoinGroupResponse> =>
    ask(joinGroup, joinRequest(request), call(groups, version)),
  sync(
    memberId: string,
    generationId: number,
    assignments: Record<string, string> = {},
    groupInstanceId: string | null = null,
  ): Promise<SyncGroupResponse> {
    const list = Object.entries(assignments).map(([id, assignment]) => ({memberId: id, assignment: Buffer.from(assignment)}))
    const names = {protocolType: null, protocolName: null}
    return ask(syncGroup, {groupId: 'g', generationId, memberId, groupInstanceId, ...names, assignments: list}, call(groups, 5))
  },
  async heartbeat(memberId: string, generationId: number, groupInstanceId: string | null = null): Promise<number> {
    const {errorCode} = await ask(heartbeat, {groupId: 'g', generationId, memberId, groupInstanceId}, call(groups, 4))
    return errorCode
  },
  async leave(memberId: string): Promise<number> {
    const {errorCode} = await ask(leaveGroup, {groupId: 'g', memberId, members: []}, call(groups, 2))
    return errorCode
  },
})

/** A stable group of one member, assigned "everything", and its generation. */
export async function stableGroup(groups: GroupCoordinator, request: Partial<JoinGroupRequest> = {}) {
  const client = groupClient(groups)
  const {memberId, generationId = -1} = await client.join(request)
  await client.sync(memberId, generationId, {[memberId]: 'everything'}, request.groupInstanceId ?? null)
  return {memberId, generationId}
}
