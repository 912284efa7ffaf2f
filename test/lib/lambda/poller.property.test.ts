import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {compileFilters} from '../../../src/lib/lambda/filter.js'
import type {GivenUp, Invocation} from '../../../src/lib/lambda/poller.js'
import {type Call, failing, functionError, ok, record, TOPIC, world} from './mapping-world.js'
import {VirtualClock} from './virtual-clock.js'

const seed = Number(process.env['SKK_SEED'] ?? Date.now() % 2 ** 31)
const runs = Number(process.env['SKK_RUNS'] ?? 200)

/** What one invocation does; the schedule is used in turns. */
const step = fc.oneof(
  {weight: 5, arbitrary: fc.constant('ok' as const)},
  {
    weight: 2,
    arbitrary: fc.constantFrom('functionError' as const, 'timeout' as const, 'throttled' as const, 'unavailable' as const),
  },
  {weight: 2, arbitrary: fc.constantFrom('partial' as const, 'malformed' as const, 'throws' as const)},
)

const schedules = fc.record({
  /** Per partition, the steps between its offsets: 1 is the next, more is a gap. */
  partitions: fc.array(fc.array(fc.integer({min: 1, max: 3}), {maxLength: 60}), {minLength: 1, maxLength: 4}),
  /** Records that always fail, as numbers into all of them. */
  poison: fc.array(fc.nat({max: 240}), {maxLength: 4}),
  steps: fc.array(step, {maxLength: 30}),
  /** How long invocations take. */
  durations: fc.array(fc.nat({max: 3_000}), {minLength: 1, maxLength: 5}),
  /** After how many invocations each run of the poller is stopped. */
  stops: fc.array(fc.integer({min: 1, max: 12}), {maxLength: 4}),
  /** Which tries of the destination, of a commit and of a fetch fail. */
  destinationDown: fc.array(fc.boolean(), {maxLength: 6}),
  commitDown: fc.array(fc.boolean(), {maxLength: 6}),
  fetchDown: fc.array(fc.boolean(), {maxLength: 6}),
  fetchLimit: fc.integer({min: 1, max: 20}),
  filtered: fc.boolean(),
  old: fc.boolean(),
  rules: fc.record({
    batchSize: fc.integer({min: 1, max: 20}),
    batchingWindowMs: fc.constantFrom(0, 500, 5_000),
    maximumRetryAttempts: fc.integer({min: 0, max: 3}),
    bisect: fc.boolean(),
    reportBatchItemFailures: fc.boolean(),
  }),
})

type Schedule = typeof schedules extends fc.Arbitrary<infer T> ? T : never

const nameOf = ({partition, offset}: {partition: number; offset: number}) => `${partition}-${offset}`

/** A turn of the list, then false for ever: nothing stays down. */
const turns = (list: boolean[]) => {
  let turn = 0
  return () => list[turn++] ?? false
}

function logsOf({partitions, filtered, old}: Schedule) {
  return partitions.map((gaps, partition) => {
    let offset = -1
    return gaps.map((gap, index) => {
      offset += gap
      return record(partition, offset, {
        value: Buffer.from(filtered && index % 3 === 1 ? 'drop' : 'keep'),
        ...(old && index % 5 === 2 ? {timestamp: 0} : {}),
      })
    })
  })
}

/** Runs the poller, stopped and started again as the schedule says, until everything is committed. */
async function live(schedule: Schedule) {
  const logs = logsOf(schedule)
  const all = logs.flat()
  const poison = new Set(schedule.poison.map((index) => all[index]).flatMap((found) => (found ? [nameOf(found)] : [])))
  const [destinationDown, commitDown, fetchDown] = [schedule.destinationDown, schedule.commitDown, schedule.fetchDown].map(turns)
  const clock = new VirtualClock()
  const committed = new Map<number, number>()
  const calls: Call[] = []
  const delivered = new Set<string>()
  const givenUp: GivenUp[] = []
  let invocations = 0

  const answer = async (call: Call, signal: AbortSignal): Promise<Invocation> => {
    const number = invocations++
    await clock.sleep(schedule.durations[number % schedule.durations.length]!, new AbortController().signal)
    const bad = call.records.filter((found) => poison.has(nameOf(found)))
    if (bad.length > 0 && !schedule.rules.reportBatchItemFailures) return functionError
    if (bad.length > 0) return failing(...bad.map(({partition, offset}): [number, number] => [partition, offset]))
    const kind = schedule.steps[number] ?? 'ok'
    const middle = call.records[Math.floor(call.records.length / 2)]!
    if (kind === 'ok') return ok
    if (kind === 'partial') return failing([middle.partition, middle.offset])
    if (kind === 'malformed') return {ok: true, payload: {batchItemFailures: [{itemIdentifier: nameOf(middle)}]}}
    if (kind === 'throws' || signal.aborted) throw new Error('no sandbox')
    return {ok: false, kind, message: kind}
  }

  /** What the function itself knows to have processed. */
  const note = (call: Call, invocation: Invocation) => {
    if (!invocation.ok) return
    const failures = schedule.rules.reportBatchItemFailures ? ((invocation.payload as any)?.batchItemFailures ?? []) : []
    const identifiers = failures.map(({itemIdentifier}: any) => itemIdentifier)
    if (identifiers.some((identifier: unknown) => typeof identifier === 'string')) return
    for (const found of call.records) {
      const failed = identifiers.some(
        ({partition, offset}: any) => partition === `${TOPIC}-${found.partition}` && found.offset >= offset,
      )
      if (!failed) delivered.add(nameOf(found))
    }
  }

  for (const stopAfter of [...schedule.stops, Infinity]) {
    let calledNow = 0
    const mapping = world({
      logs,
      clock,
      committed,
      rules: {
        ...schedule.rules,
        filters: schedule.filtered ? compileFilters(['{"value":["keep"]}']) : [],
        maximumRecordAgeMs: schedule.old ? 1_000_000_000_000 : Infinity,
      },
      fetchLimit: schedule.fetchLimit,
      async handler({call, signal}) {
        calls.push(call)
        calledNow++
        const invocation = await answer(call, signal)
        note(call, invocation)
        return invocation
      },
      async destination(failed) {
        if (destinationDown!()) throw new Error('destination down')
        givenUp.push(failed)
      },
      commit() {
        if (commitDown!()) throw new Error('coordinator down')
      },
      fetch() {
        if (fetchDown!()) throw new Error('broker down')
      },
    })
    const before = new Map(committed)
    await mapping.run(() => mapping.allCommitted() || calledNow >= stopAfter)
    for (const [partition, offset] of before) expect(committed.get(partition)).toBeGreaterThanOrEqual(offset)
    if (mapping.allCommitted()) break
  }
  return {logs, all, poison, calls, delivered, givenUp, committed}
}

describe('any schedule of failures, restarts and bisects', () => {
  it(`delivers each record at least once or gives it up, in the order of its partition (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(schedules, async (schedule) => {
        const {all, poison, calls, delivered, givenUp} = await live(schedule)
        const wanted = all.filter(({value}) => value!.toString() === 'keep')
        const handedOver = new Set(givenUp.flatMap(({records}) => records.map(nameOf)))

        const names = new Set(wanted.map(nameOf))
        const old = wanted.filter(({timestamp}) => timestamp === 0).map(nameOf)
        expect({
          lost: [...names].filter((name) => !delivered.has(name) && !handedOver.has(name)),
          unasked: [...delivered, ...handedOver].filter((name) => !names.has(name)),
          oldButSent: old.filter((name) => delivered.has(name) || !handedOver.has(name)),
          poisonDelivered: [...poison].filter((name) => delivered.has(name)),
          tooLarge: calls.filter((call) => call.records.length > schedule.rules.batchSize),
        }).toEqual({lost: [], unasked: [], oldButSent: [], poisonDelivered: [], tooLarge: []})
        expectOrder(calls)
      }),
      {seed, numRuns: runs},
    )
  }, 120_000)

  it(`hands over exactly the records that it gives up when it is not stopped (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(schedules, async (schedule) => {
        const {all, delivered, givenUp} = await live({...schedule, stops: [], commitDown: []})
        const wanted = all.filter(({value}) => value!.toString() === 'keep').map(nameOf)
        const handedOver = givenUp.flatMap(({records}) => records.map(nameOf))

        expect([...handedOver].sort()).toEqual(wanted.filter((name) => !delivered.has(name)).sort())
      }),
      {seed, numRuns: runs},
    )
  }, 120_000)
})

/** In a partition, one invocation at a time, offsets ascending in each, and no record sent for the first time before an earlier one. */
function expectOrder(calls: readonly Call[]): void {
  const partitions = new Set(calls.flatMap((call) => call.records.map(({partition}) => partition)))
  for (const partition of partitions) {
    const own = calls.filter((call) => call.records.some((found) => found.partition === partition))
    const firsts = new Map<number, number>()
    for (const [index, call] of own.entries()) {
      const offsets = call.records.filter((found) => found.partition === partition).map(({offset}) => offset)
      const ascending = offsets.every((offset, at) => at === 0 || offset > offsets[at - 1]!)
      const alone = index === 0 || call.at >= own[index - 1]!.endedAt!
      expect({ascending, alone}).toEqual({ascending: true, alone: true})
      for (const offset of offsets) if (!firsts.has(offset)) firsts.set(offset, index)
    }
    const inOrder = [...firsts].sort(([a], [b]) => a - b).map(([, index]) => index)
    expect(inOrder, 'first sent in the order of offsets').toEqual([...inOrder].sort((a, b) => a - b))
  }
}
