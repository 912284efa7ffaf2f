import {describe, expect, it} from 'vitest'

import type {Cluster} from '../../../../src/lib/kafka/cluster.js'
import type {ProduceProgress} from '../../../../src/lib/kafka/produce/progress-line.js'
import {lineParser} from '../../../../src/lib/kafka/produce/records.js'
import {createTopics} from '../../../../src/lib/kafka/topics.js'
import type {LocalOptions} from '../../../../src/lib/local/index.js'
import type {FaultRule} from '../../../../src/lib/local/kafka/faults.js'
import {stack} from '../../../support/stack.js'
import {type Chaos, chaos, plaintext, work} from '../cluster-fixture.js'
import {numbers, plainLines, produceText, TOPIC, valuesOf} from '../records-fixture.js'

async function prepared(
  partitions = 1,
  configs: Record<string, string> = {},
  options: Partial<LocalOptions> = {},
): Promise<{local: Awaited<ReturnType<typeof stack>>; way: Chaos}> {
  const local = await stack(options)
  await work(plaintext(local), (cluster) =>
    createTopics(cluster, [{name: TOPIC, partitions, replicationFactor: 3, configs}], {dryRun: false, timeoutMs: 5_000}),
  )
  return {local, way: await chaos()}
}

const [LIST_OFFSETS, METADATA] = [2, 3]

const sorted = (values: readonly string[]): string[] => [...values].sort((a, b) => Number(a) - Number(b))

describe('producing', () => {
  it('writes every line once, in order within its partition', async () => {
    const {local} = await prepared(3)

    const {report, values} = await work(plaintext(local), async (cluster) => ({
      report: await produceText(cluster, numbers(5_003)),
      values: await valuesOf(cluster),
    }))

    expect(report).toMatchObject({read: 5_003, acked: 5_003, rejected: 0, unknown: 0, unsent: 0, failure: null, badLine: null})
    expect(sorted(values)).toEqual(numbers(5_003).trim().split('\n'))
  })

  it('spreads small runs without keys over all partitions', async () => {
    const {local} = await prepared(3)

    const values = await work(plaintext(local), async (cluster) => {
      for (const part of [0.99, 0, 0.5]) await produceText(cluster, `${part}\n`, {random: () => part})
      return valuesOf(cluster)
    })

    expect(values).toEqual(['0', '0.5', '0.99'])
  })

  it('sends what a steady trickle has gathered, without waiting for a full batch', async () => {
    const {local} = await prepared()
    let acked = 0
    async function* trickle(): AsyncGenerator<Buffer> {
      const end = Date.now() + 15_000
      for (let i = 0; acked === 0 && Date.now() < end; i++) {
        yield Buffer.from(`${i}\n`)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    const onProgress = (counts: {acked: number}): void => {
      acked = counts.acked
    }

    await work(plaintext(local), (cluster) => produceText(cluster, trickle(), {}, {onProgress}))

    expect(acked).toBeGreaterThan(0)
  })

  it.each(['lose-request', 'lose-answer', 'swallow-answer'] as const)(
    'neither loses nor doubles a record when the network does %s',
    async (fault) => {
      const {local, way} = await prepared()
      way.faults.push(fault, fault)

      const report = await work(
        plaintext(local),
        (cluster) => produceText(cluster, pieces(5_003), {requestTimeoutMs: 500}),
        way.connect,
      )

      const values = await work(plaintext(local), valuesOf)
      expect(report).toMatchObject({read: 5_003, acked: 5_003, failure: null})
      expect(values).toEqual(numbers(5_003).trim().split('\n'))
    },
  )

  it('looks up what was stored while no answer came until the deadline, and goes on under a new producer id', async () => {
    const {local, way} = await prepared()
    way.faults.push('lose-answer')
    way.onFault = () => way.bringDown(1_500)
    async function* input(): AsyncGenerator<Buffer> {
      yield Buffer.from(numbers(100))
      await new Promise((resolve) => setTimeout(resolve, 3_000))
      yield Buffer.from(numbers(100, 100))
    }

    const report = await work(
      plaintext(local),
      (cluster) => produceText(cluster, input(), {deliveryTimeoutMs: 1_000}),
      way.connect,
    )

    const values = await work(plaintext(local), valuesOf)
    expect(report).toMatchObject({read: 200, acked: 200, unknown: 0, unsent: 0, failure: null})
    expect(values).toEqual(numbers(200).trim().split('\n'))
  })

  it.each([3, 6, 7, 20, 56])(
    'looks in the log when the broker answers error %i after it has stored a batch',
    async (errorCode) => {
      const {local} = await prepared()
      local.faults.add({api: 0, action: 'error', when: 'after', errorCode})

      const report = await work(plaintext(local), (cluster) => produceText(cluster, numbers(100), {deliveryTimeoutMs: 1_000}))

      local.faults.clear()
      expect(report).toMatchObject({read: 100, acked: 100, unknown: 0, unsent: 0})
      expect(await work(plaintext(local), valuesOf)).toEqual(numbers(100).trim().split('\n'))
    },
  )

  it.each([3, 6, 56])('does so before it sends a batch again without idempotence (%i)', async (errorCode) => {
    const {local} = await prepared()
    local.faults.add({api: 0, action: 'error', when: 'after', errorCode, times: 1})

    const report = await work(plaintext(local), (cluster) => produceText(cluster, numbers(100), {acks: '1'}))

    expect(report).toMatchObject({read: 100, acked: 100, unknown: 0, unsent: 0, failure: null})
    expect(await work(plaintext(local), valuesOf)).toEqual(numbers(100).trim().split('\n'))
  })

  it.each<[string, Omit<FaultRule, 'when'>]>([
    ['it leads no more', {api: LIST_OFFSETS, action: 'error', errorCode: 6, partition: 1, times: 3}],
    ['it has only just begun to lead', {api: LIST_OFFSETS, action: 'error', errorCode: 78, partition: 1, times: 3}],
    ['it dies', {api: LIST_OFFSETS, action: 'close', partition: 1, times: 3}],
    ['nobody is elected yet', {api: METADATA, action: 'error', errorCode: 5, times: 12}],
  ])('begins, as reading does, when a leader is just being replaced: %s', async (_, rule) => {
    const {local} = await prepared(3, {}, {brokers: 3})

    local.faults.add({...rule, when: 'before'})
    const report = await work(plaintext(local), (cluster) => produceText(cluster, numbers(5_003)))
    local.faults.clear()
    local.faults.add({...rule, when: 'before'})
    const values = await work(plaintext(local), valuesOf)

    expect(report).toMatchObject({read: 5_003, acked: 5_003, unknown: 0, unsent: 0, failure: null})
    expect(sorted(values)).toEqual(numbers(5_003).trim().split('\n'))
  })

  it('counts as unsent what did not arrive before the deadline', async () => {
    const {local, way} = await prepared()
    way.faults.push('lose-request')
    way.onFault = () => way.bringDown(2_000)

    const report = await work(
      plaintext(local),
      (cluster) => produceText(cluster, numbers(100), {deliveryTimeoutMs: 1_000}),
      way.connect,
    )

    const values = await work(plaintext(local), valuesOf)
    expect(report).toMatchObject({read: 100, acked: 0, unknown: 0, unsent: 100})
    expect(report.failure).toBeInstanceOf(Error)
    expect(values).toEqual([])
  })

  it('counts as unknown what neither an answer nor the log could tell', async () => {
    const {local, way} = await prepared()
    way.faults.push('lose-answer')
    way.onFault = () => way.bringDown()

    const report = await work(
      plaintext(local),
      (cluster) => produceText(cluster, numbers(100), {deliveryTimeoutMs: 1_000}),
      way.connect,
    )

    expect(report).toMatchObject({read: 100, acked: 0, unknown: 100, unsent: 0})
  })

  it('rejects a record that is larger than the topic allows, by line, and writes its neighbours', async () => {
    const {local} = await prepared()
    const input = `first\n${'x'.repeat(1_100_000)}\nlast\n`

    const {report, values} = await work(plaintext(local), async (cluster) => ({
      report: await produceText(cluster, input, {onBadLine: 'skip'}),
      values: await valuesOf(cluster),
    }))

    expect(report).toMatchObject({read: 3, acked: 2, rejected: 1, unsent: 0, failure: null})
    expect(report.rejections).toEqual([
      {source: 'standard input', line: 2, reason: expect.stringMatching(/^it takes \d+ bytes, and the topic allows 1048588$/)},
    ])
    expect(values).toEqual(['first', 'last'])
  })

  it('takes a record that just fits, compressed or not', async () => {
    const {local} = await prepared()
    // Header, length, attributes, two deltas, no key, length, no headers.
    const longest = 1_048_588 - 61 - 3 - 1 - 1 - 1 - 1 - 3 - 1

    const reports = await work(plaintext(local), async (cluster) => [
      await produceText(cluster, 'x'.repeat(longest)),
      await produceText(cluster, 'x'.repeat(longest + 1)),
      await produceText(cluster, 'x'.repeat(2 * longest), {compression: 'gzip'}),
    ])

    expect(reports).toMatchObject([{acked: 1}, {acked: 0, badLine: {line: 1, offset: 0, tooLarge: true}}, {acked: 1}])
  })

  const compacted = {name: TOPIC, partitions: 1, replicationFactor: 3, configs: {'cleanup.policy': 'compact'}}
  const keyed = lineParser({...plainLines, keySeparator: Buffer.from(':'), missingKeyIsNull: true})

  it('stops at a record that the broker refuses; what was read before it is written', async () => {
    const local = await stack()
    async function* input(): AsyncGenerator<Buffer> {
      yield Buffer.from('a:1\nnone\nb:2\n')
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      yield Buffer.from('c:3\n')
    }

    const {report, values} = await work(plaintext(local), async (cluster) => {
      await createTopics(cluster, [compacted], {dryRun: false, timeoutMs: 5_000})
      return {report: await produceText(cluster, input(), {parse: keyed}), values: await valuesOf(cluster)}
    })

    expect(report).toMatchObject({read: 3, acked: 2, rejected: 1, unsent: 0})
    expect(report.badLine).toMatchObject({line: 2, offset: null, reason: expect.stringContaining('needs a key')})
    expect(values).toEqual(['1', '2'])
  })

  it('isolates the records that the broker refuses, and writes their neighbours', async () => {
    const local = await stack()

    const {report, values} = await work(plaintext(local), async (cluster) => {
      await createTopics(cluster, [compacted], {dryRun: false, timeoutMs: 5_000})
      const input = 'a:1\nnone\nb:2\nc:3\nnone\n'
      return {report: await produceText(cluster, input, {parse: keyed, onBadLine: 'skip'}), values: await valuesOf(cluster)}
    })

    expect(report).toMatchObject({read: 5, acked: 3, rejected: 2, unsent: 0, failure: null})
    expect(report.rejections.map(({line}) => line)).toEqual([2, 5])
    expect(report.rejections[0]!.reason).toContain('needs a key')
    expect(values).toEqual(['1', '2', '3'])
  })

  it('stops at a bad line; what stands before it is written', async () => {
    const {local} = await prepared()
    const parse = lineParser({...plainLines, keySeparator: Buffer.from(':')})

    const {report, values} = await work(plaintext(local), async (cluster) => ({
      report: await produceText(cluster, 'a:1\nb:2\nno separator\nc:3\n', {parse}),
      values: await valuesOf(cluster),
    }))

    expect(report).toMatchObject({read: 3, acked: 2, rejected: 1, unsent: 0})
    expect(report.badLine).toEqual({
      source: 'standard input',
      line: 3,
      offset: 8,
      reason: 'it has no ":", so no key',
      tooLarge: false,
    })
    expect(values).toEqual(['1', '2'])
  })

  it('sends what has come when the input pauses', async () => {
    const {local} = await prepared()
    const seen: string[][] = []
    async function* input(cluster: Cluster): AsyncGenerator<Buffer> {
      yield Buffer.from('early\n')
      await new Promise((resolve) => setTimeout(resolve, 500))
      seen.push(await valuesOf(cluster))
      yield Buffer.from('late\n')
    }

    await work(plaintext(local), (cluster) => produceText(cluster, input(cluster)))

    expect(seen).toEqual([['early']])
  })

  it('sends nothing on a dry run, and tells where it would go', async () => {
    const {local} = await prepared(2)

    const {report, values} = await work(plaintext(local), async (cluster) => ({
      report: await produceText(cluster, numbers(10), {dryRun: true}),
      values: await valuesOf(cluster),
    }))

    expect(report).toMatchObject({read: 10, acked: 0, unsent: 10})
    expect([...report.partitions.values()].reduce((sum, {records}) => sum + records, 0)).toBe(10)
    expect(values).toEqual([])
  })

  it('drains and stops when it is told to', async () => {
    const {local} = await prepared()
    const stop = new AbortController()
    async function* endless(): AsyncGenerator<Buffer> {
      for (let i = 0; ; i++) {
        if (i === 50) stop.abort()
        yield Buffer.from(numbers(100, i * 100))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }

    const {report, values} = await work(plaintext(local), async (cluster) => ({
      report: await produceText(cluster, endless(), {signal: stop.signal}),
      values: await valuesOf(cluster),
    }))

    expect(report.unknown).toBe(0)
    expect(report.acked + report.unsent).toBe(report.read)
    expect(values).toEqual(numbers(report.acked).trim().split('\n').filter(Boolean))
  })
})

describe('progress', () => {
  it('goes on with the acknowledgements when everything is read', async () => {
    const {local} = await prepared(1, {'max.message.bytes': '1000'})
    local.faults.add({api: 0, action: 'delay', when: 'after', ms: 60})
    const seen: ProduceProgress[] = []

    await work(plaintext(local), (cluster) => produceText(cluster, numbers(1_000), {}, {onProgress: (state) => seen.push(state)}))

    const bytes = numbers(1_000).length
    const drained = seen.filter(({bytesRead}) => bytesRead === bytes)
    expect(new Set(drained.map(({acked}) => acked)).size).toBeGreaterThan(2)
  })

  it('moves within what was read at once, and tells for how long the brokers held back answers', async () => {
    const {local} = await prepared()
    local.faults.add({api: 0, action: 'throttle', when: 'before', ms: 300, skip: 2, times: 1})
    const seen: ProduceProgress[] = []

    const report = await work(plaintext(local), (cluster) =>
      produceText(
        cluster,
        numbers(1_000),
        {rate: {unit: 'records', perSecond: 1_000}},
        {onProgress: (state) => seen.push(state)},
      ),
    )

    expect(new Set(seen.map(({bytesRead}) => bytesRead)).size).toBeGreaterThan(3)
    expect(report.throttledMs).toBe(300)
    expect(seen.some(({throttledMs}) => throttledMs === 300)).toBe(true)
  })
})

it('a run whose brokers do not answer stops when it is told to, with everything accounted for', async () => {
  const {local, way} = await prepared()
  const stop = new AbortController()
  way.faults.push('swallow-answer')
  async function* endless(): AsyncGenerator<Buffer> {
    for (let i = 0; ; i++) {
      if (i === 50) setTimeout(() => stop.abort(), 1_000)
      yield Buffer.from(`${'x'.repeat(99_999)}\n`)
    }
  }
  const started = performance.now()

  const report = await work(
    plaintext(local),
    (cluster) => produceText(cluster, endless(), {signal: stop.signal, requestTimeoutMs: 60_000}),
    way.connect,
  )

  const {read, acked, rejected, unknown, unsent} = report
  expect(acked + rejected + unknown + unsent).toBe(read)
  expect(unknown).toBeGreaterThan(0)
  expect(performance.now() - started).toBeLessThan(15_000)
})

/** The numbers in several portions, so that several batches are sent. */
async function* pieces(count: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < count; from += 1_000) {
    yield Buffer.from(numbers(Math.min(1_000, count - from), from))
    await new Promise((resolve) => setTimeout(resolve, 80))
  }
}
