import {setTimeout as delay} from 'node:timers/promises'

import {describe, expect, it} from 'vitest'

import type {Cluster} from '../../../../src/lib/kafka/cluster.js'
import {lagsOf, timeToClear} from '../../../../src/lib/kafka/groups/lag.js'
import {lagReport, lagWatch} from '../../../../src/lib/kafka/groups/report.js'
import {commitReset, type Goal, type Move, parseGoal, planReset} from '../../../../src/lib/kafka/groups/reset.js'
import {deleteGroup, findGroup, listGroups, refuseInUse, requireGroup} from '../../../../src/lib/kafka/groups.js'
import type {ParseLine} from '../../../../src/lib/kafka/produce/lines.js'
import {lineParser} from '../../../../src/lib/kafka/produce/records.js'
import type {KafkaTarget} from '../../../../src/lib/kafka/target.js'
import {createTopics} from '../../../../src/lib/kafka/topics.js'
import {startMember} from '../../../support/member.js'
import {stack} from '../../../support/stack.js'
import {chaos, plaintext, work} from '../cluster-fixture.js'
import {numbers, plainLines, produceText, TOPIC} from '../records-fixture.js'

const JOIN_GROUP = 11
const GROUP = 'billing'

/** A stack with a topic of two partitions, and ten records in the first. */
async function filledStack(): Promise<{target: KafkaTarget; bootstrap: string}> {
  const local = await stack({brokers: 3})
  const target = plaintext(local)
  await work(target, async (cluster) => {
    await createTopics(cluster, [{name: TOPIC, partitions: 2, replicationFactor: 3, configs: {}}], {
      dryRun: false,
      timeoutMs: 5_000,
    })
    await produceText(cluster, numbers(10), {parse: toFirstPartition})
  })
  return {target, bootstrap: local.plaintextBootstrap!}
}

const toFirstPartition = lineParser({...plainLines, partition: 0})

const plan = (cluster: Cluster, goal: Goal, partitions: number[] | null = null, group = GROUP): Promise<Move[]> =>
  planReset(cluster, group, {goal, topics: [TOPIC], partitions})

const reset = async (cluster: Cluster, target: KafkaTarget, goal: Goal, partitions: number[] | null = null) =>
  commitReset(cluster, GROUP, await plan(cluster, goal, partitions), target)

describe('a reset', () => {
  it('tells what was, what will be, and the lag before and after', async () => {
    const {target} = await filledStack()

    await work(target, async (cluster) => {
      await reset(cluster, target, {kind: 'offset', offset: 4}, [0])
      const [first, second] = await plan(cluster, {kind: 'latest'})

      expect(first).toEqual({
        topic: TOPIC,
        partition: 0,
        prior: 4,
        new: 10,
        delta: 6,
        lagBefore: 6,
        lagAfter: 0,
        outOfRange: null,
      })
      expect(second).toMatchObject({partition: 1, prior: null, new: 0, delta: null, lagBefore: 0})
    })
  })

  it.each([
    ['earliest', 0],
    ['latest', 10],
    ['7', 7],
    ['+2', 6],
    ['-3', 1],
    ['-1h', 0],
    ['2000-01-01', 0],
    ['2100-01-01', 10],
  ])('to %s goes to %i', async (text, expected) => {
    const {target} = await filledStack()

    const moves = await work(target, async (cluster) => {
      await reset(cluster, target, {kind: 'offset', offset: 4}, [0])
      return plan(cluster, parseGoal(text), [0])
    })

    expect(moves).toMatchObject([{partition: 0, prior: 4, new: expected, outOfRange: null}])
  })

  it('stays inside of what the partition holds, and says so', async () => {
    const {target} = await filledStack()

    const moves = await work(target, (cluster) => plan(cluster, {kind: 'offset', offset: 99}, [0]))

    expect(moves).toMatchObject([{new: 10, outOfRange: 99}])
  })

  it('shifts what is committed, and leaves the rest alone unless it is named', async () => {
    const {target} = await filledStack()

    await work(target, async (cluster) => {
      await reset(cluster, target, {kind: 'offset', offset: 4}, [0])

      expect(await plan(cluster, {kind: 'shift', by: 1})).toMatchObject([{partition: 0, new: 5}])
      await expect(plan(cluster, {kind: 'shift', by: 1}, [1])).rejects.toMatchObject({exitCode: 3})
    })
  })

  it('of a topic or a partition that does not exist is exit 3', async () => {
    const {target} = await filledStack()

    await work(target, async (cluster) => {
      await expect(plan(cluster, {kind: 'earliest'}, [7])).rejects.toMatchObject({exitCode: 3})
      const elsewhere = planReset(cluster, GROUP, {goal: {kind: 'earliest'}, topics: ['nowhere'], partitions: null})
      await expect(elsewhere).rejects.toMatchObject({code: 'TOPIC_NOT_FOUND', exitCode: 3})
    })
  })

  it('can be undone, commits that there were none of included', async () => {
    const {target} = await filledStack()

    await work(target, async (cluster) => {
      await reset(cluster, target, {kind: 'offset', offset: 4}, [0])
      await reset(cluster, target, {kind: 'latest'})
      const offsets = [
        {topic: TOPIC, partition: 0, offset: 4},
        {topic: TOPIC, partition: 1, offset: null},
      ]
      const moves = await planReset(cluster, GROUP, {goal: {kind: 'saved', offsets}, topics: [TOPIC], partitions: null})
      await commitReset(cluster, GROUP, moves, target)

      const lags = await lagsOf(cluster, await requireGroup(cluster, GROUP))
      expect(lags.map(({committedOffset}) => committedOffset)).toEqual([4, null])
    })
  })

  it('never joins the group: no JoinGroup in list, describe, reset and delete', async () => {
    const {target} = await filledStack()
    const way = await chaos()

    await work(
      target,
      async (cluster) => {
        await reset(cluster, target, {kind: 'earliest'})
        await listGroups(cluster)
        await lagReport(cluster, await requireGroup(cluster, GROUP))
        await reset(cluster, target, {kind: 'latest'})
        await deleteGroup(cluster, GROUP)
      },
      way.connect,
    )

    expect(way.seen.get(8)).toBe(2)
    expect(way.seen.get(JOIN_GROUP) ?? 0).toBe(0)
  })

  it('is refused by a group that came alive, exit 6, and changes nothing', async () => {
    const {target, bootstrap} = await filledStack()

    await work(target, async (cluster) => {
      await reset(cluster, target, {kind: 'offset', offset: 10}, [0])
      const moves = await plan(cluster, {kind: 'earliest'}, [0])
      const member = await startMember(bootstrap, GROUP, TOPIC)

      const refused = {code: 'GROUP_IN_USE', exitCode: 6, message: expect.stringContaining('has members again')}
      await expect(commitReset(cluster, GROUP, moves, target)).rejects.toMatchObject(refused)

      const [first] = await lagsOf(cluster, await requireGroup(cluster, GROUP))
      expect(first).toMatchObject({committedOffset: 10})
      expect(member.joins).toBe(1)
    })
  })

  it('is refused when something was committed after it was planned', async () => {
    const {target} = await filledStack()

    await work(target, async (cluster) => {
      const moves = await plan(cluster, {kind: 'latest'}, [0])
      await reset(cluster, target, {kind: 'offset', offset: 4}, [0])

      const refused = {code: 'GROUP_IN_USE', exitCode: 6, message: expect.stringContaining('in the meantime')}
      await expect(commitReset(cluster, GROUP, moves, target)).rejects.toMatchObject(refused)
    })
  })
})

describe('a group', () => {
  it('with members is described with who reads what, and is refused by name', async () => {
    const {target, bootstrap} = await filledStack()
    await startMember(bootstrap, GROUP, TOPIC, 'invoices')

    await work(target, async (cluster) => {
      const group = await requireGroup(cluster, GROUP)

      expect(group).toMatchObject({state: 'Stable', protocolType: 'consumer'})
      expect(group.members).toMatchObject([
        {clientId: 'invoices', host: '127.0.0.1', assignments: [{topic: TOPIC, partitions: [0, 1]}]},
      ])
      expect(await listGroups(cluster)).toEqual([{name: GROUP, state: 'Stable', members: 1}])
      expect(() => refuseInUse(group)).toThrow(/"billing" is in use: it is Stable with 1 member, "invoices" on 127\.0\.0\.1/)
      const {partitions} = await lagReport(cluster, group)
      expect(partitions.map(({memberId}) => memberId)).toEqual([group.members[0]!.memberId, group.members[0]!.memberId])
      await expect(deleteGroup(cluster, GROUP)).rejects.toMatchObject({code: 68})
    })
  })

  it('that does not exist is null, or exit 3 with the nearest name', async () => {
    const {target} = await filledStack()

    await work(target, async (cluster) => {
      await reset(cluster, target, {kind: 'earliest'})

      expect(await findGroup(cluster, 'biling')).toBeNull()
      await expect(requireGroup(cluster, 'biling')).rejects.toMatchObject({
        exitCode: 3,
        hint: expect.stringContaining('"billing"'),
      })
    })
  })
})

describe('lag', () => {
  it('in time is the age of the record at the committed offset, in the middle of a batch too', async () => {
    const local = await stack()
    const target = plaintext(local)
    const old = Date.now() - 3_600_000

    await work(target, async (cluster) => {
      await createTopics(cluster, [{name: TOPIC, partitions: 1, replicationFactor: 3, configs: {}}], {
        dryRun: false,
        timeoutMs: 5_000,
      })
      let lines = 0
      const minutely: ParseLine = (bytes, start, end, record, spare) => {
        toFirstPartition(bytes, start, end, record, spare)
        record.timestamp = old + ++lines * 60_000
      }
      await produceText(cluster, numbers(5), {parse: minutely})
      await reset(cluster, target, {kind: 'offset', offset: 2}, [0])

      const group = await requireGroup(cluster, GROUP)
      const [first] = await lagsOf(cluster, group, () => old + 3_600_000)

      // The record at offset 2 was the third.
      expect(first).toMatchObject({committedOffset: 2, endOffset: 5, lag: 3, lagMs: 3_600_000 - 3 * 60_000})
    })
  })

  it('is nothing at the end, and everything where nothing was committed', async () => {
    const {target} = await filledStack()

    await work(target, async (cluster) => {
      await reset(cluster, target, {kind: 'latest'}, [1])

      const [first, second] = await lagsOf(cluster, await requireGroup(cluster, GROUP))

      expect(first).toMatchObject({partition: 0, committedOffset: null, lag: 10, lagMs: expect.any(Number)})
      expect(second).toMatchObject({partition: 1, committedOffset: 0, lag: 0, lagMs: 0})
    })
  })

  it('clears at the rate between the samples, or not at all', () => {
    expect(timeToClear({at: 0, lag: 100}, {at: 10_000, lag: 50})).toBe(10_000)
    expect(timeToClear({at: 0, lag: 100}, {at: 10_000, lag: 100})).toBeNull()
    expect(timeToClear({at: 0, lag: 100}, {at: 10_000, lag: 120})).toBeNull()
    expect(timeToClear({at: 0, lag: 100}, {at: 0, lag: 100})).toBeNull()
    expect(timeToClear({at: 0, lag: 100}, {at: 10_000, lag: 0})).toBe(0)
  })

  it('watched gets a time to clear from the second look on', async () => {
    const {target} = await filledStack()

    await work(target, async (cluster) => {
      const withRates = lagWatch()
      await reset(cluster, target, {kind: 'earliest'}, [0])
      const first = withRates(await lagReport(cluster, await requireGroup(cluster, GROUP)))
      await delay(50)
      await reset(cluster, target, {kind: 'offset', offset: 5}, [0])
      const second = withRates(await lagReport(cluster, await requireGroup(cluster, GROUP)))

      expect(first).toMatchObject({lag: 10, timeToClearMs: null})
      expect(second).toMatchObject({lag: 5, timeToClearMs: Date.parse(second.at) - Date.parse(first.at)})
    })
  })
})
