import {describe, expect, it} from 'vitest'
import {lambdaOf, wanted, worldOf} from '../../support/esm-world.js'
import {roleNotReady, throttle} from '../../support/scripted-lambda.js'

const ORDERS = wanted('f', 'orders')

describe('a throttled create', () => {
  it('is sent until it is taken', async () => {
    const server = await lambdaOf()
    server.script('create', ...Array.from({length: 7}, () => throttle()))
    const world = await worldOf(server)

    const [outcome] = await world.attach([ORDERS])

    expect(outcome).toMatchObject({result: 'created', retries: 7})
    expect(server.count('create', 429)).toBe(7)
    expect(server.mappings.size).toBe(1)
  })

  it('waits as long as Retry-After says', async () => {
    const server = await lambdaOf()
    server.script('create', throttle(30))
    const world = await worldOf(server)

    await world.attach([ORDERS])

    expect(world.slept.some((ms) => ms >= 30_000)).toBe(true)
    const [first, second] = server.calls.filter(({operation}) => operation === 'create')
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(30_000 / 100 - 1)
  })

  it('fails at once without retries', async () => {
    const server = await lambdaOf()
    server.script('create', throttle())
    const world = await worldOf(server, {retry: false})

    const [outcome] = await world.attach([ORDERS])

    expect(outcome).toMatchObject({result: 'failed', error: {code: 'THROTTLED', exitCode: 5}})
    expect(server.count('create')).toBe(1)
  })

  it('fails at the deadline with what AWS said', async () => {
    const server = await lambdaOf()
    server.script('create', ...Array.from({length: 100}, () => throttle()))
    const world = await worldOf(server, {deadlineMs: 50})

    const [outcome] = await world.attach([ORDERS])

    expect(outcome).toMatchObject({result: 'failed', error: {code: 'THROTTLED'}})
  })
})

describe('a create whose answer was lost', () => {
  it.each([
    ['by a reset', {reset: true, apply: true} as const],
    ['by a 500', {status: 500, type: 'ServiceException', apply: true} as const],
  ])('%s is found, not sent again', async (_, fault) => {
    const server = await lambdaOf()
    server.script('create', fault)
    const world = await worldOf(server)

    const [outcome] = await world.attach([ORDERS])

    expect(outcome).toMatchObject({result: 'created', uuid: [...server.mappings.keys()][0]})
    expect(server.count('create')).toBe(1)
    expect(server.mappings.size).toBe(1)
  })

  it('is sent again when it had not been carried out', async () => {
    const server = await lambdaOf()
    server.script('create', {reset: true})
    const world = await worldOf(server)

    expect(await world.attach([ORDERS])).toMatchObject([{result: 'created'}])
    expect(server.count('create')).toBe(2)
  })

  it('is known by its tags when a list does not show it yet', async () => {
    const server = await lambdaOf()
    server.script('create', {reset: true, apply: true})
    server.script('list', undefined, {status: 500, type: 'ServiceException'})
    const world = await worldOf(server)

    expect(await world.attach([ORDERS])).toMatchObject([{result: 'created'}])
    expect(server.mappings.size).toBe(1)
  })

  it('is found even without retries', async () => {
    const server = await lambdaOf()
    server.script('create', {reset: true, apply: true})
    const world = await worldOf(server, {retry: false})

    expect(await world.attach([ORDERS])).toMatchObject([{result: 'created'}])
  })
})

describe('a mapping that somebody made in between', () => {
  it('is taken when it is as wanted', async () => {
    const server = await lambdaOf()
    const world = await worldOf(server)
    server.script('list', {status: 200, type: ''})
    const there = server.put('f', 'orders', {BatchSize: 100})

    const outcomes = await world.attach([wanted('f', 'orders', {settings: {batchSize: 100}})])

    expect(outcomes).toMatchObject([{result: 'unchanged', uuid: there.UUID}])
    expect(server.count('create', 409)).toBe(1)
  })

  it('is a conflict that names each field when it is not', async () => {
    const server = await lambdaOf()
    const world = await worldOf(server)
    server.script('list', {status: 200, type: ''})
    server.put('f', 'orders', {BatchSize: 7, StartingPosition: 'LATEST'})

    const [outcome] = await world.attach([wanted('f', 'orders', {settings: {batchSize: 100}, startingPosition: 'TRIM_HORIZON'})])

    expect(outcome!.error).toMatchObject({exitCode: 6, code: 'MAPPING_IMMUTABLE'})
    expect(outcome!.error!.message).toContain('startingPosition is "LATEST", not "TRIM_HORIZON"; batchSize is 7, not 100')
    expect(server.count('update')).toBe(0)
  })

  it('is a conflict with both names when it is of another function with the same group', async () => {
    const server = await lambdaOf()
    const world = await worldOf(server)
    server.script('list', {status: 200, type: ''})
    server.put('other', 'orders', {AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'f.orders'}})

    const [outcome] = await world.attach([ORDERS])

    expect(outcome!.error).toMatchObject({exitCode: 6, code: 'MAPPING_GROUP'})
    expect(outcome!.error!.message).toMatch(/"f\.orders".*"f < orders".*"other < orders"/)
  })
})

describe('an existing mapping', () => {
  it('of skk is updated to what is wanted, and only in that', async () => {
    const server = await lambdaOf()
    const world = await worldOf(server)
    await world.attach([wanted('f', 'orders', {settings: {batchSize: 10, filters: ['{}']}})])

    const again = await world.attach([wanted('f', 'orders', {settings: {batchSize: 20}})])

    expect(again).toMatchObject([{result: 'updated', differences: [{field: 'batchSize', existing: 10, wanted: 20}]}])
    expect([...server.mappings.values()]).toMatchObject([{BatchSize: 20, FilterCriteria: {Filters: [{Pattern: '{}'}]}}])
  })

  it('of others is changed only with --adopt, and is ours from then on', async () => {
    const server = await lambdaOf()
    server.put('f', 'orders', {BatchSize: 5})
    const plan = [wanted('f', 'orders', {settings: {batchSize: 6}})]

    expect(await (await worldOf(server)).attach(plan)).toMatchObject([{error: {code: 'MAPPING_FOREIGN', exitCode: 6}}])
    expect(await (await worldOf(server, {options: {adopt: true}})).attach(plan)).toMatchObject([{result: 'adopted'}])
    expect(await (await worldOf(server)).attach([wanted('f', 'orders', {settings: {batchSize: 7}})])).toMatchObject([
      {error: {code: 'MAPPING_FOREIGN'}},
    ])
  })

  it('of CloudFormation is changed only with --force', async () => {
    const server = await lambdaOf()
    const there = server.put('f', 'orders', {BatchSize: 5, Tags: {'aws:cloudformation:stack-name': 's'}})
    const plan = [wanted('f', 'orders', {settings: {batchSize: 6}})]

    expect(await (await worldOf(server, {options: {adopt: true}})).attach(plan)).toMatchObject([
      {error: {code: 'MAPPING_CLOUDFORMATION', exitCode: 6}},
    ])
    expect(await (await worldOf(server, {options: {adopt: true, force: true}})).attach(plan)).toMatchObject([{result: 'adopted'}])
    expect(there.BatchSize).toBe(6)
  })

  it('is made anew with --replace, in the same consumer group', async () => {
    const server = await lambdaOf({deleteMs: 20})
    const world = await worldOf(server, {options: {replace: true}})
    await world.attach([wanted('f', 'orders', {group: 'g', startingPosition: 'LATEST'})])

    const again = await world.attach([wanted('f', 'orders', {startingPosition: 'TRIM_HORIZON'})])

    expect(again).toMatchObject([{result: 'replaced'}])
    expect([...server.mappings.values()]).toMatchObject([
      {StartingPosition: 'TRIM_HORIZON', AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g'}},
    ])
  })

  it('that is being deleted is waited for', async () => {
    const server = await lambdaOf({deleteMs: 50})
    const world = await worldOf(server)
    const [first] = await world.attach([ORDERS])
    await fetch(`${server.url}/2015-03-31/event-source-mappings/${first!.uuid}`, {method: 'DELETE'})

    const again = await world.attach([ORDERS])

    expect(again).toMatchObject([{result: 'created'}])
    expect(again[0]!.uuid).not.toBe(first!.uuid)
    expect([...server.mappings.keys()]).toEqual([again[0]!.uuid])
  })
})

it('a role that IAM has not spread yet is waited for', async () => {
  const server = await lambdaOf()
  server.script('create', roleNotReady, roleNotReady, roleNotReady)
  const world = await worldOf(server)

  expect(await world.attach([ORDERS])).toMatchObject([{result: 'created', retries: 3}])
})

it('what AWS refuses for good is not sent again', async () => {
  const server = await lambdaOf({missing: ['f']})
  const world = await worldOf(server)

  const outcomes = await world.attach([ORDERS, wanted('g', 'orders')])

  expect(outcomes).toMatchObject([{result: 'failed', error: {exitCode: 3}}, {result: 'created'}])
  expect(server.count('create')).toBe(2)
})

it('two that attach the same 16 at once make 16, and both succeed', async () => {
  const server = await lambdaOf({latencyMs: 2})
  const plan = Array.from({length: 16}, (_, i) => wanted('f', `topic-${i}`, {settings: {batchSize: 10}}))
  const worlds = await Promise.all([worldOf(server, {run: 'one'}), worldOf(server, {run: 'two'})])

  const outcomes = (await Promise.all(worlds.map((world) => world.attach(plan)))).flat()

  expect(outcomes.filter(({result}) => result === 'failed')).toEqual([])
  expect(outcomes.filter(({result}) => result === 'created')).toHaveLength(16)
  expect(server.mappings.size).toBe(16)
})
