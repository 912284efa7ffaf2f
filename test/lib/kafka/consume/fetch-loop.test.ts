import {setTimeout as delay} from 'node:timers/promises'

import {describe, expect, it} from 'vitest'

import type {SkkError} from '../../../../src/lib/errors.js'
import {withAdmin} from '../../../../src/lib/kafka/client.js'
import type {Cluster} from '../../../../src/lib/kafka/cluster.js'
import {type FetchedBatch, type FetchLoopOptions, fetchSpans} from '../../../../src/lib/kafka/consume/fetch-loop.js'
import {type PlanOptions, planSpans} from '../../../../src/lib/kafka/consume/plan.js'
import {parsePosition} from '../../../../src/lib/kafka/consume/range.js'
import {recordParser} from '../../../../src/lib/kafka/produce/records.js'
import {createTopics} from '../../../../src/lib/kafka/topics.js'
import type {Local} from '../../../../src/lib/local/index.js'
import {stack} from '../../../support/stack.js'
import {chaos, plaintext, work} from '../cluster-fixture.js'
import {numbers, produceText, recordsOf, TOPIC} from '../records-fixture.js'

type Request = {from?: string; to?: string; partitions?: number[]; follow?: boolean} & Partial<FetchLoopOptions> &
  Pick<PlanOptions, 'onPastEnd' | 'resume'>

/** What is read, as `partition@offset:value`. */
async function read(
  cluster: Cluster,
  {from = 'beginning', to, partitions, follow = false, onPastEnd, resume, ...options}: Request = {},
): Promise<string[]> {
  const plan: PlanOptions = {
    topic: TOPIC,
    partitions: partitions ?? null,
    from: parsePosition(from),
    to: to === undefined ? null : parsePosition(to),
    follow,
    readCommitted: true,
    ...(onPastEnd && {onPastEnd}),
    ...(resume && {resume}),
    ...(options.onGap && {onGap: options.onGap}),
  }
  const seen: string[] = []
  await fetchSpans(cluster, await planSpans(cluster, plan), {
    topic: TOPIC,
    readCommitted: true,
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    onBatch: async (batch) => {
      for (const {offset, value} of recordsOf(batch)) seen.push(`${batch.partition}@${offset}:${value}`)
      return true
    },
    ...options,
  })
  return seen.sort()
}

async function topic(partitions: number, brokers = 1): Promise<Local> {
  const local = await stack({brokers})
  await work(plaintext(local), (cluster) =>
    createTopics(cluster, [{name: TOPIC, partitions, replicationFactor: 3, configs: {}}], {dryRun: false, timeoutMs: 5_000}),
  )
  return local
}

/** Ten records, stamped a second apart from this time on. */
const START = Date.UTC(2026, 10, 20, 10)

async function tenRecords(): Promise<Local> {
  const local = await topic(1)
  const lines = Array.from(
    {length: 10},
    (_, i) => `${JSON.stringify({value: `${i}`, timestamp: new Date(START + i * 1_000).toISOString()})}\n`,
  )
  const parse = recordParser({headers: [], partition: null, keepPartition: false})
  await work(plaintext(local), (cluster) => produceText(cluster, lines.join(''), {parse}))
  return local
}

/** Of ten records the first five are deleted. */
async function withGap(): Promise<Local> {
  const local = await stack({apiProfile: 'wide'})
  await work(plaintext(local), async (cluster) => {
    const options = {dryRun: false, timeoutMs: 5_000}
    await createTopics(cluster, [{name: TOPIC, partitions: 1, replicationFactor: 3, configs: {}}], options)
    await produceText(cluster, numbers(10))
  })
  await deleteBefore(local, 5)
  return local
}

const deleteBefore = (local: Local, offset: number): Promise<void> =>
  withAdmin(plaintext(local), async (admin) => {
    // kafkajs deletes only from topics that it has looked at.
    await admin.fetchTopicOffsets(TOPIC)
    await admin.deleteTopicRecords({topic: TOPIC, partitions: [{partition: 0, offset: String(offset)}]})
  })

describe('a range', () => {
  it.each([
    [{}, '0123456789'],
    [{from: '3'}, '3456789'],
    [{from: '3', to: '5'}, '34'],
    [{to: '0'}, ''],
    [{to: '-8'}, '01'],
    [{from: '-2'}, '89'],
    [{from: '-99'}, '0123456789'],
    [{from: 'end'}, ''],
    [{from: '10'}, ''],
    [{from: '99', to: '100'}, ''],
    [{to: '99'}, '0123456789'],
    [{from: '5', to: '3'}, ''],
    [{from: '2026-11-20T10:00:04Z'}, '456789'],
    [{from: '2026-11-20T10:00:04.001'}, '56789'],
    [{to: '2026-11-20T10:00:02Z'}, '01'],
    [{from: '2026-11-20T10:00:02Z', to: '2026-11-20T10:00:04Z'}, '23'],
    [{from: '2027-01-01'}, ''],
    [{from: '+3'}, '3456789'],
    [{from: '+3', to: '+2'}, '34'],
    [{from: '-4', to: '+1'}, '6'],
    [{to: '+2'}, '01'],
    [{from: '+99'}, ''],
  ])('%o', async (request, digits) => {
    const local = await tenRecords()

    const seen = await work(plaintext(local), (cluster) => read(cluster, request))

    expect(seen.map((record) => record.split(':')[1]).join('')).toBe(digits)
  })

  it('holds for each partition, of those that are asked for', async () => {
    const local = await topic(3)
    const parse = (partition: number) => recordParser({headers: [], partition, keepPartition: false})
    const lines = ['a', 'b', 'c'].map((value) => `{"value":"${value}"}\n`).join('')
    await work(plaintext(local), async (cluster) => {
      for (const partition of [0, 1, 2]) await produceText(cluster, lines, {parse: parse(partition)})
    })

    const seen = await work(plaintext(local), (cluster) => read(cluster, {from: '-2', partitions: [0, 2]}))

    expect(seen).toEqual(['0@1:b', '0@2:c', '2@1:b', '2@2:c'])
  })

  it('of an offset that retention has taken is exit 9, and says what is left', async () => {
    const local = await withGap()

    await expect(work(plaintext(local), (cluster) => read(cluster, {from: '2'}))).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      exitCode: 9,
      message: 'offset 2 of topic "orders", partition 0, is gone; 5 is the first that is left, 3 offsets later',
    })
    expect(await work(plaintext(local), (cluster) => read(cluster, {to: '6'}))).toEqual(['0@5:5'])
  })

  it('of an offset that retention has taken goes on after it where that is allowed, and tells the gap', async () => {
    const local = await withGap()
    const gaps: [number, number, number][] = []

    const seen = await work(plaintext(local), (cluster) =>
      read(cluster, {from: '2', to: '7', onGap: ({partition, from, to}) => gaps.push([partition, from, to])}),
    )

    expect(seen).toEqual(['0@5:5', '0@6:6'])
    expect(gaps).toEqual([[0, 2, 5]])
  })

  it('goes on where it was before, unless the topic is another one', async () => {
    const local = await tenRecords()
    const resumed = (offset: number) =>
      work(plaintext(local), (cluster) => read(cluster, {from: '2', resume: new Map([[0, offset]])}))

    expect(await resumed(8)).toEqual(['0@8:8', '0@9:9'])
    await expect(resumed(11)).rejects.toMatchObject({
      exitCode: 9,
      message: 'topic "orders", partition 0, ends at offset 10, before offset 11',
    })
  })

  it('tells when no record is as late as the time that it begins at', async () => {
    const local = await tenRecords()
    const told = async (from: string) => {
      const times: number[] = []
      await work(plaintext(local), (cluster) => read(cluster, {from, onPastEnd: (timestamp) => times.push(timestamp)}))
      return times
    }

    expect(await told('2027-01-01')).toEqual([Date.UTC(2027, 0, 1)])
    expect(await told('2026-11-20T10:00:09Z')).toEqual([])
    expect(await told('10')).toEqual([])
  })

  it('of a partition that does not exist is exit 3', async () => {
    const local = await topic(2)

    await expect(work(plaintext(local), (cluster) => read(cluster, {partitions: [0, 7]}))).rejects.toMatchObject({
      code: 'PARTITION_NOT_FOUND',
      exitCode: 3,
      message: 'topic "orders" has no partition 7; it has 2',
    })
  })

  it('is pinned at the start: what is written later is not read', async () => {
    const local = await tenRecords()

    let count = 0
    await work(plaintext(local), (cluster) =>
      read(cluster, {
        onBatch: async (batch) => {
          count += recordsOf(batch).length
          await produceText(cluster, 'late\n')
          return true
        },
      }),
    )

    expect(count).toBe(10)
  })
})

describe('following', () => {
  it('goes on with what is written, from the end', async () => {
    const local = await tenRecords()
    const stop = new AbortController()
    const values: string[] = []

    const reading = work(plaintext(local), (cluster) =>
      read(cluster, {
        from: 'end',
        follow: true,
        signal: stop.signal,
        onBatch: async (batch) => {
          values.push(...recordsOf(batch).map(({value}) => value!.toString()))
          if (values.includes('new')) stop.abort()
          return true
        },
      }),
    )
    await delay(500)
    await work(plaintext(local), (cluster) => produceText(cluster, 'new\n'))
    await reading

    expect(values).toEqual(['new'])
  })

  it('waits for an offset that is still to come', async () => {
    const local = await tenRecords()

    const reading = work(plaintext(local), (cluster) => read(cluster, {from: '9', to: '12', follow: true}))
    await delay(300)
    await work(plaintext(local), (cluster) => produceText(cluster, 'a\nb\nc\n'))

    expect(await reading).toEqual(['0@10:a', '0@11:b', '0@9:9'])
  })
})

describe('reading', () => {
  it('takes everything from several leaders, in order within a partition', async () => {
    const local = await topic(6, 3)
    await work(plaintext(local), (cluster) => produceText(cluster, numbers(30_000)))

    const order: Record<number, number[]> = {}
    const seen = await work(plaintext(local), (cluster) =>
      read(cluster, {
        onBatch: async (batch) => {
          order[batch.partition] = [...(order[batch.partition] ?? []), ...recordsOf(batch).map(({offset}) => offset)]
          return true
        },
      }),
    )

    expect(seen).toEqual([])
    expect(Object.values(order).flat()).toHaveLength(30_000)
    for (const offsets of Object.values(order)) expect(offsets).toEqual(offsets.map((_, i) => i))
  })

  it('survives connections that end', async () => {
    const local = await topic(1)
    await work(plaintext(local), (cluster) => produceText(cluster, numbers(20_000)))
    const way = await chaos()
    let cuts = 0
    const offsets: number[] = []

    await work(
      plaintext(local),
      (cluster) =>
        read(cluster, {
          from: '0',
          onBatch: async (batch) => {
            offsets.push(...recordsOf(batch).map(({offset}) => offset))
            if (cuts++ < 3) way.bringDown(100)
            return true
          },
        }),
      way.connect,
    )

    expect(cuts).toBeGreaterThan(0)
    expect(offsets).toEqual(Array.from({length: 20_000}, (_, i) => i))
  })

  it('meets a gap that appears before it, and goes on after it where that is allowed', async () => {
    const local = await withGap()
    const gap = {topic: TOPIC, readCommitted: true, timeoutMs: 10_000, signal: new AbortController().signal}
    const spans = [{partition: 0, position: 1, end: 7}]
    const gaps: number[] = []
    const offsets: number[] = []
    const onBatch = async (batch: FetchedBatch) => {
      offsets.push(...recordsOf(batch).map(({offset}) => offset))
      return true
    }

    await work(plaintext(local), async (cluster) => {
      await cluster.addTargetTopic(TOPIC)
      await expect(fetchSpans(cluster, spans, {...gap, onBatch})).rejects.toMatchObject({code: 'OFFSET_OUT_OF_RANGE'})
      await fetchSpans(cluster, spans, {...gap, onBatch, onGap: ({from, to}) => gaps.push(from, to)})
    })

    expect(gaps).toEqual([1, 5])
    expect(offsets).toEqual([5, 6])
  })

  it('warns when the brokers say nothing, and goes on when they are back', async () => {
    const local = await tenRecords()
    const way = await chaos()
    const warnings: number[] = []
    const stop = new AbortController()
    const values: string[] = []

    await work(
      plaintext(local),
      (cluster) => {
        setTimeout(() => way.bringDown(), 300)
        return read(cluster, {
          from: 'end',
          follow: true,
          patienceMs: 60_000,
          signal: stop.signal,
          silence: {
            after: 500,
            warn(ms) {
              warnings.push(ms)
              way.down = false
              void work(plaintext(local), (again) => produceText(again, 'back\n'))
            },
          },
          onBatch: async (batch) => {
            values.push(...recordsOf(batch).map(({value}) => value!.toString()))
            stop.abort()
            return true
          },
        })
      },
      way.connect,
    )

    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toBeGreaterThanOrEqual(500)
    expect(values).toEqual(['back'])
  })

  it('fails with exit 5 once no fetch has succeeded for the timeout', async () => {
    const local = await tenRecords()
    const way = await chaos()
    const started = Date.now()

    const failure: SkkError = await work(
      {...plaintext(local), timeoutMs: 1_000},
      (cluster) => {
        setTimeout(() => way.bringDown(), 300)
        return read(cluster, {from: 'end', follow: true, timeoutMs: 1_000})
      },
      way.connect,
    ).catch((error) => error)

    expect(failure).toMatchObject({exitCode: 5})
    expect(Date.now() - started).toBeLessThan(8_000)
  })

  it('stops at once when it is told to, though its reader takes nothing more', async () => {
    const local = await tenRecords()
    const stop = new AbortController()

    const started = Date.now()
    await work(plaintext(local), (cluster) =>
      read(cluster, {
        signal: stop.signal,
        onBatch: () => {
          stop.abort()
          return new Promise(() => {})
        },
      }),
    )

    expect(Date.now() - started).toBeLessThan(2_000)
  })
})
