import {describe, expect, it} from 'vitest'

import {PAYLOAD_LIMIT_BYTES} from '../../../src/lib/lambda/event.js'
import type {Invocation} from '../../../src/lib/lambda/poller.js'
import {type Call, failing, functionError, ok, record, records, world} from './mapping-world.js'

const timeout: Invocation = {ok: false, kind: 'timeout', message: 'Task timed out after 3.00 seconds'}
const throttled: Invocation = {ok: false, kind: 'throttled', message: 'Rate Exceeded.'}
const unavailable: Invocation = {ok: false, kind: 'unavailable', message: 'ServiceException'}

const offsets = (call: Call) => call.records.map(({offset}) => offset)
const range = (from: number, to: number) => Array.from({length: to - from}, (_, index) => from + index)

describe('a function that fails', () => {
  it('gets the same batch again for ever by default, later each time', async () => {
    const mapping = world({logs: [records(0, 3)], handler: () => functionError})

    await mapping.run(() => mapping.calls.length === 50)

    expect(new Set(mapping.calls.map((call) => offsets(call).join()))).toEqual(new Set(['0,1,2']))
    expect(mapping.calls.map(({attempt}) => attempt)).toEqual(range(1, 51))
    const waits = mapping.calls.slice(1).map((call, index) => call.at - mapping.calls[index]!.at)
    expect(waits.slice(0, 4)).toEqual([200, 400, 800, 1_600])
    expect(waits.at(-1)).toBe(30_000)
    expect(mapping.committed.size).toBe(0)
  })

  it('is retried after a timeout too', async () => {
    const mapping = world({logs: [records(0, 3)], handler: ({call}) => (call.attempt < 3 ? timeout : ok)})

    await mapping.run()

    expect(mapping.calls).toHaveLength(3)
  })

  it('gets a batch ten times more when retries are endless and there is a destination', async () => {
    const mapping = world({logs: [records(0, 3)], handler: () => functionError, destination: () => {}})

    await mapping.run()

    expect(mapping.calls).toHaveLength(11)
    expect(mapping.givenUp).toMatchObject([
      {condition: 'RetriesExhausted', approximateInvokeCount: 11, lastInvocation: functionError},
    ])
    expect(mapping.givenUp[0]!.records.map(({offset}) => offset)).toEqual([0, 1, 2])
  })

  it.each([0, 1, 7])(
    'gets it %i times more when so many retries are allowed, then it is dropped',
    async (maximumRetryAttempts) => {
      const mapping = world({logs: [records(0, 3)], rules: {maximumRetryAttempts}, handler: () => functionError})

      await mapping.run()

      expect(mapping.calls).toHaveLength(1 + maximumRetryAttempts)
      expect(mapping.events.filter((event) => event.type === 'givenUp')).toMatchObject([{delivered: false}])
      expect(mapping.committed.get(0)).toBe(3)
    },
  )

  it('keeps the order of its partition: nothing overtakes what is retried', async () => {
    const mapping = world({
      logs: [records(0, 30)],
      rules: {batchSize: 10},
      handler: ({call}) => (call.attempt < 4 && offsets(call)[0] === 10 ? functionError : ok),
    })

    await mapping.run()

    expect(mapping.calls.map((call) => offsets(call)[0])).toEqual([0, 10, 10, 10, 10, 20])
  })
})

describe('an invocation that does not reach the function', () => {
  it.each([
    ['throttled', throttled],
    ['unavailable', unavailable],
  ])('(%s) is tried again without using up a retry', async (_, refusal) => {
    const mapping = world({
      logs: [records(0, 3)],
      rules: {maximumRetryAttempts: 0},
      handler: () => (mapping.calls.length <= 40 ? refusal : ok),
    })

    await mapping.run()

    expect(mapping.calls).toHaveLength(41)
    expect(mapping.calls.every(({attempt}) => attempt === 1)).toBe(true)
    expect(mapping.events.filter((event) => event.type === 'givenUp')).toEqual([])
  })

  it('counts as unavailable when the invoker throws', async () => {
    const mapping = world({
      logs: [records(0, 3)],
      rules: {maximumRetryAttempts: 0},
      handler: () => {
        if (mapping.calls.length < 3) throw new Error('no sandbox')
        return ok
      },
    })

    await mapping.run()

    expect(mapping.events).toContainEqual({type: 'retrying', records: 3, delayMs: 200, reason: 'no sandbox'})
    expect(mapping.committed.get(0)).toBe(3)
  })

  it('gives up records that become too old meanwhile', async () => {
    const mapping = world({
      logs: [records(0, 3)],
      rules: {maximumRecordAgeMs: 60_000},
      handler: () => throttled,
      destination: () => {},
    })

    await mapping.run()

    expect(mapping.givenUp).toMatchObject([{condition: 'MaximumRecordAgeExceeded', approximateInvokeCount: 0}])
  })
})

describe('the maximum record age', () => {
  it('hands over what is older without an invocation, and sends the rest', async () => {
    const old = {timestamp: 1_700_000_000_000 - 61_000}
    const log = [record(0, 0), record(0, 1, old), record(0, 2), record(0, 3, old)]
    const mapping = world({logs: [log], rules: {maximumRecordAgeMs: 60_000}, destination: () => {}})

    await mapping.run()

    expect(mapping.calls.map(offsets)).toEqual([[0, 2]])
    expect(mapping.givenUp).toHaveLength(1)
    expect(mapping.givenUp[0]).toMatchObject({condition: 'MaximumRecordAgeExceeded', approximateInvokeCount: 0})
    expect(mapping.givenUp[0]!.records.map(({offset}) => offset)).toEqual([1, 3])
    expect(mapping.givenUp[0]!.event.records['orders-0']!.map(({offset}) => offset)).toEqual([1, 3])
  })

  it('ends retries that would go on for ever', async () => {
    const mapping = world({logs: [records(0, 3)], rules: {maximumRecordAgeMs: 120_000}, handler: () => functionError})

    await mapping.run()

    const last = mapping.calls.at(-1)!
    expect(last.at - mapping.calls[0]!.at).toBeLessThanOrEqual(120_000)
    expect(mapping.calls.length).toBeGreaterThan(5)
    expect(mapping.committed.get(0)).toBe(3)
  })
})

describe('bisect', () => {
  it.each([0, 1, 499, 500, 617, 999])('finds the one poison of 1,000 (at %i) in 11 failing invocations of 21', async (poison) => {
    const mapping = world({
      logs: [records(0, 1_000)],
      rules: {batchSize: 1_000, bisect: true, maximumRetryAttempts: 0},
      handler: ({has}) => (has(0, poison) ? functionError : ok),
      destination: () => {},
    })

    await mapping.run()

    const failed = mapping.calls.filter((call) => offsets(call).includes(poison))
    expect(failed.length).toBeLessThanOrEqual(11)
    expect(mapping.calls.length).toBeLessThanOrEqual(21)
    expect(mapping.givenUp.flatMap((givenUp) => givenUp.records.map(({offset}) => offset))).toEqual([poison])
    expect(mapping.givenUp[0]!.approximateInvokeCount).toBe(failed.length)
    expect(mapping.committed.get(0)).toBe(1_000)
  })

  it('does not use up retries: the single record gets them all', async () => {
    const mapping = world({
      logs: [records(0, 8)],
      rules: {bisect: true, maximumRetryAttempts: 2},
      handler: ({has}) => (has(0, 5) ? functionError : ok),
      destination: () => {},
    })

    await mapping.run()

    expect(mapping.calls.filter((call) => offsets(call).join() === '5').map(({attempt}) => attempt)).toEqual([1, 2, 3])
    expect(mapping.givenUp).toHaveLength(1)
  })

  it('delivers the halves in order', async () => {
    const mapping = world({
      logs: [records(0, 8)],
      rules: {bisect: true, maximumRetryAttempts: 0},
      handler: ({call}) => (call.records.length > 2 ? timeout : ok),
    })

    await mapping.run()

    expect(mapping.calls.filter((call) => call.records.length === 2).map(offsets)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
    ])
  })

  it('commits what is behind the poison only once that is handed over', async () => {
    const mapping = world({
      logs: [records(0, 4)],
      rules: {bisect: true, maximumRetryAttempts: 0},
      handler: ({has}) => (has(0, 1) ? functionError : ok),
      destination: () => {
        expect(mapping.committed.get(0)).toBe(1)
      },
    })

    await mapping.run()

    expect(mapping.givenUp).toHaveLength(1)
    expect(mapping.committed.get(0)).toBe(4)
  })

  it('splits what is left behind a partial response, without using up a retry', async () => {
    const mapping = world({
      logs: [records(0, 10)],
      rules: {bisect: true, maximumRetryAttempts: 0, reportBatchItemFailures: true},
      handler: ({has}) => (has(0, 6) ? failing([0, 6]) : ok),
      destination: () => {},
    })

    await mapping.run()

    expect(mapping.calls.map(offsets)).toEqual([range(0, 10), range(6, 10), [6, 7], [6], [7], [8, 9]])
    expect(mapping.givenUp.map(({records}) => records.map(({offset}) => offset))).toEqual([[6]])
  })
})

describe('ReportBatchItemFailures', () => {
  const rules = {reportBatchItemFailures: true}

  it('resumes each partition at its lowest failed offset', async () => {
    const mapping = world({
      logs: [records(0, 5), records(1, 5), records(2, 5)],
      rules,
      handler: () => (mapping.calls.length === 1 ? failing([0, 4], [1, 3], [0, 2]) : ok),
    })

    await mapping.run()

    expect(mapping.calls[1]!.records).toEqual([
      {partition: 0, offset: 2},
      {partition: 0, offset: 3},
      {partition: 0, offset: 4},
      {partition: 1, offset: 3},
      {partition: 1, offset: 4},
    ])
  })

  it('commits what came before the lowest failed offset at once', async () => {
    const mapping = world({
      logs: [records(0, 5), records(1, 5)],
      rules,
      handler: () => (mapping.calls.length < 6 ? failing([0, 2]) : ok),
    })

    await mapping.run(() => mapping.calls.length === 4)

    expect(mapping.committed).toEqual(
      new Map([
        [0, 2],
        [1, 5],
      ]),
    )
  })

  it('gives up what is left when the retries are used up', async () => {
    const mapping = world({
      logs: [records(0, 5)],
      rules: {...rules, maximumRetryAttempts: 1},
      handler: () => failing([0, 3]),
      destination: () => {},
    })

    await mapping.run()

    expect(mapping.calls.map(offsets)).toEqual([range(0, 5), [3, 4]])
    expect(mapping.givenUp[0]!.records.map(({offset}) => offset)).toEqual([3, 4])
    expect(mapping.givenUp[0]!.lastInvocation).toEqual(failing([0, 3]))
  })

  it.each<[string, unknown]>([
    ['null', null],
    ['nothing', undefined],
    ['an empty string', ''],
    ['an empty object', {}],
    ['an empty list', {batchItemFailures: []}],
    ['a null list', {batchItemFailures: null}],
    ['something else', {statusCode: 200}],
  ])('takes %s for success', async (_, payload) => {
    const mapping = world({
      logs: [records(0, 5)],
      rules: {...rules, maximumRetryAttempts: 0},
      handler: () => ({ok: true, payload}),
    })

    await mapping.run()

    expect(mapping.events.filter((event) => event.type === 'invoked')).toMatchObject([{failed: 0}])
  })

  it.each<[string, unknown]>([
    ['a string, the form of SQS', {batchItemFailures: [{itemIdentifier: 'orders-0-2'}]}],
    ['a number', {batchItemFailures: [{itemIdentifier: 2}]}],
    ['null', {batchItemFailures: [{itemIdentifier: null}]}],
    ['missing', {batchItemFailures: [{}]}],
    ['named otherwise', {batchItemFailures: [{id: {partition: 'orders-0', offset: 2}}]}],
    ['an offset that the batch has not', {batchItemFailures: [{itemIdentifier: {partition: 'orders-0', offset: 77}}]}],
    ['a partition that the batch has not', {batchItemFailures: [{itemIdentifier: {partition: 'orders-1', offset: 2}}]}],
    ['a partition by its number', {batchItemFailures: [{itemIdentifier: {partition: 0, offset: 2}}]}],
    ['an offset in a string', {batchItemFailures: [{itemIdentifier: {partition: 'orders-0', offset: '2'}}]}],
    [
      'one right and one wrong',
      {
        batchItemFailures: [
          {itemIdentifier: {partition: 'orders-0', offset: 2}},
          {itemIdentifier: {partition: 'orders-0', offset: -1}},
        ],
      },
    ],
    ['in a list of nulls', {batchItemFailures: [null]}],
    ['in an object instead of a list', {batchItemFailures: {itemIdentifier: {partition: 'orders-0', offset: 2}}}],
    ['missing in a list of its own', [{itemIdentifier: {partition: 'orders-0', offset: 2}}]],
    ['missing in a string', 'done'],
    ['missing in a boolean', true],
  ])('fails the whole batch when the identifier is %s', async (_, payload) => {
    const mapping = world({
      logs: [records(0, 5)],
      rules: {...rules, maximumRetryAttempts: 0},
      handler: () => ({ok: true, payload}),
      destination: () => {},
    })

    await mapping.run()

    expect(mapping.givenUp[0]!.records.map(({offset}) => offset)).toEqual(range(0, 5))
  })

  it('is not looked at unless the mapping has it', async () => {
    const mapping = world({logs: [records(0, 5)], handler: () => failing([0, 0])})

    await mapping.run()

    expect(mapping.calls).toHaveLength(1)
  })
})

describe('a record of more than 6 MB', () => {
  const huge = (offset: number) => record(0, offset, {value: Buffer.alloc(8 * 1024 * 1024)})

  it('is handed over, never sent, and holds up nothing', async () => {
    const mapping = world({logs: [[record(0, 0), huge(1), record(0, 2), huge(3), huge(4)]], destination: () => {}})

    await mapping.run()

    expect(mapping.calls.map(offsets)).toEqual([[0], [2]])
    expect(mapping.givenUp.map(({condition, records}) => [condition, records.map(({offset}) => offset)])).toEqual([
      ['PayloadTooLarge', [1]],
      ['PayloadTooLarge', [3]],
      ['PayloadTooLarge', [4]],
    ])
    expect(mapping.givenUp[0]!.payloadSize).toBeGreaterThan(PAYLOAD_LIMIT_BYTES)
  })

  it('is dropped without a destination, though retries are endless', async () => {
    const mapping = world({logs: [[huge(0), record(0, 1)]]})

    await mapping.run()

    expect(mapping.calls.map(offsets)).toEqual([[1]])
    expect(mapping.committed.get(0)).toBe(2)
  })

  it('is one whose event has exactly 6 MB; a byte less is sent', async () => {
    const probe = world({logs: [[record(0, 0, {value: Buffer.alloc(0)})]]})
    await probe.run()
    const room = PAYLOAD_LIMIT_BYTES - probe.calls[0]!.bytes
    const base64 = Math.floor(room / 4) * 4
    // What base64 cannot fill to the byte, a header's digits do: each one-digit byte takes two.
    const value = Buffer.alloc((base64 / 4) * 3 - 300)
    const padding = (bytes: number) => ({key: Buffer.from('x'.repeat(bytes)), value: null})
    const sized = async (bytes: number) => {
      const log = [record(0, 0, {value, headers: [padding(room - (value.length / 3) * 4 - '{"":[]}'.length + bytes)]})]
      const mapping = world({logs: [log]})
      await mapping.run()
      return mapping.calls
    }

    expect(await sized(0)).toEqual([])
    expect((await sized(-1)).map(({bytes}) => bytes)).toEqual([PAYLOAD_LIMIT_BYTES - 1])
  })
})

describe('the destination', () => {
  it('that is down is tried again for as long as it takes, and nothing is committed past it', async () => {
    let refusals = 100
    const mapping = world({
      logs: [records(0, 3)],
      rules: {batchSize: 1, maximumRetryAttempts: 0},
      handler: ({has}) => (has(0, 1) ? functionError : ok),
      destination: () => {
        expect(mapping.committed.get(0)).toBe(1)
        if (refusals-- > 0) throw new Error('topic not found')
      },
    })

    await mapping.run()

    expect(mapping.events.filter((event) => event.type === 'destinationFailed')).toHaveLength(100)
    expect(mapping.givenUp).toHaveLength(1)
    expect(mapping.calls.filter((call) => offsets(call).includes(1))).toHaveLength(1)
    expect(mapping.committed.get(0)).toBe(3)
  })

  it('that is down when the poller stops gets the records after a restart', async () => {
    const options = {logs: [records(0, 3)], rules: {maximumRetryAttempts: 0}, handler: () => functionError}
    const first = world({
      ...options,
      destination: () => {
        throw new Error('down')
      },
    })
    await first.run(() => first.events.filter((event) => event.type === 'destinationFailed').length === 5)

    const second = world({...options, committed: first.committed, destination: () => {}})
    await second.run()

    expect(first.givenUp).toEqual([])
    expect(second.givenUp[0]!.records.map(({offset}) => offset)).toEqual([0, 1, 2])
  })

  it('does not hold up other partitions while it is down', async () => {
    const mapping = world({
      logs: [records(0, 1), records(1, 5)],
      rules: {batchSize: 1, maximumRetryAttempts: 0},
      handler: ({has}) => (has(0, 0) ? functionError : ok),
      destination: () => {
        throw new Error('down')
      },
    })

    await mapping.run(() => mapping.committed.get(1) === 5)

    expect(mapping.committed).toEqual(new Map([[1, 5]]))
  })

  it('gets tombstones as what they are', async () => {
    const mapping = world({
      logs: [[record(0, 0, {key: Buffer.from('k'), value: null})]],
      rules: {maximumRetryAttempts: 0},
      handler: () => functionError,
      destination: () => {},
    })

    await mapping.run()

    expect(mapping.givenUp[0]!.event.records['orders-0']).toEqual([
      {
        topic: 'orders',
        partition: 0,
        offset: 0,
        timestamp: 1_700_000_000_000,
        timestampType: 'CREATE_TIME',
        key: 'aw==',
        headers: [],
      },
    ])
  })
})
