import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import type {Item, PoisonError} from '../src/core/attribute.ts'
import {messagesOf, type StreamRecord} from '../src/core/change.ts'
import {type RelayOptions, relay} from '../src/core/relay.ts'
import {type Message, partitionFor} from '../src/lib/kafka.ts'
import {memoryProducer} from './producer.ts'
import {changes, settings} from './records.ts'

const keyOf = ({key}: Message): string => JSON.parse(String(key)).id.S
const partitionOf = (id: string) => partitionFor(Buffer.from(`{"id":{"S":"${id}"}}`), 3)

async function run(records: StreamRecord[], limits: Parameters<typeof memoryProducer>[0], options: Partial<RelayOptions> = {}) {
  const {producer, stored, requests} = memoryProducer(limits)
  const kept: [string, string][] = []
  const {counts, failure} = await relay(records, {
    producer,
    deadline: {remainingMs: () => 1000, passed: () => false},
    portionBytes: 100_000,
    messagesOf: (record) => messagesOf(record, {...settings, envelope: false}),
    putAside: async (record: StreamRecord, error: PoisonError) => void kept.push([record.dynamodb.SequenceNumber, error.message]),
    ...options,
  })
  return {counts, failed: failure?.record.dynamodb.SequenceNumber, error: String(failure?.error), stored, requests, kept}
}

const large = {text: {S: 'x'.repeat(2000)}}
const some = () => changes(['a', {}], ['b', {}], ['c', {}], ['a', {v: {N: '2'}}], ['b', undefined], ['c', {}])

describe('relay', () => {
  it('stores all in the order of each item', async () => {
    const {counts, failed, stored} = await run(some(), {})

    assert.deepEqual([failed, counts], [undefined, {in: 6, ok: 6, poison: 0, left: 0}])
    assert.deepEqual(
      stored.filter((message) => keyOf(message) === 'a').map(({headers}) => headers!['SequenceNumber']),
      ['1000', '1003'],
    )
    assert.deepEqual(stored.find(({headers}) => headers!['eventName'] === 'REMOVE')!.value, null)
  })

  it('names the first record that failed, wherever it is, and stores nothing of its item after it', async () => {
    const records = some()
    for (const [k, {dynamodb}] of records.entries()) {
      const {failed, counts, stored} = await run(records, {
        fails: ({headers}) => headers!['SequenceNumber'] === dynamodb.SequenceNumber,
      })

      const broken = partitionOf((dynamodb.Keys['id'] as {S: string}).S)
      const first = records.findIndex((record) => partitionOf((record.dynamodb.Keys['id'] as {S: string}).S) === broken)
      assert.ok(first <= k)
      assert.deepEqual([failed, counts.ok, counts.left], [String(1000 + first), first, 6 - first])
      assert.equal(stored.filter(({partition}) => partition === broken).length, 0)
    }
  })

  it('sends no more at once than it may, and nothing after a portion that failed', async () => {
    const bytes = {portionBytes: 60}
    const whole = await run(some(), {}, bytes)
    assert.ok(whole.requests.length > 1)
    assert.equal(whole.stored.length, 6)

    const {failed, stored} = await run(some(), {fails: ({headers}) => headers!['SequenceNumber'] === '1002'}, bytes)
    assert.equal(failed, '1002')
    assert.deepEqual(
      stored.map(({headers}) => headers!['SequenceNumber']).filter((sequence) => String(sequence) > '1003'),
      [],
    )
  })

  it('sends one by one what is too large together', async () => {
    const records = changes(...Array.from({length: 20}, (_, index): [string, Item] => ['a', {n: {N: String(index)}}]))

    const {counts, stored} = await run(records, {largest: 100})

    assert.equal(counts.ok, 20)
    assert.deepEqual(
      stored.map(({headers}) => Number(headers!['SequenceNumber'])),
      records.map((_, index) => 1000 + index),
    )
  })

  it('puts aside what no topic takes or what is no item, and goes on', async () => {
    const records = changes(['a', {}], ['a', large], ['b', {x: {N: 'one'}}], ['a', {v: {N: '3'}}])

    const {counts, failed, kept, stored} = await run(records, {})

    assert.deepEqual([failed, counts], [undefined, {in: 4, ok: 2, poison: 2, left: 0}])
    assert.deepEqual(kept, [
      ['1001', 'larger than max.message.bytes of the topic'],
      ['1002', 'the item.x is no value of DynamoDB'],
    ])
    assert.deepEqual(
      stored.map(({headers}) => headers!['SequenceNumber']),
      ['1000', '1003'],
    )
  })

  it('takes for failed what cannot be put aside', async () => {
    const putAside = async () => {
      throw new Error('no bucket')
    }

    const {failed, error, counts} = await run(changes(['a', {}], ['a', large], ['a', {}]), {}, {putAside})

    assert.deepEqual([failed, error, counts.left], ['1001', 'Error: no bucket', 2])
  })

  it('sends nothing after a record that the settings do not know', async () => {
    const records = some()
    records[2] = {...records[2]!, eventSourceARN: 'arn:aws:dynamodb:us-east-1:123456789012:table/other/stream/x'}

    const {failed, error, stored} = await run(records, {})

    assert.deepEqual([failed, stored.length], ['1002', 2])
    assert.match(error, /"other" has no topic/)
  })

  it('begins nothing when the time is over', async () => {
    let asked = 0
    const deadline = {remainingMs: () => 0, passed: () => asked++ > 0}

    const {failed, stored} = await run(some(), {}, {deadline, portionBytes: 1})

    assert.deepEqual([failed, stored.length], ['1001', 1])
  })

  it('has nothing to do with no records', async () => {
    assert.deepEqual((await run([], {})).counts, {in: 0, ok: 0, poison: 0, left: 0})
  })
})
