import {
  CreateAliasCommand,
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  DeleteEventSourceMappingCommand,
  type LambdaClient,
  ListEventSourceMappingsCommand,
  ListTagsCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda'
import {describe, expect, it, vi} from 'vitest'

import {lambdaClient, newFunction} from '../../../support/lambda.js'
import {newMapping, stateOf, untilState} from '../../../support/mapped-topic.js'
import {stack, temporaryDataDir} from '../../../support/stack.js'

async function withFunction(options: Parameters<typeof stack>[0] = {}) {
  const local = await stack({lambdaRate: 1000, ...options})
  const client = lambdaClient(local)
  await client.send(new CreateFunctionCommand(newFunction('f', 'export const handler = async () => {}')))
  return {local, client, create: (rest: Record<string, unknown> = {}) => create(client, local, rest)}
}

const create = (client: LambdaClient, local: Parameters<typeof newMapping>[0], rest: Record<string, unknown>) =>
  client.send(new CreateEventSourceMappingCommand({...newMapping(local), ...rest}))

const nameOf = (error: Error) => error.name

describe('an event-source mapping', () => {
  it('is Creating, Enabled, Disabling, Disabled, Enabling, Deleting and gone', async () => {
    const {client, create} = await withFunction({createDelayMs: 200})

    const {UUID: uuid, ...created} = await create()

    expect(created).toMatchObject({
      State: 'Creating',
      BatchSize: 100,
      LastProcessingResult: 'No records processed',
      $metadata: {httpStatusCode: 202},
    })
    await untilState(client, uuid!, 'Enabled')
    expect((await client.send(new UpdateEventSourceMappingCommand({UUID: uuid, Enabled: false}))).State).toBe('Disabling')
    await untilState(client, uuid!, 'Disabled')
    expect((await client.send(new UpdateEventSourceMappingCommand({UUID: uuid, Enabled: true}))).State).toBe('Enabling')
    await untilState(client, uuid!, 'Enabled')
    expect((await client.send(new UpdateEventSourceMappingCommand({UUID: uuid, BatchSize: 7}))).State).toBe('Updating')
    const busy = client.send(new DeleteEventSourceMappingCommand({UUID: uuid}))
    await expect(busy).rejects.toMatchObject({name: 'ResourceInUseException', $metadata: {httpStatusCode: 400}})
    await untilState(client, uuid!, 'Enabled')
    expect((await client.send(new DeleteEventSourceMappingCommand({UUID: uuid}))).State).toBe('Deleting')
    expect((await stateOf(client, uuid!)).State).toBe('Deleting')
    await expect(create()).rejects.toMatchObject({name: 'ResourceConflictException'})
    await vi.waitFor(
      () =>
        expect(stateOf(client, uuid!)).rejects.toMatchObject({
          name: 'ResourceNotFoundException',
          message: 'The resource you requested does not exist.',
        }),
      {timeout: 30_000, interval: 50},
    )
  })

  it('shows what it was given', async () => {
    const {local, create} = await withFunction()

    const created = await create({
      BatchSize: 10,
      MaximumBatchingWindowInSeconds: 3,
      StartingPosition: 'AT_TIMESTAMP',
      StartingPositionTimestamp: new Date(1_700_000_000_500),
      AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g'},
      FilterCriteria: {Filters: [{Pattern: '{"value":{"a":[1]}}'}]},
      DestinationConfig: {OnFailure: {Destination: 'arn:aws:s3:::failed'}},
      ProvisionedPollerConfig: {MinimumPollers: 2, MaximumPollers: 5},
      MaximumRetryAttempts: 3,
      MaximumRecordAgeInSeconds: 60,
      BisectBatchOnFunctionError: true,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      MetricsConfig: {Metrics: ['EventCount']},
      LoggingConfig: {SystemLogLevel: 'DEBUG'},
      Enabled: false,
    })

    expect(created).toMatchObject({
      EventSourceMappingArn: `arn:aws:lambda:us-east-1:123456789012:event-source-mapping:${created.UUID}`,
      EventSourceArn: local.clusterArn,
      FunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:f',
      Topics: ['orders'],
      BatchSize: 10,
      MaximumBatchingWindowInSeconds: 3,
      StartingPosition: 'AT_TIMESTAMP',
      StartingPositionTimestamp: new Date(1_700_000_000_500),
      AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g'},
      FilterCriteria: {Filters: [{Pattern: '{"value":{"a":[1]}}'}]},
      DestinationConfig: {OnFailure: {Destination: 'arn:aws:s3:::failed'}},
      ProvisionedPollerConfig: {MinimumPollers: 2, MaximumPollers: 5},
      MaximumRetryAttempts: 3,
      MaximumRecordAgeInSeconds: 60,
      BisectBatchOnFunctionError: true,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      MetricsConfig: {Metrics: ['EventCount']},
      LoggingConfig: {SystemLogLevel: 'DEBUG'},
    })
    expect(created.LastModified!.getTime()).toBeGreaterThan(Date.now() - 60_000)
  })

  it('has its UUID as its group by default, and no window of its own', async () => {
    const {create} = await withFunction()

    const created = await create({MaximumBatchingWindowInSeconds: undefined})

    expect(created.AmazonManagedKafkaEventSourceConfig).toEqual({ConsumerGroupId: created.UUID})
    expect(created.MaximumBatchingWindowInSeconds).toBeUndefined()
  })

  it.each([
    ['no topic', {Topics: []}, /exactly one topic/],
    ['a topic with a slash', {Topics: ['a/b']}, /'topics'/],
    ['no position', {StartingPosition: undefined}, /'startingPosition'/],
    ['another position', {StartingPosition: 'EARLIEST'}, /'startingPosition'/],
    ['no timestamp', {StartingPosition: 'AT_TIMESTAMP'}, /StartingPositionTimestamp/],
    [
      'a timestamp in the future',
      {StartingPosition: 'AT_TIMESTAMP', StartingPositionTimestamp: new Date(Date.now() + 60_000)},
      /future/,
    ],
    [
      'a batch of 0',
      {BatchSize: 0},
      /'batchSize' failed to satisfy constraint: Member must have value greater than or equal to 1/,
    ],
    ['a batch of 10,001', {BatchSize: 10_001}, /less than or equal to 10000/],
    ['a window of 301 s', {MaximumBatchingWindowInSeconds: 301}, /less than or equal to 300/],
    ['10,001 retries', {MaximumRetryAttempts: 10_001}, /less than or equal to 10000/],
    ['an age of 59 s', {MaximumRecordAgeInSeconds: 59}, /MaximumRecordAgeInSeconds/],
    ['another response type', {FunctionResponseTypes: ['All']}, /ReportBatchItemFailures/],
    ['six filters', {FilterCriteria: {Filters: Array(6).fill({Pattern: '{}'})}}, /at most 5/],
    ['a filter that is no JSON', {FilterCriteria: {Filters: [{Pattern: '{'}]}}, /Invalid filter pattern definition/],
    [
      'a destination on EventBridge',
      {DestinationConfig: {OnFailure: {Destination: 'arn:aws:events:us-east-1:123456789012:event-bus/x'}}},
      /destination/,
    ],
    ['a bucket that is a path', {DestinationConfig: {OnFailure: {Destination: 'arn:aws:s3:::../..'}}}, /destination/],
    [
      'its own topic as destination',
      {DestinationConfig: {OnFailure: {Destination: 'kafka://orders'}}},
      /topic of the event source/,
    ],
    ['more pollers at least than at most', {ProvisionedPollerConfig: {MinimumPollers: 5, MaximumPollers: 2}}, /MinimumPollers/],
    ['a parameter of other sources', {ParallelizationFactor: 2}, /Unsupported ParallelizationFactor parameter/],
    ['a group with a space', {AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'a b'}}, /'consumerGroupId'/],
    ['a cluster that is not there', {EventSourceArn: 'arn:aws:kafka:us-east-1:123456789012:cluster/x/y-s1'}, /no MSK cluster/],
  ])('with %s is refused', async (_, rest, message) => {
    const {client, create} = await withFunction()

    await expect(create(rest)).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: expect.stringMatching(message),
      $metadata: {httpStatusCode: 400},
    })

    expect((await client.send(new ListEventSourceMappingsCommand())).EventSourceMappings).toEqual([])
  })

  it('needs its function', async () => {
    const {create} = await withFunction()

    await expect(create({FunctionName: 'g'})).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: expect.stringContaining(':function:g'),
    })
  })

  it('is there once: a second of the same function and topic, or of the same group, is told the first', async () => {
    const {client, local, create} = await withFunction()
    await client.send(new CreateFunctionCommand(newFunction('g', '')))
    const {UUID} = await create({AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g1'}})

    await expect(create()).rejects.toMatchObject({
      name: 'ResourceConflictException',
      message: `An event source mapping with event source arn ("${local.clusterArn}"), function ("arn:aws:lambda:us-east-1:123456789012:function:f") and topics ("orders") already exists. Please update or delete the existing mapping with UUID ${UUID}`,
    })
    await expect(create({FunctionName: 'g', AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g1'}})).rejects.toMatchObject(
      {
        name: 'ResourceConflictException',
        message: expect.stringMatching(new RegExp(`consumerGroupId \\("g1"\\) already exists.*with UUID ${UUID}$`)),
      },
    )
    await create({FunctionName: 'g'})
    await create({Topics: ['other']})
  })

  it('created many times at once is created once', async () => {
    const {create} = await withFunction()

    const answers = await Promise.allSettled(Array.from({length: 20}, () => create()))

    expect(answers.filter(({status}) => status === 'fulfilled')).toHaveLength(1)
    expect(new Set(answers.flatMap((answer) => (answer.status === 'rejected' ? [nameOf(answer.reason)] : [])))).toEqual(
      new Set(['ResourceConflictException']),
    )
  })

  it('is listed by function, alias and source, page by page', async () => {
    const {client, local, create} = await withFunction()
    await client.send(new CreateAliasCommand({FunctionName: 'f', Name: 'live', FunctionVersion: '$LATEST'}))
    const topics = ['a1', 'b1', 'c1', 'd1', 'e1']
    for (const topic of topics) await create({Topics: [topic]})
    await create({FunctionName: 'f:live', Topics: ['live']})
    const listed = async (input: object) => {
      const found: string[] = []
      let Marker: string | undefined
      do {
        const page = await client.send(new ListEventSourceMappingsCommand({...input, MaxItems: 2, ...(Marker && {Marker})}))
        found.push(...page.EventSourceMappings!.map(({Topics}) => Topics![0]!))
        Marker = page.NextMarker
      } while (Marker)
      return found.sort()
    }

    expect(await listed({})).toEqual([...topics, 'live'])
    expect(await listed({FunctionName: 'f'})).toEqual(topics)
    expect(await listed({FunctionName: 'arn:aws:lambda:us-east-1:123456789012:function:f:live'})).toEqual(['live'])
    expect(await listed({EventSourceArn: `${local.clusterArn}x`})).toEqual([])
  })

  it('takes back what an empty object unsets, and keeps its group', async () => {
    const {client, create} = await withFunction()
    const {UUID} = await create({
      FilterCriteria: {Filters: [{Pattern: '{"value":{"a":[1]}}'}]},
      DestinationConfig: {OnFailure: {Destination: 'arn:aws:s3:::failed'}},
      ProvisionedPollerConfig: {MinimumPollers: 1},
    })
    await untilState(client, UUID!, 'Enabled')

    const updated = await client.send(
      new UpdateEventSourceMappingCommand({UUID, FilterCriteria: {}, DestinationConfig: {}, ProvisionedPollerConfig: {}}),
    )
    expect(updated.FilterCriteria).toBeUndefined()
    expect(updated.DestinationConfig?.OnFailure?.Destination).toBeUndefined()
    expect(updated.ProvisionedPollerConfig).toBeUndefined()
    await untilState(client, UUID!, 'Enabled')
    const attempt = client.send(
      new UpdateEventSourceMappingCommand({UUID, AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'x'} as never}),
    )
    await expect(attempt).rejects.toMatchObject({name: 'InvalidParameterValueException'})
  })

  it('has tags', async () => {
    const {client, create} = await withFunction()
    const {EventSourceMappingArn: Resource} = await create({Tags: {a: '1', b: '2'}})

    await client.send(new TagResourceCommand({Resource, Tags: {c: '3'}}))
    await client.send(new UntagResourceCommand({Resource, TagKeys: ['a']}))

    expect((await client.send(new ListTagsCommand({Resource}))).Tags).toEqual({b: '2', c: '3'})
  })

  it('is there after a restart', async () => {
    const dataDir = await temporaryDataDir()
    const {local, create} = await withFunction({dataDir})
    const {UUID} = await create({Enabled: false, BatchSize: 9})
    await local.stop()

    const client = lambdaClient(await stack({dataDir}))

    expect(await stateOf(client, UUID!)).toMatchObject({State: 'Disabled', BatchSize: 9})
  })
})
