import {expect, it} from 'vitest'

import {invoked, shown} from '../../../src/lib/dev/lines.js'
import {kafkaEvent, type SourceRecord} from '../../../src/lib/lambda/event.js'
import type {GivenUp, MappingRules} from '../../../src/lib/lambda/poller.js'

const rules: MappingRules = {
  topic: 'orders',
  eventSourceArn: 'arn',
  bootstrapServers: 'b:1',
  functionArn: 'arn',
  batchSize: 100,
  batchingWindowMs: 500,
  filters: [],
  maximumRetryAttempts: -1,
  maximumRecordAgeMs: Number.POSITIVE_INFINITY,
  bisect: false,
  reportBatchItemFailures: false,
  hasDestination: false,
}
const record = (partition: number, offset: number): SourceRecord => ({
  partition,
  offset,
  timestamp: 0,
  timestampType: 'CREATE_TIME',
  key: null,
  value: null,
  headers: [],
})
const batch = {
  topic: 'orders',
  records: [record(0, 3), record(0, 4), record(2, 9)],
  failed: 0,
  attempt: 1,
  payloadSize: 2048,
  durationMs: 12.3,
}

it('tells the records of a batch by partition, and the answer', () => {
  expect(invoked({...batch, invocation: {ok: true, payload: null}}).text).toBe(
    'orders-0 3..4, orders-2 9 (3 records, 2.0 KiB): ok in 12 ms',
  )
  expect(invoked({...batch, failed: 2, attempt: 3, invocation: {ok: true, payload: {a: 1}}}).text).toBe(
    'orders-0 3..4, orders-2 9 (3 records, 2.0 KiB, attempt 3): 2 of 3 failed, {"a":1} in 12 ms',
  )
  expect(invoked({...batch, invocation: {ok: true, payload: 'x'.repeat(300)}}).text).toContain(`ok, "${'x'.repeat(199)}… in`)
})

it('gives programs the same as data', () => {
  expect(invoked({...batch, failed: 3, invocation: {ok: false, kind: 'timeout', message: 'late'}}).json).toEqual({
    type: 'invoked',
    partitions: {'orders-0': {from: 3, to: 4}, 'orders-2': {from: 9, to: 9}},
    records: 3,
    failed: 3,
    attempt: 1,
    payloadSize: 2048,
    durationMs: 12.3,
    error: {kind: 'timeout', message: 'late'},
  })
})

it.each([
  [{}, /for ever/],
  [{maximumRetryAttempts: 3}, /^ {2}Lambda tries 2 records again in 1\.5 s: why$/],
  [{hasDestination: true}, /^ {2}Lambda tries 2 records again in 1\.5 s: why$/],
  [{maximumRecordAgeMs: 60_000}, /^ {2}Lambda tries 2 records again in 1\.5 s: why$/],
])('warns of a partition that is blocked for ever only when nothing ends it: %j', (changed, text) => {
  const line = shown({type: 'retrying', records: 2, delayMs: 1500, reason: 'why'}, {...rules, ...changed}, () => 0)

  expect(line!.text).toMatch(text)
})

it.each([
  [true, 'sends them to the on-failure destination'],
  [false, 'drops them'],
])('says where records go that are given up (destination: %s)', (hasDestination, fate) => {
  const records = [record(1, 5), record(1, 6)]
  const givenUp: GivenUp = {
    condition: 'RetriesExhausted',
    approximateInvokeCount: 4,
    lastInvocation: undefined,
    event: kafkaEvent(rules, records),
    payloadSize: 100,
    records,
  }

  const line = shown({type: 'givenUp', givenUp, delivered: hasDestination}, {...rules, hasDestination}, () => 0)

  expect(line!.text).toBe(`  Lambda gives up 2 records (orders-1 5..6; RetriesExhausted) and ${fate}`)
})
