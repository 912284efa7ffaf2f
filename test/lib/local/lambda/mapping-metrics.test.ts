import {describe, expect, it} from 'vitest'

import {compileFilter} from '../../../../src/lib/lambda/filter.js'
import type {Invocation} from '../../../../src/lib/lambda/poller.js'
import {countsOf, MappingMetrics} from '../../../../src/lib/local/lambda/mapping-metrics.js'
import {failing, functionError, ok, records, type WorldOptions, world} from '../../lambda/mapping-world.js'

const throttled: Invocation = {ok: false, kind: 'throttled', message: 'Rate Exceeded.'}

const base = {
  PolledEventCount: 4,
  FilteredOutEventCount: 0,
  InvokedEventCount: 4,
  FailedInvokeEventCount: 0,
  DroppedEventCount: 0,
  OnFailureDestinationDeliveredEventCount: 0,
}

let downs = 0
const once = (first: Invocation) => {
  let calls = 0
  return () => (calls++ === 0 ? first : ok)
}

const cases: [string, Omit<WorldOptions, 'logs'>, Partial<typeof base>][] = [
  ['delivered', {}, {}],
  [
    'half of them filtered out',
    {rules: {filters: [compileFilter('{"value": ["0-1", "0-3"]}')]}},
    {FilteredOutEventCount: 2, InvokedEventCount: 2},
  ],
  ['failed once, then taken', {handler: once(functionError)}, {InvokedEventCount: 8, FailedInvokeEventCount: 4}],
  [
    'one reported as failed, then taken with the one behind it',
    {rules: {reportBatchItemFailures: true}, handler: once(failing([0, 2]))},
    {InvokedEventCount: 6, FailedInvokeEventCount: 2},
  ],
  ['throttled once, then taken', {handler: once(throttled)}, {FailedInvokeEventCount: 4}],
  [
    'dropped after one retry',
    {rules: {maximumRetryAttempts: 1}, handler: () => functionError},
    {InvokedEventCount: 8, FailedInvokeEventCount: 8, DroppedEventCount: 4},
  ],
  ['too old', {rules: {maximumRecordAgeMs: 0}}, {InvokedEventCount: 0, DroppedEventCount: 4}],
  [
    'handed to the destination, which is down at first',
    {
      rules: {maximumRetryAttempts: 0},
      handler: () => functionError,
      destination: () => {
        if (downs++ === 0) throw new Error('down')
      },
    },
    {FailedInvokeEventCount: 4, OnFailureDestinationDeliveredEventCount: 4},
  ],
  [
    'bisected down to the one that is poison',
    {rules: {bisect: true, maximumRetryAttempts: 0}, handler: ({has}) => (has(0, 2) ? functionError : ok)},
    {InvokedEventCount: 4 + 2 + 2 + 1 + 1, FailedInvokeEventCount: 4 + 2 + 1, DroppedEventCount: 1},
  ],
]

describe('the counts of a mapping', () => {
  it.each(cases)('whose 4 records are %s', async (_, options, differs) => {
    const mapping = world({...options, logs: [records(0, 4)]})
    await mapping.run()

    const sums = {...base, InvokedEventCount: 0, PolledEventCount: 0}
    for (const event of mapping.events)
      for (const [name, count] of Object.entries(countsOf(event))) sums[name as keyof typeof base] += count

    expect(sums).toEqual({...base, ...differs})
  })

  const polled = (count: number) => ({type: 'polled', partition: 0, records: count, filteredOut: 0}) as const

  it('are sums by the minute, and an empty poll is a 0', () => {
    const metrics = new MappingMetrics()
    for (const [at, count] of [
      [60_000, 3],
      [119_999, 4],
      [120_000, 0],
    ] as const)
      metrics.count(polled(count), at)

    expect(metrics.points('PolledEventCount')).toEqual([
      [60_000, 7],
      [120_000, 0],
    ])
    expect(metrics.points('InvokedEventCount')).toEqual([])
  })

  it('are kept for three hours', () => {
    const metrics = new MappingMetrics()
    for (let minute = 0; minute < 500; minute++) metrics.count(polled(1), minute * 60_000)

    const points = metrics.points('PolledEventCount')
    expect(points).toHaveLength(180)
    expect(points[0]).toEqual([320 * 60_000, 1])
  })
})
