import {afterEach, describe, expect, it, vi} from 'vitest'

import {offsetCommit} from '../../../../src/lib/local/kafka/api/08-offset-commit.js'
import {offsetFetch} from '../../../../src/lib/local/kafka/api/09-offset-fetch.js'
import {findCoordinator} from '../../../../src/lib/local/kafka/api/10-find-coordinator.js'
import {joinGroup} from '../../../../src/lib/local/kafka/api/11-join-group.js'
import {describeGroups} from '../../../../src/lib/local/kafka/api/15-describe-groups.js'
import {listGroups} from '../../../../src/lib/local/kafka/api/16-list-groups.js'
import {deleteGroups} from '../../../../src/lib/local/kafka/api/42-delete-groups.js'
import {offsetDelete} from '../../../../src/lib/local/kafka/api/47-offset-delete.js'
import type {GroupCoordinator} from '../../../../src/lib/local/kafka/groups.js'
import type {OffsetCommitRequest} from '../../../../src/lib/local/kafka/messages.js'
import {subscribedTopics} from '../../../../src/lib/local/kafka/subscription.js'
import {ask, call, coordinator, groupClient, joinRequest, stableGroup, subscription} from '../../../support/group-client.js'

const DAY = 86_400_000

afterEach(() => {
  vi.useRealTimers()
})

type Committed = {topic?: string; partition?: number; offset?: number; metadata?: string | null}

const commitRequest = (commits: Committed[], request: Partial<OffsetCommitRequest> = {}): OffsetCommitRequest => ({
  groupId: 'g',
  generationIdOrMemberEpoch: -1,
  memberId: '',
  groupInstanceId: null,
  retentionTimeMs: -1,
  topics: commits.map(({topic = 'orders', partition = 0, offset = 42, metadata = null}) => ({
    name: topic,
    partitions: [
      {
        partitionIndex: partition,
        committedOffset: offset,
        committedLeaderEpoch: 3,
        commitTimestamp: -1,
        committedMetadata: metadata,
      },
    ],
  })),
  ...request,
})

/** Commits and returns each partition's error code. */
async function commit(
  groups: GroupCoordinator,
  commits: Committed[],
  request: Partial<OffsetCommitRequest> = {},
  denied: string[] = [],
) {
  const {topics} = await ask(offsetCommit, commitRequest(commits, request), call(groups, 8, denied))
  return topics.flatMap(({partitions}) => partitions.map(({errorCode}) => errorCode))
}

/** What the group has committed for all topics, as "topic-partition@offset". */
async function committed(groups: GroupCoordinator, groupId = 'g'): Promise<string[]> {
  const {topics = []} = await ask(offsetFetch, fetchRequest(groupId, null), call(groups, 7))
  return topics.flatMap(({name, partitions = []}) =>
    partitions.map((each) => `${name}-${each.partitionIndex}@${each.committedOffset}`),
  )
}

const fetchRequest = (groupId: string, topics: {name: string; partitionIndexes: number[]}[] | null) => {
  return {groupId, topics, groups: [], requireStable: true}
}

describe('a commit', () => {
  it('without membership needs no group to exist, and is in the log when it is answered', async () => {
    const {groups, entries} = coordinator()

    expect(await commit(groups, [{offset: 7}])).toEqual([0])
    expect(await committed(groups)).toEqual(['orders-0@7'])
    expect(entries).toMatchObject([{type: 'offset-commit', group: 'g', offsets: [{topic: 'orders', partition: 0, offset: 7}]}])
  })

  it('is not answered before it is in the log', async () => {
    let written = (): void => {}
    const persist = () => new Promise<void>((resolve) => (written = resolve))
    const {groups} = coordinator({persist})
    let isAnswered = false

    const answer = commit(groups, [{}]).then((codes) => {
      isAnswered = true
      return codes
    })
    await new Promise((resolve) => setTimeout(resolve, 20))

    expect(isAnswered).toBe(false)
    written()
    expect(await answer).toEqual([0])
  })

  it('to a log that cannot be written is sent elsewhere', async () => {
    const {groups} = coordinator({persist: () => Promise.reject(new Error('disk full'))})

    expect(await commit(groups, [{}])).toEqual([16])
  })

  it.each([
    ['an unknown topic', {topic: 'nothing'}, 3],
    ['an unknown partition', {partition: 3}, 3],
    ['metadata over 4096 characters', {metadata: 'm'.repeat(4_097)}, 12],
    ['an offset that is not exact', {offset: 2 ** 60}, 28],
  ])('of %s is refused, and of the partition beside it taken', async (_case, bad, errorCode) => {
    const {groups} = coordinator()

    expect(await commit(groups, [bad, {partition: 1, metadata: 'm'.repeat(4_096)}])).toEqual([errorCode, 0])
    expect(await committed(groups)).toEqual(['orders-1@42'])
  })

  it('with a generation needs the group', async () => {
    const {groups} = coordinator()

    expect(await commit(groups, [{}], {generationIdOrMemberEpoch: 1, memberId: 'm'})).toEqual([22])
  })

  it('by a member is taken in its generation only', async () => {
    const {groups} = coordinator()
    const {memberId, generationId} = await stableGroup(groups)
    const as = (member: string, generation: number) =>
      commit(groups, [{}, {topic: 'nothing'}], {memberId: member, generationIdOrMemberEpoch: generation})

    expect(await as(memberId, generationId)).toEqual([0, 3])
    expect(await as(memberId, generationId - 1)).toEqual([22, 3])
    expect(await as('nobody', generationId)).toEqual([25, 3])
    expect(await as('', -1)).toEqual([25, 3])
  })

  it('is taken while members rejoin, and refused while they wait for the assignment', async () => {
    const {groups} = coordinator()
    const client = groupClient(groups)
    const {memberId, generationId} = await stableGroup(groups)
    const as = (generation: number) => commit(groups, [{}], {memberId, generationIdOrMemberEpoch: generation})
    const second = client.join()

    expect(await as(generationId)).toEqual([0])
    await client.join({memberId})
    await second
    expect(await as(generationId + 1)).toEqual([27])
  })

  it('of a fenced static member is refused', async () => {
    const {groups} = coordinator()
    const {memberId, generationId} = await stableGroup(groups, {groupInstanceId: 'i1'})
    await groupClient(groups).join({groupInstanceId: 'i1'}, 5)

    expect(await commit(groups, [{}], {memberId, groupInstanceId: 'i1', generationIdOrMemberEpoch: generationId})).toEqual([82])
  })

  it('renews the session', async () => {
    vi.useFakeTimers()
    const {groups} = coordinator()
    const {memberId, generationId} = await stableGroup(groups)

    await vi.advanceTimersByTimeAsync(9_000)
    await commit(groups, [{}], {memberId, generationIdOrMemberEpoch: generationId})
    await vi.advanceTimersByTimeAsync(9_000)

    expect(await groupClient(groups).heartbeat(memberId, generationId)).toBe(0)
  })

  it('needs AlterGroup on the group and ReadData on each topic', async () => {
    const {groups} = coordinator()

    expect(await commit(groups, [{}, {topic: 'events'}], {}, ['AlterGroup g'])).toEqual([30, 30])
    expect(await commit(groups, [{}, {topic: 'events'}], {}, ['ReadData orders'])).toEqual([29, 0])
    expect(await committed(groups)).toEqual(['events-0@42'])
  })
})

describe('fetching offsets', () => {
  const wanted = [{name: 'orders', partitionIndexes: [0, 1]}]

  it('knows neither group nor partition without an error, and reads null metadata as ""', async () => {
    const {groups} = coordinator()
    const unknown = await ask(offsetFetch, fetchRequest('other', wanted), call(groups, 7))
    await commit(groups, [{partition: 1}])
    const known = await ask(offsetFetch, fetchRequest('g', wanted), call(groups, 7))

    const none = (partitionIndex: number) => {
      return {partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode: 0}
    }
    expect(unknown).toEqual({errorCode: 0, topics: [{name: 'orders', partitions: [none(0), none(1)]}]})
    const one = {partitionIndex: 1, committedOffset: 42, committedLeaderEpoch: 3, metadata: '', errorCode: 0}
    expect(known).toEqual({errorCode: 0, topics: [{name: 'orders', partitions: [none(0), one]}]})
  })

  it('answers several groups from version 8 on', async () => {
    const {groups} = coordinator()
    await commit(groups, [{}])
    const query = (groupId: string) => ({groupId, memberId: null, memberEpoch: -1, topics: null})
    const request = {...fetchRequest('', []), groups: [query('g'), query('denied')]}

    const {groups: answers} = await ask(offsetFetch, request, call(groups, 8, ['DescribeGroup denied']))

    expect(answers).toMatchObject([
      {groupId: 'g', errorCode: 0, topics: [{name: 'orders', partitions: [{committedOffset: 42}]}]},
      {groupId: 'denied', errorCode: 30, topics: []},
    ])
  })

  it('hides topics that may not be described when all are asked for, and refuses them when named', async () => {
    const {groups} = coordinator()
    await commit(groups, [{}, {topic: 'events'}])
    const denied = call(groups, 7, ['DescribeTopic orders'])

    const all = await ask(offsetFetch, fetchRequest('g', null), denied)
    const named = await ask(offsetFetch, fetchRequest('g', wanted), denied)

    expect(all.topics!.map(({name}) => name)).toEqual(['events'])
    expect(named.topics).toMatchObject([{partitions: [{errorCode: 29, committedOffset: -1}, {errorCode: 29}]}])
  })

  it('has the group’s refusal on each partition before version 2, which has no other place', async () => {
    const {groups} = coordinator()
    const {topics} = await ask(offsetFetch, fetchRequest('g', wanted), call(groups, 1, ['DescribeGroup g']))

    expect(topics).toMatchObject([{partitions: [{errorCode: 30}, {errorCode: 30}]}])
  })
})

describe('state', () => {
  const restart = (entries: Iterable<unknown>) => {
    const {groups} = coordinator()
    for (const entry of entries) groups.replay(JSON.parse(JSON.stringify(entry)))
    return groups
  }

  it('is the same after a restart, but for the members', async () => {
    const {groups, entries} = coordinator()
    const {memberId, generationId} = await stableGroup(groups)
    await commit(groups, [{offset: 1}, {topic: 'events', offset: 5}], {memberId, generationIdOrMemberEpoch: generationId})
    await commit(groups, [{offset: 2}], {memberId, generationIdOrMemberEpoch: generationId})
    await commit(groups, [{offset: 9}], {groupId: 'simple'})

    for (const replayed of [restart(entries), restart(groups.snapshot()), restart(restart(entries).snapshot())]) {
      expect(await committed(replayed)).toEqual(['orders-0@2', 'events-0@5'])
      expect(await committed(replayed, 'simple')).toEqual(['orders-0@9'])
      expect(replayed.describe('g')).toMatchObject({groupState: 'Empty', protocolType: 'consumer', members: []})
      expect(await groupClient(replayed).heartbeat(memberId, generationId)).toBe(25)
      expect(await groupClient(replayed).join()).toMatchObject({generationId: 2})
    }
  })

  it('has deletions too after a restart', async () => {
    const {groups, entries} = coordinator()
    await commit(groups, [{}, {partition: 1}, {topic: 'events'}])
    await commit(groups, [{}], {groupId: 'gone'})
    await groups.delete('gone')
    await groups.forgetTopic('events')
    const topics = [{name: 'orders', partitions: [{partitionIndex: 1}]}]
    await ask(offsetDelete, {groupId: 'g', topics}, call(groups, 0))

    for (const replayed of [groups, restart(entries), restart(groups.snapshot())]) {
      expect(await committed(replayed)).toEqual(['orders-0@42'])
      expect(replayed.find('gone')).toBeUndefined()
    }
  })

  it('forgets offsets 7 days after the group became empty', async () => {
    vi.useFakeTimers()
    const {groups, entries} = coordinator()
    const {memberId, generationId} = await stableGroup(groups, {sessionTimeoutMs: 300_000})
    await commit(groups, [{}], {memberId, generationIdOrMemberEpoch: generationId})
    vi.setSystemTime(Date.now() + 30 * DAY)
    expect(await committed(groups)).toHaveLength(1)

    await groupClient(groups).leave(memberId)
    vi.setSystemTime(Date.now() + 7 * DAY - 1)
    expect(await committed(groups)).toHaveLength(1)
    expect(await committed(restart(entries))).toHaveLength(1)
    vi.setSystemTime(Date.now() + 1)

    expect(await committed(groups)).toEqual([])
    expect(await committed(restart(entries))).toEqual([])
    expect(groups.list()).toEqual([])
  })

  it('forgets offsets that a group only stored 7 days after their commit', async () => {
    vi.useFakeTimers()
    const {groups} = coordinator()
    await commit(groups, [{}])
    vi.setSystemTime(Date.now() + 4 * DAY)
    await commit(groups, [{partition: 1}])

    vi.setSystemTime(Date.now() + 4 * DAY)

    expect(await committed(groups)).toEqual(['orders-1@42'])
  })

  it('counts the 7 days from the restart for a group that had members when the stack died', async () => {
    vi.useFakeTimers()
    const {groups, entries} = coordinator()
    const {memberId, generationId} = await stableGroup(groups)
    await commit(groups, [{}], {memberId, generationIdOrMemberEpoch: generationId})
    vi.setSystemTime(Date.now() + 30 * DAY)

    expect(await committed(restart(entries))).toEqual(['orders-0@42'])
  })
})

describe('deleting', () => {
  const deleted = async (groups: GroupCoordinator, groupsNames: string[], denied: string[] = []) =>
    (await ask(deleteGroups, {groupsNames}, call(groups, 2, denied))).results.map(({errorCode}) => errorCode)

  it('a group needs it to be there, empty and allowed', async () => {
    const {groups} = coordinator()
    await commit(groups, [{}], {groupId: 'simple'})
    await commit(groups, [{}], {groupId: 'guarded'})
    await stableGroup(groups)

    expect(await deleted(groups, ['simple', 'g', 'nothing', 'guarded'], ['DeleteGroup guarded'])).toEqual([0, 68, 69, 30])
    expect(await deleted(groups, ['simple'])).toEqual([69])
    expect(await committed(groups, 'simple')).toEqual([])
  })

  const deleteOffsets = (groups: GroupCoordinator, groupId: string, denied: string[] = []) => {
    const topics = [
      {name: 'orders', partitions: [{partitionIndex: 0}, {partitionIndex: 7}]},
      {name: 'events', partitions: [{partitionIndex: 0}]},
    ]
    return ask(offsetDelete, {groupId, topics}, call(groups, 0, denied))
  }
  const codes = ({topics}: Awaited<ReturnType<typeof deleteOffsets>>) =>
    topics.flatMap(({partitions}) => partitions.map(({errorCode}) => errorCode))

  it('offsets of an empty group is allowed for partitions that exist and may be read', async () => {
    const {groups} = coordinator()
    await commit(groups, [{}, {topic: 'events'}])

    expect(codes(await deleteOffsets(groups, 'g', ['ReadData events']))).toEqual([0, 3, 29])
    expect(await committed(groups)).toEqual(['events-0@42'])
    expect(await deleteOffsets(groups, 'nothing')).toEqual({errorCode: 69, topics: []})
    expect(await deleteOffsets(groups, 'g', ['DeleteGroup g'])).toEqual({errorCode: 30, topics: []})
  })

  it('offsets of a topic that members are subscribed to is refused', async () => {
    const {groups} = coordinator()
    await commit(groups, [{}, {topic: 'events'}])
    await stableGroup(groups)

    expect(codes(await deleteOffsets(groups, 'g'))).toEqual([86, 86, 0])
    expect(await committed(groups)).toEqual(['orders-0@42'])
  })

  it('offsets is refused for all topics where the members’ subscription cannot be read', async () => {
    const {groups} = coordinator()
    await stableGroup(groups, {protocols: [{name: 'range', metadata: Buffer.from('garbage')}]})

    expect(codes(await deleteOffsets(groups, 'g'))).toEqual([86, 86, 86])
  })

  it('offsets is refused while members of another kind are there', async () => {
    const {groups} = coordinator()
    await stableGroup(groups, {protocolType: 'connect'})

    expect(await deleteOffsets(groups, 'g')).toEqual({errorCode: 68, topics: []})
  })
})

describe('looking at groups', () => {
  it('describes members of a stable group, and a group that is not there as dead', async () => {
    const {groups} = coordinator()
    const {memberId} = await stableGroup(groups)
    const request = {groups: ['g', 'nothing', 'denied'], includeAuthorizedOperations: true}

    const {groups: described} = await ask(describeGroups, request, call(groups, 5, ['DescribeGroup denied', 'DeleteGroup g']))

    const memberMetadata = subscription('orders')
    const names = {memberId, groupInstanceId: null, clientId: 'app', clientHost: '/127.0.0.1'}
    const members = [{...names, memberMetadata, memberAssignment: Buffer.from('everything')}]
    const stable = {groupState: 'Stable', protocolType: 'consumer', protocolData: 'range', authorizedOperations: 264, members}
    expect(described).toMatchObject([
      {errorCode: 0, ...stable},
      {errorCode: 0, groupState: 'Dead', protocolType: '', members: []},
      {errorCode: 30, groupState: '', members: []},
    ])
  })

  it('lists by state, and only what may be described without DescribeCluster', async () => {
    const {groups} = coordinator()
    await stableGroup(groups)
    await commit(groups, [{}], {groupId: 'simple'})
    const listed = async (statesFilter: string[], denied: string[] = []) => {
      const {groups: found} = await ask(listGroups, {statesFilter, typesFilter: []}, call(groups, 4, denied))
      return found.map(({groupId, protocolType, groupState}) => `${groupId}:${protocolType}:${groupState}`)
    }

    expect(await listed([])).toEqual(['g:consumer:Stable', 'simple::Empty'])
    expect(await listed(['stable'])).toEqual(['g:consumer:Stable'])
    expect(await listed([], ['DescribeCluster', 'DescribeGroup g'])).toEqual(['simple::Empty'])
  })

  it('does not keep a group that nobody ever joined', async () => {
    const {groups} = coordinator()
    await ask(joinGroup, joinRequest({protocols: []}), call(groups, 5))

    expect(groups.list()).toEqual([])
  })
})

describe('finding the coordinator', () => {
  const find = (request: {key?: string; keyType?: number; coordinatorKeys?: string[]}, version: number, denied: string[] = []) =>
    ask(findCoordinator, {key: '', keyType: 0, coordinatorKeys: [], ...request}, call(coordinator().groups, version, denied))

  it('answers one key up to version 3 and several from 4 on, always with the same node for a group', async () => {
    const one = await find({key: 'g'}, 2)
    const {coordinators} = await find({coordinatorKeys: ['g', 'denied']}, 4, ['DescribeGroup denied'])

    expect(one).toMatchObject({errorCode: 0, host: '127.0.0.1'})
    expect(coordinators).toMatchObject([
      {key: 'g', nodeId: one.nodeId, errorCode: 0},
      {key: 'denied', errorCode: 30, nodeId: -1},
    ])
  })

  it('spreads groups over the nodes', async () => {
    const {coordinators} = await find({coordinatorKeys: Array.from({length: 50}, (_, index) => `group-${index}`)}, 4)

    expect(new Set(coordinators!.map(({nodeId}) => nodeId)).size).toBe(3)
  })

  it('has none for transactions, nor for kinds of keys that it does not know', async () => {
    expect(await find({key: 't', keyType: 1}, 3)).toMatchObject({
      errorCode: 15,
      errorMessage: expect.stringContaining('transactions'),
    })
    expect(await find({key: 't', keyType: 1}, 3, ['DescribeTransactionalId t'])).toMatchObject({errorCode: 53})
    expect(await find({key: 's', keyType: 2}, 3)).toMatchObject({errorCode: 42})
  })
})

describe('a subscription', () => {
  it('is read up to its topics, whatever follows', () => {
    expect(subscribedTopics(subscription('orders', 'événements'))).toEqual(['orders', 'événements'])
    expect(subscribedTopics(subscription())).toEqual([])
  })

  it.each([
    ['nothing', ''],
    ['a negative version', 'ffff00000000'],
    ['a count without topics', '00007fffffff'],
    ['a negative length', '000000000001ffff'],
    ['a length beyond the end', '00000000000100056f'],
  ])('that holds %s is null', (_case, hex) => {
    expect(subscribedTopics(Buffer.from(hex, 'hex'))).toBeNull()
  })
})
