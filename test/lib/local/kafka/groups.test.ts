import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest'

import {joinGroup} from '../../../../src/lib/local/kafka/api/11-join-group.js'
import {leaveGroup} from '../../../../src/lib/local/kafka/api/13-leave-group.js'
import {describeGroups} from '../../../../src/lib/local/kafka/api/15-describe-groups.js'
import {
  ask,
  call,
  coordinator,
  groupClient,
  isWaiting,
  joinRequest,
  stableGroup,
  subscription,
} from '../../../support/group-client.js'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

const stateOf = async ({groups}: ReturnType<typeof coordinator>) =>
  (await ask(describeGroups, {groups: ['g'], includeAuthorizedOperations: false}, call(groups, 5))).groups[0]!.groupState

describe('joining', () => {
  it('makes the first member the leader of generation 1 at once', async () => {
    const {groups} = coordinator()

    const joined = await groupClient(groups).join()

    expect(joined).toMatchObject({errorCode: 0, generationId: 1, protocolName: 'range', leader: joined.memberId})
    expect(joined.memberId).toMatch(/^app-[0-9a-f-]{36}$/)
    expect(joined.members).toEqual([{memberId: joined.memberId, groupInstanceId: null, metadata: subscription('orders')}])
  })

  it('gives a dynamic member an id to come back with from version 4 on', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)

    const refused = await client.join({}, 4)
    const joined = await client.join({memberId: refused.memberId}, 4)

    expect(refused).toMatchObject({errorCode: 79, generationId: -1})
    expect(joined).toMatchObject({errorCode: 0, memberId: refused.memberId})
  })

  it('forgets an id that nobody came back with when its session timeout has passed', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const {memberId} = await client.join({}, 4)

    await vi.advanceTimersByTimeAsync(10_001)

    expect(await client.join({memberId}, 4)).toMatchObject({errorCode: 25})
  })

  it('lets a round wait for an id that was handed out, until it is given up', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const first = await stableGroup(groups)
    await client.join({}, 4)

    const again = client.join({memberId: first.memberId})

    expect(await isWaiting(again)).toBe(true)
    await vi.advanceTimersByTimeAsync(10_001)
    expect(await again).toMatchObject({errorCode: 0, generationId: 2})
  })

  it.each([
    ['an empty group id', {groupId: ''}, 24],
    ['a session timeout under 6 s', {sessionTimeoutMs: 5_999}, 26],
    ['a session timeout over 30 min', {sessionTimeoutMs: 1_800_001}, 26],
    ['no protocol type', {protocolType: ''}, 23],
    ['no protocols', {protocols: []}, 23],
    ['a member id that was never given', {memberId: 'nobody'}, 25],
    ['metadata of more than 1 MiB', {protocols: [{name: 'range', metadata: Buffer.alloc(1_048_577)}]}, 42],
  ])('refuses %s', async (_case, request, errorCode) => {
    const {groups} = coordinator()

    expect(await groupClient(groups).join(request)).toMatchObject({errorCode, generationId: -1, members: []})
  })

  it.each([
    ['another protocol type', {protocolType: 'connect'}],
    ['no protocol that the others know', {protocols: [{name: 'sticky', metadata: Buffer.alloc(0)}]}],
  ])('refuses a second member with %s', async (_case, request) => {
    const {groups} = coordinator()
    await stableGroup(groups)

    expect(await groupClient(groups).join(request)).toMatchObject({errorCode: 23})
  })

  it('chooses the protocol that most members prefer among those that all know', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const protocols = (...names: string[]) => ({protocols: names.map((name) => ({name, metadata: Buffer.from(name)}))})
    const first = await client.join(protocols('range', 'sticky'))
    const others = [client.join(protocols('sticky', 'range')), client.join(protocols('only-mine', 'sticky', 'range'))]

    const chosen = await client.join({memberId: first.memberId, ...protocols('range', 'sticky')})

    expect(chosen.protocolName).toBe('sticky')
    expect(chosen.members.map(({metadata}) => String(metadata))).toEqual(['sticky', 'sticky', 'sticky'])
    expect((await Promise.all(others)).map(({members}) => members)).toEqual([[], []])
  })

  it('refuses the 501st group of a Serverless cluster', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    for (let index = 0; index < 500; index++) await client.join({groupId: `g${index}`})

    expect(await client.join({groupId: 'one too many'})).toMatchObject({errorCode: 42})
    expect(await client.join({groupId: 'g7'}, 4)).toMatchObject({errorCode: 79})
    groups.close()
  })

  it('keeps the size of a group bounded', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    for (let index = 0; index < 1_000; index++) await client.join({}, 4)

    expect(await client.join({}, 4)).toMatchObject({errorCode: 81, memberId: ''})
  })

  it('answers a null protocol name only to versions that can read it', async () => {
    const {groups} = coordinator()
    const ofVersion = (version: number) => ask(joinGroup, joinRequest({memberId: 'nobody'}), call(groups, version))

    expect([(await ofVersion(6)).protocolName, (await ofVersion(7)).protocolName]).toEqual(['', null])
  })
})

describe('a rebalance', () => {
  it('parks members until all have joined, then until the leader has synced', async () => {
    const all = coordinator()
    const client = groupClient(all.groups)
    const {memberId: leader, generationId} = await stableGroup(all.groups)

    const second = client.join()
    expect(await isWaiting(second)).toBe(true)
    expect(await client.heartbeat(leader, generationId)).toBe(27)
    const [led, followed] = await Promise.all([client.join({memberId: leader}), second])
    expect(led).toMatchObject({generationId: 2, leader, memberId: leader})
    expect(led.members).toHaveLength(2)
    expect(followed).toMatchObject({generationId: 2, leader, members: []})

    const follower = client.sync(followed.memberId, 2)
    expect(await isWaiting(follower)).toBe(true)
    expect(await client.heartbeat(leader, 2)).toBe(0)
    await client.sync(leader, 2, {[leader]: 'half', [followed.memberId]: 'other half'})
    expect(String((await follower).assignment)).toBe('other half')
    expect(await stateOf(all)).toBe('Stable')
  })

  it('gives a member that the leader left out an empty assignment', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const {memberId, generationId = 0} = await client.join()

    expect(await client.sync(memberId, generationId)).toMatchObject({errorCode: 0, assignment: Buffer.alloc(0)})
  })

  it('drops members that do not rejoin within the rebalance timeout, and hands the lead on', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const {memberId: absent, generationId} = await stableGroup(groups, {rebalanceTimeoutMs: 20_000})
    const joining = client.join({rebalanceTimeoutMs: 20_000})

    for (let second = 0; second < 20; second += 5) {
      await client.heartbeat(absent, generationId)
      expect(await isWaiting(joining)).toBe(true)
      await vi.advanceTimersByTimeAsync(5_000)
    }

    const joined = await joining
    expect(joined).toMatchObject({generationId: 2, leader: joined.memberId})
    expect(await client.heartbeat(absent, 2)).toBe(25)
  })

  it('takes the session timeout where there is no rebalance timeout', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)

    const {memberId, generationId = 0} = await client.join({rebalanceTimeoutMs: 0})
    await vi.advanceTimersByTimeAsync(1_000)

    expect(await client.sync(memberId, generationId)).toMatchObject({errorCode: 0})
  })

  it('drops members that have joined and do not sync within the rebalance timeout', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const {memberId: silent} = await client.join({rebalanceTimeoutMs: 8_000})
    const second = client.join({rebalanceTimeoutMs: 8_000})
    await Promise.all([client.join({memberId: silent, rebalanceTimeoutMs: 8_000}), second])
    const {memberId} = await second

    const waiting = client.sync(memberId, 2)
    await vi.advanceTimersByTimeAsync(8_001)

    expect(await waiting).toMatchObject({errorCode: 27})
    expect(await client.heartbeat(silent, 2)).toBe(25)
    expect(await client.join({memberId})).toMatchObject({generationId: 3, leader: memberId})
  })

  it('begins again when somebody joins while the others wait for the assignment', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const leader = await client.join()
    const second = client.join()
    await client.join({memberId: leader.memberId})
    const {memberId} = await second
    const waiting = client.sync(memberId, 2)

    const third = client.join()

    expect(await waiting).toMatchObject({errorCode: 27})
    expect(await client.sync(leader.memberId, 2, {})).toMatchObject({errorCode: 27})
    await Promise.all([client.join({memberId: leader.memberId}), client.join({memberId})])
    expect(await third).toMatchObject({generationId: 3, leader: leader.memberId})
  })

  it('is spared when a follower asks to join again unchanged, and made when the leader asks', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const leader = (await stableGroup(groups)).memberId
    const second = client.join()
    await client.join({memberId: leader})
    const follower = (await second).memberId
    await client.sync(leader, 2)

    expect(await client.join({memberId: follower})).toMatchObject({errorCode: 0, generationId: 2, members: []})
    const changed = client.join({memberId: follower, protocols: [{name: 'range', metadata: subscription('events')}]})
    expect(await isWaiting(changed)).toBe(true)
    await client.join({memberId: leader})
    expect(await changed).toMatchObject({generationId: 3})
    await client.sync(leader, 3)
    expect(await isWaiting(client.join({memberId: leader}))).toBe(true)
  })

  it('answers a lost connection’s join when the member asks over another', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const first = await stableGroup(groups)
    const second = await client.join({}, 4)
    const lost = client.join({memberId: second.memberId})
    const retried = client.join({memberId: second.memberId})

    expect(await lost).toMatchObject({errorCode: 27})
    await client.join({memberId: first.memberId})
    expect(await retried).toMatchObject({errorCode: 0, generationId: 2})
  })
})

describe('a session', () => {
  it('ends without heartbeats, which rebalances the others', async () => {
    const all = coordinator()
    const client = groupClient(all.groups)
    const {memberId, generationId} = await stableGroup(all.groups)

    await vi.advanceTimersByTimeAsync(9_999)
    expect(await client.heartbeat(memberId, generationId)).toBe(0)
    await vi.advanceTimersByTimeAsync(9_999)
    expect(await stateOf(all)).toBe('Stable')
    await vi.advanceTimersByTimeAsync(2)

    expect(await stateOf(all)).toBe('Empty')
    expect(await client.heartbeat(memberId, generationId)).toBe(25)
  })

  it('does not end while its member waits for a round', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const first = await stableGroup(groups, {sessionTimeoutMs: 60_000})
    const second = await client.join({}, 4)
    const waiting = client.join({memberId: second.memberId})

    await vi.advanceTimersByTimeAsync(30_000)
    await client.join({memberId: first.memberId, sessionTimeoutMs: 60_000})

    expect(await waiting).toMatchObject({errorCode: 0, generationId: 2})
  })

  it('keeps a member whose connection is lost, until it ends', async () => {
    const all = coordinator()
    const client = groupClient(all.groups)
    const first = await stableGroup(all.groups, {sessionTimeoutMs: 6_000})
    client.join({sessionTimeoutMs: 6_000}) // nobody reads the answer
    await client.join({memberId: first.memberId, sessionTimeoutMs: 6_000})
    await client.sync(first.memberId, 2, {})

    await vi.advanceTimersByTimeAsync(5_000)
    await client.heartbeat(first.memberId, 2)
    await vi.advanceTimersByTimeAsync(1_001)

    expect(await client.heartbeat(first.memberId, 2)).toBe(27)
    expect(await client.join({memberId: first.memberId})).toMatchObject({generationId: 3})
  })
})

describe('heartbeat and sync', () => {
  it.each([
    ['a group that does not exist', 'other', 1, 25],
    ['an unknown member', 'nobody', 1, 25],
    ['a past generation', 'member', 0, 22],
  ])('refuse %s', async (_case, member, generation, errorCode) => {
    const {groups} = coordinator()
    if (member !== 'other') await stableGroup(groups)
    const memberId = member === 'member' ? groups.describe('g').members[0]!.memberId : member

    expect(await groupClient(groups).heartbeat(memberId, generation)).toBe(errorCode)
    expect(await groupClient(groups).sync(memberId, generation)).toMatchObject({errorCode})
  })

  it('sync refuses a protocol that was not chosen', async () => {
    const {groups} = coordinator()
    const {memberId} = await groupClient(groups).join()
    const request = {groupId: 'g', generationId: 1, memberId, groupInstanceId: null, assignments: []}

    expect(groups.sync({...request, protocolType: 'connect', protocolName: 'range'})).toMatchObject({errorCode: 23})
    expect(groups.sync({...request, protocolType: 'consumer', protocolName: 'sticky'})).toMatchObject({errorCode: 23})
    expect(await groups.sync({...request, protocolType: 'consumer', protocolName: 'range'})).toMatchObject({errorCode: 0})
  })
})

describe('leaving', () => {
  it('empties the group with its last member', async () => {
    const all = coordinator()
    const {memberId} = await stableGroup(all.groups)

    expect(await groupClient(all.groups).leave(memberId)).toBe(0)
    expect(await groupClient(all.groups).leave(memberId)).toBe(25)
    expect(await stateOf(all)).toBe('Empty')
  })

  it('ends the wait of the member that leaves', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    await stableGroup(groups)
    const {memberId} = await client.join({}, 4)
    const waiting = client.join({memberId})

    await client.leave(memberId)

    expect(await waiting).toMatchObject({errorCode: 25})
  })

  it('removes several members from version 3 on, each with its own result', async () => {
    const {groups} = coordinator()
    const {memberId} = await stableGroup(groups, {groupInstanceId: 'i1'})
    const members = [
      {memberId: 'nobody', groupInstanceId: null, reason: null},
      {memberId: 'imposter', groupInstanceId: 'i1', reason: null},
      {memberId: '', groupInstanceId: 'i1', reason: null},
      {memberId, groupInstanceId: null, reason: null},
    ]

    const {errorCode, members: results} = await ask(leaveGroup, {groupId: 'g', memberId: '', members}, call(groups, 3))

    expect(errorCode).toBe(0)
    expect(results!.map((result) => result.errorCode)).toEqual([25, 82, 0, 25])
  })
})

describe('a static member', () => {
  it('comes back without a rebalance, and its former self is fenced', async () => {
    const all = coordinator()
    const client = groupClient(all.groups)
    const old = await stableGroup(all.groups, {groupInstanceId: 'i1'})

    const returned = await client.join({groupInstanceId: 'i1'}, 5)

    expect(returned).toMatchObject({errorCode: 0, generationId: 1, leader: old.memberId, members: []})
    expect(returned.memberId).toMatch(/^i1-/)
    expect(await client.heartbeat(old.memberId, 1, 'i1')).toBe(82)
    expect(await client.join({memberId: old.memberId, groupInstanceId: 'i1'}, 5)).toMatchObject({errorCode: 82})
    expect(String((await client.sync(returned.memberId, 1, {}, 'i1')).assignment)).toBe('everything')
    expect(await stateOf(all)).toBe('Stable')
  })

  it('is told from version 9 on that it leads and need not assign', async () => {
    const {groups} = coordinator()
    await stableGroup(groups, {groupInstanceId: 'i1'})

    const returned = await groupClient(groups).join({groupInstanceId: 'i1'}, 9)

    expect(returned).toMatchObject({skipAssignment: true, leader: returned.memberId})
    expect(returned.members).toHaveLength(1)
  })

  it('rebalances when it comes back in the middle of a round', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const first = await client.join({groupInstanceId: 'i1'}, 5)
    const waiting = client.join({groupInstanceId: 'i2'}, 5)
    await client.join({memberId: first.memberId, groupInstanceId: 'i1'}, 5)
    const parked = client.sync((await waiting).memberId, 2, {}, 'i2')

    const returned = client.join({groupInstanceId: 'i2'}, 5)

    expect(await parked).toMatchObject({errorCode: 82})
    await client.join({memberId: first.memberId, groupInstanceId: 'i1'}, 5)
    expect(await returned).toMatchObject({errorCode: 0, generationId: 3})
  })

  it('keeps its place while it is away from a round, until its session ends', async () => {
    const all = coordinator()
    const client = groupClient(all.groups)
    await stableGroup(all.groups, {groupInstanceId: 'i1', sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 10_000})

    const joining = client.join({rebalanceTimeoutMs: 10_000, sessionTimeoutMs: 60_000})
    await vi.advanceTimersByTimeAsync(10_001)

    const joined = await joining
    expect(joined.leader).toBe(joined.memberId)
    expect(joined.members.map(({groupInstanceId}) => groupInstanceId)).toEqual(['i1', null])
  })
})

it('closing answers whoever waits and leaves no timer', async () => {
  const {groups} = coordinator()
  const client = groupClient(groups)
  await stableGroup(groups)
  const waiting = client.join()
  await client.join({}, 4)

  groups.close()

  expect(await waiting).toMatchObject({errorCode: 15})
  expect(vi.getTimerCount()).toBe(0)
})
