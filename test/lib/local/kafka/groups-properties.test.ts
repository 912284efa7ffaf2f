import fc from 'fast-check'
import {afterEach, beforeEach, expect, it, vi} from 'vitest'

import type {GroupCoordinator} from '../../../../src/lib/local/kafka/groups.js'
import {coordinator, joinRequest} from '../../../support/group-client.js'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

type Step =
  | {act: 'join'; who: number; version: number; isStatic: boolean; protocol: string}
  | {act: 'sync' | 'heartbeat' | 'leave'; who: number; isStatic: boolean; lag: number}
  | {act: 'wait'; ms: number}

const who = fc.nat({max: 3})
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('join' as const),
      who,
      version: fc.constantFrom(3, 5, 9),
      isStatic: fc.boolean(),
      protocol: fc.constantFrom('range', 'sticky', 'both'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constantFrom('sync' as const, 'heartbeat' as const, 'leave' as const),
      who,
      isStatic: fc.boolean(),
      lag: fc.constantFrom(0, 0, 0, 1),
    }),
  },
  {weight: 1, arbitrary: fc.record({act: fc.constant('wait' as const), ms: fc.constantFrom(1, 5_000, 12_000)})},
)

/** Clients that do anything in any order; what they were answered, and how many still wait. */
class Clients {
  readonly groups: GroupCoordinator
  readonly #ids: string[] = ['', '', '', '']
  #generation = 0
  waiting = 0

  constructor(groups: GroupCoordinator) {
    this.groups = groups
  }

  async do(next: Step): Promise<void> {
    if (next.act === 'wait') await vi.advanceTimersByTimeAsync(next.ms)
    else if (next.act === 'join') this.#join(next)
    else this.#other(next)
    for (let tick = 0; tick < 5; tick++) await Promise.resolve()
  }

  #join({who: index, version, isStatic, protocol}: Extract<Step, {act: 'join'}>): void {
    const names = protocol === 'both' ? ['range', 'sticky'] : [protocol]
    const protocols = names.map((name) => ({name, metadata: Buffer.from(name)}))
    const request = joinRequest({memberId: this.#ids[index]!, groupInstanceId: isStatic ? `i${index}` : null, protocols})
    this.#await(this.groups.join(request, {clientId: `c${index}`, clientHost: '/127.0.0.1', version}), (answer) => {
      this.#ids[index] = answer.errorCode === 25 ? '' : answer.memberId
      this.#generation = Math.max(this.#generation, answer.generationId ?? 0)
      if (answer.errorCode === 0) expect(answer.members.length > 0).toBe(answer.leader === answer.memberId)
    })
  }

  #other({act, who: index, isStatic, lag}: Exclude<Step, {act: 'join' | 'wait'}>): void {
    const groupInstanceId = isStatic ? `i${index}` : null
    const request = {groupId: 'g', memberId: this.#ids[index]!, groupInstanceId, generationId: this.#generation - lag}
    if (act === 'heartbeat') expect([0, 22, 25, 27, 82]).toContain(this.groups.heartbeat(request))
    if (act === 'leave') expect([0, 25, 82]).toContain(this.groups.leave('g', request))
    if (act === 'sync') this.#await(this.groups.sync({...request, protocolType: null, protocolName: null, assignments: []}))
  }

  #await<Answer extends {errorCode: number}>(answer: Answer | Promise<Answer>, then: (answer: Answer) => void = () => {}): void {
    this.waiting++
    Promise.resolve(answer).then((answered) => {
      this.waiting--
      then(answered)
    })
  }
}

it('left alone, whatever was asked of a group is answered and the group becomes empty', async () => {
  const property = fc.asyncProperty(fc.array(step, {maxLength: 40}), async (steps) => {
    const {groups} = coordinator()
    const clients = new Clients(groups)
    for (const next of steps) await clients.do(next)

    await vi.advanceTimersByTimeAsync(900_000)

    expect(clients.waiting).toBe(0)
    expect(['Empty', 'Dead']).toContain(groups.describe('g').groupState)
    expect(vi.getTimerCount()).toBe(0)
  })
  await fc.assert(property, {numRuns: 500})
})
