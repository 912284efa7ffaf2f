import {describe, expect, it} from 'vitest'

import {doomedBy, type ExistingTopic, overQuota, planTopics} from '../../../../src/lib/kafka/topics/plan.js'

const existing = (name: string, partitions: number, own: Record<string, string> = {}): ExistingTopic => ({
  name,
  partitions,
  configs: new Map<string, {value: string; own: boolean}>([
    ['retention.ms', {value: '604800000', own: false}],
    ['cleanup.policy', {value: 'delete', own: false}],
    ...Object.entries(own).map(([key, value]) => [key, {value, own: true}] as const),
  ]),
})
const plan = (declared: Parameters<typeof planTopics>[0], there: ExistingTopic[], serverless = true) =>
  planTopics(declared, there, {serverless})

describe('a plan of topics', () => {
  it('creates what is missing, with one partition if the file does not say', () => {
    const [step] = plan([{name: 'a', config: {'retention.ms': '1', 'retention.bytes': null}}], [])

    expect(step).toMatchObject({
      action: 'create',
      changes: [
        {field: 'partitions', from: null, to: 1},
        {field: 'retention.ms', from: null, to: '1'},
      ],
    })
  })

  it('compares only what the file says', () => {
    const there = [existing('a', 4, {'retention.ms': '1'})]

    expect(plan([{name: 'a', config: {}}], there)).toEqual([{name: 'a', action: 'keep', changes: []}])
    expect(plan([{name: 'a', partitions: 4, config: {'cleanup.policy': 'delete'}}], there)[0]!.action).toBe('keep')
  })

  it('widens, sets and resets', () => {
    const there = [existing('a', 4, {'retention.ms': '1', 'retention.bytes': '5'})]

    const steps = plan([{name: 'a', partitions: 6, config: {'retention.ms': '2', 'retention.bytes': null}}], there)

    expect(steps).toEqual([
      {
        name: 'a',
        action: 'alter',
        changes: [
          {field: 'partitions', from: 4, to: 6},
          {field: 'retention.ms', from: '1', to: '2'},
          {field: 'retention.bytes', from: '5', to: null},
        ],
      },
    ])
  })

  it('refuses fewer partitions, and on Serverless what only a creation sets', () => {
    const there = [existing('a', 4)]

    expect(plan([{name: 'a', partitions: 3, config: {}}], there)[0]).toMatchObject({action: 'refuse', reason: /only become more/})
    const policy = [{name: 'a', config: {'cleanup.policy': 'compact'}}]
    expect(plan(policy, there)[0]).toMatchObject({action: 'refuse', reason: expect.stringContaining('cleanup.policy')})
    expect(plan(policy, there, false)[0]).toMatchObject({action: 'alter'})
  })

  it('dooms only what is inside the prefix and not internal', () => {
    const names = ['shop.a', 'shop.b', 'other', '__consumer_offsets']

    expect(doomedBy('shop.', [{name: 'shop.a', config: {}}], names)).toEqual(['shop.b'])
    expect(doomedBy('_', [], names)).toEqual([])
  })
})

describe('the quota of partitions', () => {
  const create = (partitions: number, config: Record<string, string> = {}) => plan([{name: 'new', partitions, config}], [])

  it('counts what there is, what is added and what goes', () => {
    expect(overQuota(create(2400), [])).toBeUndefined()
    expect(overQuota(create(2400), [existing('old', 1)])).toContain('2401 partitions, and MSK Serverless allows 2400')
    const gone = {name: 'old', action: 'delete' as const, changes: []}
    expect(overQuota([...create(2400), gone], [existing('old', 1)])).toBeUndefined()
  })

  it('is another for compacted topics', () => {
    expect(overQuota(create(120, {'cleanup.policy': 'compact'}), [existing('old', 2400)])).toBeUndefined()
    expect(overQuota(create(1, {'cleanup.policy': 'compact'}), [existing('old', 120, {'cleanup.policy': 'compact'})])).toContain(
      '121',
    )
  })

  it('is no reason against a plan that adds none', () => {
    expect(overQuota(plan([{name: 'old', config: {}}], [existing('old', 3000)]), [existing('old', 3000)])).toBeUndefined()
  })
})
