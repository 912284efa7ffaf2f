import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import type {KafkaEvent, KafkaRecord} from '../../src/lib/batch.ts'
import {type PartitionOptions, processPartitions} from '../../src/lib/partitions.ts'

const record = (partition: number, offset: number): KafkaRecord => ({
  topic: 'orders',
  partition,
  offset,
  timestamp: 0,
  timestampType: 'CREATE_TIME',
  value: '',
  headers: [],
})

const event: KafkaEvent = {
  eventSource: 'aws:kafka',
  records: {'orders-0': [record(0, 7), record(0, 8)], 'orders-1': [record(1, 3)], 'orders-2': []},
}

const placesOf = (records: readonly KafkaRecord[]): string[] => records.map(({partition, offset}) => `${partition}:${offset}`)

async function run(options: Partial<PartitionOptions<string[]>>) {
  const failed: string[] = []
  const result = await processPartitions(event, {
    concurrency: 10,
    deadline: {remainingMs: () => 1000, passed: () => false},
    write: async (records) => placesOf(records),
    onFailure: (one, error) => void failed.push(`${placesOf([one])}: ${(error as Error).message}`),
    ...options,
  })
  return {...result, failed}
}

describe('processPartitions', () => {
  it('writes each partition as a whole and in order, and reports nothing', async () => {
    const {response, counts, results} = await run({})

    assert.deepEqual(response, {batchItemFailures: []})
    assert.deepEqual(counts, {in: 3, ok: 3, left: 0})
    assert.deepEqual(results.sort(), [['0:7', '0:8'], ['1:3']])
  })

  it('reports the first offset of a partition that failed, and goes on with the others', async () => {
    const write = async (records: readonly KafkaRecord[]) => {
      if (records[0]!.partition === 0) throw new Error('away')
      return placesOf(records)
    }

    const {response, counts, results, failed} = await run({write})

    assert.deepEqual(response.batchItemFailures, [{itemIdentifier: {partition: 'orders-0', offset: 7}}])
    assert.deepEqual([counts, results, failed], [{in: 3, ok: 1, left: 2}, [['1:3']], ['0:7: away']])
  })

  it('begins nothing when the time is over', async () => {
    const {response, results} = await run({deadline: {remainingMs: () => 0, passed: () => true}})

    assert.equal(response.batchItemFailures.length, 2)
    assert.deepEqual(results, [])
  })

  it('writes no more partitions at once than it may', async () => {
    let [now, most] = [0, 0]
    const write = async () => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setImmediate(resolve))
      now--
      return []
    }

    await run({concurrency: 1, write})

    assert.equal(most, 1)
  })
})
