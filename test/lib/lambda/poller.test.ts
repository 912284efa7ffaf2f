import {describe, expect, it} from 'vitest'

import {PAYLOAD_LIMIT_BYTES, type SourceRecord} from '../../../src/lib/lambda/event.js'
import {compileFilters} from '../../../src/lib/lambda/filter.js'
import {createPoller} from '../../../src/lib/lambda/poller.js'
import {defaultRules, functionError, ok, record, records, world} from './mapping-world.js'

describe('the batch', () => {
  it('has at most as many records as the batch size', async () => {
    const mapping = world({logs: [records(0, 250)]})

    await mapping.run()

    expect(mapping.calls.map((call) => call.records.length)).toEqual([100, 100, 50])
    expect(mapping.committed).toEqual(new Map([[0, 250]]))
  })

  it.each([
    [500, 'when it was never set'],
    [0, 'without waiting'],
    [30_000, 'of 30 s'],
  ])('is sent when the window has passed: %i ms, %s', async (batchingWindowMs) => {
    const mapping = world({logs: [records(0, 3)], rules: {batchingWindowMs}})
    const began = mapping.clock.now()

    await mapping.run()

    expect(mapping.calls.map((call) => [call.at - began, call.records.length])).toEqual([[batchingWindowMs, 3]])
  })

  it('has a window that starts with its first record', async () => {
    const log = records(0, 0)
    const mapping = world({logs: [log], fetchStepMs: 10, rules: {batchingWindowMs: 1_000}})
    const began = mapping.clock.now()
    const running = mapping.run(() => mapping.committed.get(0) === 2)

    await mapping.clock.sleep(5_000, new AbortController().signal)
    log.push(record(0, 0))
    await mapping.clock.sleep(900, new AbortController().signal)
    log.push(record(0, 1))
    await running

    const [call] = mapping.calls
    expect(call!.records).toHaveLength(2)
    expect(call!.at - began).toBeGreaterThanOrEqual(6_000)
    expect(call!.at - began).toBeLessThanOrEqual(6_020)
  })

  it('is sent at once when it is full', async () => {
    const mapping = world({logs: [records(0, 100)], rules: {batchingWindowMs: 300_000}})
    const began = mapping.clock.now()

    await mapping.run()

    expect(mapping.calls[0]!.at).toBe(began)
  })

  it('mixes partitions', async () => {
    const mapping = world({logs: [records(0, 2), records(1, 2), records(2, 1)]})

    await mapping.run()

    expect(mapping.calls).toHaveLength(1)
    expect(mapping.calls[0]!.records).toHaveLength(5)
  })

  it('ends before its event reaches 6 MB, and is sent at once', async () => {
    const log = Array.from({length: 10}, (_, offset) => record(0, offset, {value: Buffer.alloc(1_000_000, 0xfb)}))
    const mapping = world({logs: [log], rules: {batchingWindowMs: 300_000}})

    await mapping.run(() => mapping.calls.length === 3)

    expect(mapping.calls.map((call) => call.records.length)).toEqual([4, 4, 2])
    for (const call of mapping.calls) expect(call.bytes).toBeLessThan(PAYLOAD_LIMIT_BYTES)
    expect(mapping.calls[1]!.at).toBe(mapping.calls[0]!.at)
  })

  it('never holds two batches of a partition at a time, also when fetches are small', async () => {
    const mapping = world({
      logs: [records(0, 40), records(1, 40)],
      rules: {batchSize: 7},
      fetchLimit: 5,
      handler: async ({signal}) => {
        await mapping.clock.sleep(700, signal)
        return ok
      },
    })

    await mapping.run()

    for (const partition of [0, 1]) {
      const calls = mapping.calls.filter((call) => call.records.some((record) => record.partition === partition))
      expect(calls.flatMap((call) => call.records.filter((record) => record.partition === partition))).toEqual(
        Array.from({length: 40}, (_, offset) => ({partition, offset})),
      )
      for (const [index, call] of calls.slice(1).entries()) expect(call.at).toBeGreaterThanOrEqual(calls[index]!.endedAt!)
    }
  })

  it('of one partition does not wait for another that is being retried', async () => {
    const late: SourceRecord[] = []
    const mapping = world({
      logs: [records(0, 1), late],
      handler: ({has}) => {
        if (mapping.calls.length === 3) late.push(...records(1, 3))
        return has(0, 0) ? functionError : ok
      },
    })

    await mapping.run(() => mapping.committed.get(1) === 3)

    expect(mapping.committed).toEqual(new Map([[1, 3]]))
  })

  it('gives each busy partition its turn', async () => {
    const mapping = world({logs: [records(0, 300), records(1, 300), records(2, 300)]})

    await mapping.run()

    expect(mapping.calls.slice(0, 3).map((call) => call.records[0]!.partition)).toEqual([0, 1, 2])
  })

  it('is one of at most five that are sent at a time', async () => {
    let running = 0
    let most = 0
    const mapping = world({
      logs: Array.from({length: 12}, (_, partition) => records(partition, 10)),
      rules: {batchSize: 10},
      handler: async ({signal}) => {
        most = Math.max(most, ++running)
        await mapping.clock.sleep(1_000, signal)
        running--
        return ok
      },
    })

    await mapping.run()

    expect(most).toBe(5)
  })
})

describe('filters', () => {
  it('keep records from the function while offsets move past them', async () => {
    const log = ['keep', 'drop', 'drop', 'keep', 'drop'].map((text, offset) => record(0, offset, {value: Buffer.from(text)}))
    const mapping = world({logs: [log], rules: {filters: compileFilters(['{"value":["keep"]}'])}})

    await mapping.run()

    expect(mapping.calls.map((call) => call.records.map(({offset}) => offset))).toEqual([[0, 3]])
    expect(mapping.committed.get(0)).toBe(5)
  })

  it('that let nothing through still commit, without an invocation', async () => {
    const mapping = world({logs: [records(0, 1_000)], rules: {filters: compileFilters(['{"value":["keep"]}'])}})

    await mapping.run()

    expect(mapping.calls).toEqual([])
    expect(mapping.committed.get(0)).toBe(1_000)
    expect(mapping.events).toContainEqual({type: 'polled', partition: 0, records: 1_000, filteredOut: 1_000})
  })
})

describe('commits', () => {
  it('come only after the function has ended', async () => {
    const seen: (number | undefined)[] = []
    const mapping = world({
      logs: [records(0, 250)],
      handler: () => {
        seen.push(mapping.committed.get(0))
        return ok
      },
    })

    await mapping.run()

    expect(seen[0]).toBeUndefined()
    for (const [index, committed] of seen.entries()) expect(committed ?? 0).toBeLessThanOrEqual(index * 100)
  })

  it('that fail are tried again, and delivery goes on', async () => {
    let refusals = 3
    const mapping = world({
      logs: [records(0, 250)],
      commit: () => {
        if (refusals-- > 0) throw new Error('coordinator not available')
      },
    })

    await mapping.run()

    expect(mapping.events.filter((event) => event.type === 'commitFailed')).toHaveLength(3)
    expect(mapping.committed.get(0)).toBe(250)
  })

  it('pass over gaps in the offsets', async () => {
    const mapping = world({logs: [[record(0, 3), record(0, 90), record(0, 91)]]})

    await mapping.run()

    expect(mapping.committed.get(0)).toBe(92)
  })
})

describe('a source', () => {
  it('that fails is asked again', async () => {
    let failures = 4
    const mapping = world({
      logs: [records(0, 5)],
      fetch: () => {
        if (failures-- > 0) throw new Error('not leader')
      },
    })

    await mapping.run()

    expect(mapping.events.filter((event) => event.type === 'pollingFailed')).toHaveLength(4)
    expect(mapping.committed.get(0)).toBe(5)
  })

  it('that answers early with nothing is not asked without pause', async () => {
    let asked = 0
    const mapping = world({logs: [[]]})
    const poller = createPoller({
      rules: defaultRules,
      partitions: new Map([[0, 7]]),
      source: {
        async fetch(_, offset) {
          asked++
          return {records: [], nextOffset: offset}
        },
      },
      committer: {commit: async () => {}},
      invoke: async () => ok,
      clock: mapping.clock,
    })
    const stop = new AbortController()
    const began = mapping.clock.now()

    const running = poller.run(stop.signal)
    await mapping.clock.runUntil(() => mapping.clock.now() - began >= 10_000)
    stop.abort()
    await running

    expect(asked).toBeLessThanOrEqual(21)
  })
})

describe('a fetch', () => {
  it('that begins before the offset, with the rest of its record batch, delivers nothing twice', async () => {
    const log = records(0, 10)
    const mapping = world({logs: [log], rules: {batchSize: 4}, fetchLimit: 3, fetchFromBatch: 5})

    await mapping.run()

    expect(mapping.calls.flatMap((call) => call.records.map(({offset}) => offset))).toEqual(log.map(({offset}) => offset))
  })
})

describe('stopping', () => {
  it('in the middle of an invocation waits for it and commits what it did', async () => {
    const mapping = world({
      logs: [records(0, 300)],
      handler: async () => {
        mapping.stop.abort()
        await mapping.clock.sleep(5_000, new AbortController().signal)
        return ok
      },
    })

    await mapping.run(() => false)

    expect(mapping.calls).toHaveLength(1)
    expect(mapping.committed.get(0)).toBe(100)
  })

  it('while a batch is being retried commits nothing of it', async () => {
    const mapping = world({
      logs: [records(0, 10), records(1, 10)],
      rules: {batchSize: 10},
      handler: ({has}) => (has(0, 4) ? functionError : ok),
    })

    await mapping.run(() => mapping.calls.length === 9)

    expect(mapping.committed).toEqual(new Map([[1, 10]]))
  })

  it('before it began does nothing', async () => {
    const mapping = world({logs: [records(0, 10)]})
    mapping.stop.abort()

    await mapping.start()

    expect(mapping.calls).toEqual([])
    expect(mapping.committed.size).toBe(0)
  })

  it('and starting again from what was committed delivers the rest', async () => {
    const first = world({logs: [records(0, 250)], handler: ({call}) => (call.records[0]!.offset < 100 ? ok : functionError)})
    await first.run(() => first.calls.length === 2)

    const second = world({logs: [records(0, 250)], committed: new Map(first.committed)})
    await second.run()

    expect(second.calls[0]!.records[0]!.offset).toBe(first.committed.get(0))
    expect(second.committed.get(0)).toBe(250)
  })
})

describe('a poller', () => {
  it('is refused when its rules name a destination that is not there', () => {
    expect(() => world({logs: [[]], rules: {hasDestination: true}})).toThrow(RangeError)
  })

  it('ends with the error of whoever listens to it', async () => {
    const mapping = world({logs: [records(0, 1)]})
    mapping.events.push = () => {
      throw new Error('listener broke')
    }

    await expect(mapping.run(() => false)).rejects.toThrow('listener broke')
  })
})
