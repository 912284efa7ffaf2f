import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {answer, type BatchOptions, type KafkaEvent, type KafkaRecord, PoisonError, processBatch} from '../../src/lib/batch.ts'

const record = (offset: number, {partition = 0, key = null as string | null} = {}): KafkaRecord => ({
  topic: 'orders',
  partition,
  offset,
  timestamp: 0,
  timestampType: 'CREATE_TIME',
  key,
  value: '',
  headers: [],
})

const eventOf = (...records: KafkaRecord[]): KafkaEvent => {
  const names = [...new Set(records.map(({partition}) => partition))]
  const of = (partition: number) => records.filter((one) => one.partition === partition)
  return {eventSource: 'aws:kafka', records: Object.fromEntries(names.map((name) => [`orders-${name}`, of(name)]))}
}

async function run(event: KafkaEvent, options: Partial<BatchOptions>) {
  const handled: string[] = []
  const aside: number[] = []
  const result = await processBatch(event, {
    order: 'partition',
    concurrency: 10,
    deadline: {remainingMs: () => 1000, passed: () => false},
    onPoison: async ({offset}) => void aside.push(offset),
    onFailure: () => {},
    ...options,
    handle: async (one) => {
      await options.handle?.(one)
      handled.push(`${one.partition}:${one.offset}`)
    },
  })
  return {...result, handled, aside}
}

const failing =
  (...offsets: number[]) =>
  async ({offset}: KafkaRecord) => {
    if (offsets.includes(offset)) throw new Error('down')
  }

describe('processBatch', () => {
  it('handles all and reports nothing', async () => {
    const {response, counts} = await run(eventOf(record(7), record(8), record(3, {partition: 1})), {})

    assert.deepEqual(response, {batchItemFailures: []})
    assert.deepEqual(counts, {in: 3, ok: 3, poison: 0, left: 0})
  })

  it('stops a partition at its first failure, names it by partition and offset, and goes on with the others', async () => {
    const event = eventOf(record(7), record(8), record(9), record(3, {partition: 1}))

    const {response, handled, counts} = await run(event, {handle: failing(8)})

    assert.deepEqual(response.batchItemFailures, [{itemIdentifier: {partition: 'orders-0', offset: 8}}])
    assert.deepEqual(handled.sort(), ['0:7', '1:3'])
    assert.deepEqual(counts, {in: 4, ok: 2, poison: 0, left: 2})
  })

  it('puts poison aside and goes on', async () => {
    const handle = async ({offset}: KafkaRecord) => {
      if (offset === 8) throw new PoisonError('422')
    }

    const {response, handled, aside} = await run(eventOf(record(7), record(8), record(9)), {handle})

    assert.deepEqual(response.batchItemFailures, [])
    assert.deepEqual([handled, aside], [['0:7', '0:9'], [8]])
  })

  it('takes poison for a failure when it cannot be put aside', async () => {
    const onPoison = async () => {
      throw new Error('no queue')
    }
    const handle = async () => {
      throw new PoisonError('422')
    }

    const {response} = await run(eventOf(record(7), record(8)), {handle, onPoison})

    assert.deepEqual(response.batchItemFailures, [{itemIdentifier: {partition: 'orders-0', offset: 7}}])
  })

  it('reports the rest when the time is over', async () => {
    let handledSoFar = 0
    const deadline = {remainingMs: () => 0, passed: () => handledSoFar >= 2}
    const handle = async () => void handledSoFar++

    const {response} = await run(eventOf(record(7), record(8), record(9)), {handle, deadline})

    assert.deepEqual(response.batchItemFailures, [{itemIdentifier: {partition: 'orders-0', offset: 9}}])
  })

  it('keeps the records of a key in order, and lets another key pass', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const handle = async ({offset}: KafkaRecord) => {
      if (offset === 7) await gate
      if (offset === 8) release()
    }
    const event = eventOf(record(7, {key: 'a'}), record(8, {key: 'b'}), record(9, {key: 'a'}))

    const {handled} = await run(event, {order: 'key', handle})

    assert.deepEqual(handled, ['0:8', '0:7', '0:9'])
  })

  it('names the lowest offset that failed, whatever failed first', async () => {
    const handle = async ({offset}: KafkaRecord) => {
      if (offset === 7) await new Promise((resolve) => setImmediate(resolve))
      if (offset !== 6) throw new Error('down')
    }

    const {response} = await run(eventOf(record(6), record(7), record(8)), {order: 'none', handle})

    assert.deepEqual(response.batchItemFailures, [{itemIdentifier: {partition: 'orders-0', offset: 7}}])
  })

  it('works on no more records at once than it may', async () => {
    let [now, most] = [0, 0]
    const handle = async () => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setImmediate(resolve))
      now--
    }
    const records = Array.from({length: 20}, (_, offset) => record(offset))

    const {counts} = await run(eventOf(...records), {order: 'none', concurrency: 3, handle})

    assert.deepEqual([counts.ok, most], [20, 3])
  })
})

describe('answer', () => {
  const response = {batchItemFailures: [{itemIdentifier: {partition: 'orders-0', offset: 8}}]}

  it('is the report when the mapping reads it', () => assert.equal(answer(response, {reports: true}), response))

  it('fails the batch when the mapping would take a report for success', () => {
    assert.throws(() => answer(response, {reports: false}), /orders-0 at 8/)
    assert.deepEqual(answer({batchItemFailures: []}, {reports: false}), {batchItemFailures: []})
  })
})
