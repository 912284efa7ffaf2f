import {describe, expect, it} from 'vitest'

import {withCluster} from '../../../../src/lib/kafka/client.js'
import {values} from '../../../../src/lib/kafka/consume/format.js'
import {readInGroup} from '../../../../src/lib/kafka/consume/group.js'
import {GroupOffsets} from '../../../../src/lib/kafka/consume/group-offsets.js'
import type {Output} from '../../../../src/lib/kafka/consume/output.js'
import {planSpans} from '../../../../src/lib/kafka/consume/plan.js'
import {createSink} from '../../../../src/lib/kafka/consume/sink.js'
import {committedOf} from '../../../../src/lib/kafka/groups/lag.js'
import {createTopics} from '../../../../src/lib/kafka/topics.js'
import type {Local} from '../../../../src/lib/local/index.js'
import type {FaultRule} from '../../../../src/lib/local/kafka/faults.js'
import {stack} from '../../../support/stack.js'
import {plaintext, work} from '../cluster-fixture.js'
import {numbers, produceText, TOPIC} from '../records-fixture.js'

const GROUP = 'readers'
const [OFFSET_COMMIT, HEARTBEAT, FIND_COORDINATOR, OFFSET_FETCH] = [8, 12, 10, 9]
const [LOADING, NOT_AVAILABLE, NOT_COORDINATOR] = [14, 15, 16]

async function filled(count: number): Promise<Local> {
  const local = await stack()
  await work(plaintext(local), async (cluster) => {
    const options = {dryRun: false, timeoutMs: 5_000}
    await createTopics(cluster, [{name: TOPIC, partitions: 1, replicationFactor: 3, configs: {}}], options)
    await produceText(cluster, numbers(count))
  })
  return local
}

/** Reads as a member of the group, until the limit or else the end; returns the lines, and which partitions were left without a commit. */
async function read(local: Local, {limit = Number.POSITIVE_INFINITY} = {}) {
  let text = ''
  let uncommitted: readonly number[] = []
  const output: Output = {
    isEmpty: true,
    write: async (...parts) => {
      text += Buffer.concat(parts)
    },
    close: async () => {},
  }
  const signal = new AbortController().signal
  const follow = Number.isFinite(limit)
  await withCluster(plaintext(local), async (cluster, client) => {
    const plan = {topic: TOPIC, partitions: null, from: {kind: 'beginning'}, to: null, follow, readCommitted: true} as const
    const sink = createSink({format: values('string', Buffer.from('\n')), filter: null, limit, output})
    await readInGroup(cluster, client, {
      ...{group: GROUP, topic: TOPIC, readCommitted: true, timeoutMs: 10_000, patienceMs: 60_000, signal, follow, sink},
      spans: await planSpans(cluster, plan),
      onUncommitted: (partitions) => {
        uncommitted = partitions
      },
    })
  })
  return {text, uncommitted}
}

const committed = (local: Local) => work(plaintext(local), (cluster) => committedOf(cluster, GROUP))

const fault = (local: Local, rule: Partial<FaultRule>) => local.faults.add({action: 'error', when: 'before', ...rule})

describe('a group', () => {
  it.each([
    ['is loading', {api: OFFSET_COMMIT, errorCode: LOADING, times: 8}],
    ['has moved', {api: OFFSET_COMMIT, errorCode: NOT_COORDINATOR, times: 8}],
    ['dies', {api: OFFSET_COMMIT, action: 'close', times: 8}],
  ] as const)(
    'whose coordinator %s just when the last records are committed has them committed all the same',
    async (_, rule) => {
      const local = await filled(100)
      const {id} = fault(local, rule)

      const {text, uncommitted} = await read(local)

      expect(local.faults.list().find((each) => each.id === id)!.hits).toBe(8)
      expect([text, uncommitted]).toEqual([numbers(100), []])
      expect(await committed(local)).toEqual([{topic: TOPIC, partition: 0, offset: 100}])
    },
  )

  it.each([
    ['is looked for', {api: FIND_COORDINATOR, errorCode: NOT_AVAILABLE, times: 9}],
    ['is loading', {api: OFFSET_FETCH, errorCode: LOADING, times: 9}],
    ['has moved', {api: OFFSET_FETCH, errorCode: NOT_COORDINATOR, times: 9}],
    ['closes connections', {api: OFFSET_FETCH, action: 'close', times: 9}],
  ] as const)('whose coordinator %s as it begins is waited for', async (_, rule) => {
    const local = await filled(100)
    fault(local, rule)

    expect(await read(local)).toEqual({text: numbers(100), uncommitted: []})
  })

  it('that loses its coordinator between two commits has no record twice when it comes back', async () => {
    const local = await filled(100)
    // Nothing can be committed, and kafkajs gives the membership up after the fourth heartbeat.
    const commits = fault(local, {api: OFFSET_COMMIT, action: 'close'})
    const heartbeats = fault(local, {api: HEARTBEAT, action: 'close', times: 5})
    const reading = read(local, {limit: 200})

    await expect.poll(() => local.faults.list().find(({id}) => id === heartbeats.id)!.hits, {timeout: 60_000}).toBe(5)
    local.faults.clear(commits.id)
    await work(plaintext(local), (cluster) => produceText(cluster, numbers(100, 100)))

    expect(await reading).toEqual({text: numbers(200), uncommitted: []})
    expect(await committed(local)).toEqual([{topic: TOPIC, partition: 0, offset: 200}])
  })
})

describe('where a partition goes on', () => {
  const written = (offset: number, acknowledged?: number): GroupOffsets => {
    const offsets = new GroupOffsets()
    offsets.begin(0, undefined, 0)
    offsets.wrote(new Map([[0, offset]]))
    if (acknowledged !== undefined) offsets.commits(new Map([[0, acknowledged]]))
    return offsets
  }

  it('is after what this member has written, if the commit of it was lost', () => {
    expect(written(50).begin(0, undefined, 0)).toBe(50)
    expect(written(50, 20).begin(0, 20, 0)).toBe(50)
  })

  it('is after what another member has committed meanwhile', () => {
    expect(written(50, 20).begin(0, 80, 0)).toBe(80)
  })

  it('is where somebody has set the group back to', () => {
    const offsets = written(50, 50)

    expect(offsets.begin(0, 10, 0)).toBe(10)
    expect(offsets.due([0])).toEqual(new Map())
  })

  it('is where the range begins in a group that has committed nothing', () => {
    expect(new GroupOffsets().begin(0, undefined, 7)).toBe(7)
  })
})
