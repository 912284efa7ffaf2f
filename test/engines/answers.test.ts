import {describe, test} from 'vitest'

import {type Ask, batch, config, create, newProducerId, newTopic, produce, same, startBoth, topicOf} from './answers.js'

startBoth()

describe('topics', () => {
  test.each([
    ['a bad name', [topicOf('no spaces')]],
    ['a name that is only dots', [topicOf('..')]],
    ['no partitions', [topicOf('refused', {numPartitions: 0})]],
    ['a replication factor of 0', [topicOf('refused', {replicationFactor: 0})]],
    ['the defaults', [topicOf('defaults', {numPartitions: -1, replicationFactor: -1})]],
    ['an unknown config', [topicOf('refused', {configs: [config('no.such.config', '1')]})]],
    ['a bad value', [topicOf('refused', {configs: [config('retention.ms', 'soon')]})]],
    ['a bad policy', [topicOf('refused', {configs: [config('cleanup.policy', 'nonsense')]})]],
    ['the same name twice', [topicOf('twice'), topicOf('twice')]],
    [
      'an assignment with a gap',
      [topicOf('refused', {numPartitions: -1, replicationFactor: -1, assignments: [{partitionIndex: 1, brokerIds: [1]}]})],
    ],
    ['an assignment and a count', [topicOf('refused', {assignments: [{partitionIndex: 0, brokerIds: [1]}]})]],
  ])('CreateTopics: %s', async (_, topics) => {
    await same((ask) => create(ask, topics, true))
  })

  test('CreateTopics: what exists, and what differs from it in a dot only', async () => {
    await same(async (ask) => [
      await create(ask, [topicOf('dotted.name')]),
      await create(ask, [topicOf('dotted.name')]),
      await create(ask, [topicOf('dotted_name')]),
    ])
  })

  test('Metadata: a bad name, an unknown one', async () => {
    await same(async (ask) => {
      const {topics} = await ask(3, 9, {topics: [{name: 'no spaces'}, {name: 'absent'}], allowAutoTopicCreation: false})
      return topics.map(({name, errorCode}: {name: string; errorCode: number}) => [name, errorCode]).sort()
    })
  })

  test.each([1, 0, -5, 3])('CreatePartitions to %d', async (partitions) => {
    await same(async (ask) => {
      const topics = [{name: await newTopic(ask), count: partitions, assignments: null}]
      const {results} = await ask(37, 2, {topics, timeoutMs: 10_000, validateOnly: false})
      return results[0].errorCode
    })
  })

  test('what does not exist cannot be made wider, deleted or emptied', async () => {
    await same(async (ask) => {
      const topics = [{name: 'absent', count: 3, assignments: null}]
      const wider = await ask(37, 2, {topics, timeoutMs: 10_000, validateOnly: false})
      const deleted = await ask(20, 4, {topicNames: ['absent'], timeoutMs: 10_000})
      return [wider.results[0].errorCode, deleted.responses[0].errorCode, await empty(ask, 'absent', 0)]
    })
  })

  const empty = async (ask: Ask, name: string, offset: number) => {
    const {topics} = await ask(21, 2, {topics: [{name, partitions: [{partitionIndex: 0, offset}]}], timeoutMs: 10_000})
    const {errorCode, lowWatermark} = topics[0].partitions[0]
    return {errorCode, lowWatermark}
  }

  test.each([0, 1, -1, 2, -2])('DeleteRecords up to %d of 1', async (offset) => {
    await same(async (ask) => {
      const topic = await newTopic(ask)
      await produce(ask, topic, await batch())
      return empty(ask, topic, offset)
    })
  })
})

describe('configs', () => {
  const TOPIC = 2
  const alter = async (ask: Ask, resourceName: string, configs: object[], resourceType = TOPIC) => {
    const resources = [{resourceType, resourceName, configs}]
    const {responses} = await ask(44, 1, {resources, validateOnly: false})
    return responses[0].errorCode
  }
  const operation = (name: string, value: string | null, configOperation: number) => ({name, value, configOperation})

  test.each([
    ['a value', operation('retention.ms', '60000', 0)],
    ['a bad value', operation('retention.ms', 'soon', 0)],
    ['an unknown name', operation('no.such.config', '1', 0)],
    ['back to the default', operation('retention.ms', null, 1)],
    ['one more policy', operation('cleanup.policy', 'compact', 2)],
    ['appended to what is no list', operation('retention.ms', '1', 2)],
  ])('IncrementalAlterConfigs: %s', async (_, change) => {
    await same(async (ask) => alter(ask, await newTopic(ask), [change]))
  })

  test('IncrementalAlterConfigs: a topic that does not exist, a kind that does not', async () => {
    await same(async (ask) => [
      await alter(ask, 'absent', [operation('retention.ms', '1', 0)]),
      await alter(ask, 'absent', [operation('retention.ms', '1', 0)], 77),
    ])
  })

  test('AlterConfigs puts back what it does not name', async () => {
    await same(async (ask) => {
      const topic = await newTopic(ask, config('retention.ms', '60000'))
      const resources = [{resourceType: TOPIC, resourceName: topic, configs: [config('max.message.bytes', '2000')]}]
      const {responses} = await ask(33, 1, {resources, validateOnly: false})
      return [responses[0].errorCode, await changed(() => topicValues(ask, topic), 'max.message.bytes')]
    })
  })

  /** A KRaft broker answers a change before it has heard of it from its controller. */
  const changed = async (values: () => Promise<any[]>, name: string): Promise<any[]> => {
    for (;;) {
      const found = await values()
      if (found[1].some(([known]: [string]) => known === name)) return found
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  test('DescribeConfigs: what was set; a topic that does not exist', async () => {
    await same(async (ask) => {
      const topic = await newTopic(ask, config('retention.ms', '60000'), config('cleanup.policy', 'compact'))
      return [await changed(() => topicValues(ask, topic), 'retention.ms'), await topicValues(ask, 'absent')]
    })
  })

  /** What was set on the topic itself: source 1. */
  const topicValues = async (ask: Ask, resourceName: string) => {
    const resources = [{resourceType: TOPIC, resourceName, configurationKeys: null}]
    const {results} = await ask(32, 3, {resources, includeSynonyms: true, includeDocumentation: false})
    const own = results[0].configs.filter(({configSource}: {configSource: number}) => configSource === 1)
    return [results[0].errorCode, own.map(({name, value, configType}: any) => [name, value, configType]).sort()]
  }
})

describe('groups', () => {
  const member = {memberId: 'nobody', groupInstanceId: null}
  const joining = (more: object = {}) => ({
    ...{groupId: 'none', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000, memberId: '', groupInstanceId: null},
    ...{protocolType: 'consumer', protocols: [{name: 'range', metadata: Buffer.alloc(6)}], ...more},
  })

  test.each([
    ['no id', {groupId: ''}],
    ['too short a session', {sessionTimeoutMs: 1}],
    ['a long session', {sessionTimeoutMs: 600_000}],
    ['too long a session', {sessionTimeoutMs: 99_999_999}],
    ['an unknown member', {memberId: 'nobody'}],
    ['no protocols', {protocols: []}],
    ['a new member', {}],
  ])('JoinGroup: %s', async (_, more) => {
    await sameOfGroups(async (ask) => {
      const {errorCode, generationId} = await ask(11, 5, joining(more))
      return {errorCode, generationId}
    })
  })

  test('a member joins, syncs, commits, beats and leaves', async () => {
    await sameOfGroups(async (ask) => {
      const groupId = 'whole-life'
      const topic = await newTopic(ask)
      const {memberId} = await ask(11, 5, joining({groupId}))
      const joined = await ask(11, 5, joining({groupId, memberId}))
      const {generationId} = joined
      const mine = {groupId, generationId, memberId, groupInstanceId: null}
      const synced = await ask(14, 3, {...mine, assignments: [{memberId, assignment: Buffer.from('mine')}]})
      const commit = (offset: number, more: object = {}) => commitOf(ask, {...mine, ...more}, topic, offset)
      const beat = async (more: object = {}) => (await ask(12, 3, {...mine, ...more})).errorCode
      const answers = [
        [joined.errorCode, generationId, joined.protocolName, joined.leader === memberId, joined.members.length],
        [synced.errorCode, synced.assignment.toString()],
        [await beat(), await beat({generationId: 9}), await beat({memberId: 'nobody'})],
        [
          await commit(5),
          await commit(6, {generationId: 9}),
          await commit(7, {memberId: 'nobody'}),
          await commit(8, {generationId: -1, memberId: ''}),
        ],
        await deleteGroup(ask, groupId),
      ]
      const left = await ask(13, 3, {groupId, members: [{memberId, groupInstanceId: null}, member]})
      const described = await ask(15, 3, {groups: [groupId], includeAuthorizedOperations: false})
      const committed = await fetchOf(ask, groupId, topic)
      answers.push(
        [left.errorCode, left.members.map(({errorCode}: {errorCode: number}) => errorCode)],
        [described.groups[0].groupState, described.groups[0].protocolType],
        committed,
        await deleteGroup(ask, groupId),
        await fetchOf(ask, groupId, topic),
      )
      return answers
    })
  })

  test('of a group or member that does not exist', async () => {
    await sameOfGroups(async (ask) => {
      const groupId = 'absent-group'
      const asked = {groupId, generationId: 1, ...member}
      const described = await ask(15, 3, {groups: [groupId], includeAuthorizedOperations: false})
      const deleted = await ask(47, 0, {groupId, topics: []})
      return [
        (await ask(12, 3, asked)).errorCode,
        (await ask(14, 3, {...asked, assignments: []})).errorCode,
        (await ask(13, 2, {groupId, memberId: 'nobody'})).errorCode,
        [described.groups[0].errorCode, described.groups[0].groupState],
        await deleteGroup(ask, groupId),
        deleted.errorCode,
        await fetchOf(ask, groupId, 'absent'),
      ]
    })
  })

  test.each([
    ['to an unknown partition', {topic: 'absent'}],
    ['with too much metadata', {metadata: 'x'.repeat(5000)}],
    ['with a generation of no group', {generationId: 3}],
    ['without membership', {}],
  ])('OffsetCommit %s', async (_, {topic, metadata, ...more}: {topic?: string; metadata?: string; generationId?: number}) => {
    await sameOfGroups(async (ask) => {
      const name = topic ?? (await newTopic(ask))
      const groupId = `commits-${name}`
      const code = await commitOf(
        ask,
        {groupId, generationId: -1, memberId: '', groupInstanceId: null, ...more},
        name,
        3,
        metadata,
      )
      return [code, await fetchOf(ask, groupId, name)]
    })
  })

  type Committer = {groupId: string; generationId: number; memberId: string; groupInstanceId: null}
  async function commitOf(ask: Ask, of: Committer, name: string, offset: number, metadata: string | null = null) {
    const partitions = [{partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: metadata}]
    const {topics} = await ask(8, 7, {...of, generationIdOrMemberEpoch: of.generationId, topics: [{name, partitions}]})
    return topics[0].partitions[0].errorCode
  }
  async function fetchOf(ask: Ask, groupId: string, name: string) {
    const {errorCode, topics} = await ask(9, 5, {groupId, topics: [{name, partitionIndexes: [0]}]})
    const {committedOffset, metadata, errorCode: partitionError} = topics[0].partitions[0]
    return {errorCode, committedOffset, metadata, partitionError}
  }
  async function deleteGroup(ask: Ask, groupId: string) {
    return (await ask(42, 1, {groupsNames: [groupId]})).results[0].errorCode
  }

  /** A real broker makes its offsets topic when it is first asked. */
  const sameOfGroups = (story: (ask: Ask) => Promise<unknown>): Promise<void> =>
    same(async (ask) => {
      for (;;) {
        const {errorCode} = await ask(10, 2, {key: 'none', keyType: 0})
        const {groups} = await ask(15, 3, {groups: ['none'], includeAuthorizedOperations: false})
        if (errorCode === 0 && groups[0].errorCode === 0) return story(ask)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    })
})

describe('others', () => {
  test('SaslHandshake where nobody logs in, a coordinator of an unknown kind, a producer id', async () => {
    await same(async (ask) => {
      const handshake = await ask(17, 1, {mechanism: 'OAUTHBEARER'})
      const coordinator = await ask(10, 2, {key: 'x', keyType: 9})
      const {producerEpoch} = await newProducerId(ask, {producerId: 77, producerEpoch: 3})
      return [handshake.errorCode ?? handshake, coordinator.errorCode, producerEpoch]
    })
  })

  test('no reassignments, no quotas', async () => {
    await same(async (ask) => {
      const reassignments = await ask(46, 0, {timeoutMs: 1000, topics: null})
      const quotas = await ask(48, 0, {components: [], strict: false})
      return [reassignments.errorCode, reassignments.topics, quotas.errorCode, quotas.entries]
    })
  })
})
