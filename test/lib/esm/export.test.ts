import {describe, expect, it} from 'vitest'
import {parse} from 'yaml'

import {exportMappings} from '../../../src/lib/esm/export.js'
import {wanted} from '../../support/esm-world.js'

const plan = [
  wanted('orders', 'placed', {
    startingPosition: 'AT_TIMESTAMP',
    startingTime: '2026-11-21T10:00:00.000Z',
    settings: {batchSize: 500, filters: ['{"value":{"x":["%{a}"]}}'], onFailure: 'kafka://dead', pollers: {min: 1, max: 2}},
    tags: {team: 'a'},
  }),
  wanted('orders:live', 'placed'),
  wanted('orders', 'placed-', {settings: {enabled: false, reportBatchItemFailures: true}}),
  wanted('orders', 'shipped'),
]

describe('mappings as CloudFormation', () => {
  it('are the properties of the API, each after the one before', async () => {
    const template = parse(await exportMappings(plan, 'cfn'))

    expect(Object.keys(template.Resources)).toEqual(['OrdersPlaced', 'OrdersLivePlaced', 'OrdersPlacedN2', 'OrdersShipped'])
    expect(template.Resources.OrdersPlaced).toEqual({
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: {
        FunctionName: 'orders',
        EventSourceArn: plan[0]!.eventSourceArn,
        Topics: ['placed'],
        StartingPosition: 'AT_TIMESTAMP',
        StartingPositionTimestamp: Date.parse('2026-11-21T10:00:00Z') / 1000,
        AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'orders.placed'},
        BatchSize: 500,
        FilterCriteria: {Filters: [{Pattern: '{"value":{"x":["%{a}"]}}'}]},
        DestinationConfig: {OnFailure: {Destination: 'kafka://dead'}},
        ProvisionedPollerConfig: {MinimumPollers: 1, MaximumPollers: 2},
        Tags: [{Key: 'team', Value: 'a'}],
      },
    })
    expect(Object.values<{DependsOn?: string}>(template.Resources).map(({DependsOn}) => DependsOn)).toEqual([
      undefined,
      'OrdersPlaced',
      'OrdersLivePlaced',
      'OrdersPlacedN2',
    ])
  })

  it('are in as many chains as wanted', async () => {
    const template = parse(await exportMappings(plan, 'sam', 2))

    expect(template.Transform).toBe('AWS::Serverless-2016-10-31')
    expect(template.Resources.OrdersPlacedN2.DependsOn).toBe('OrdersPlaced')
    expect(template.Resources.OrdersShipped.DependsOn).toBe('OrdersLivePlaced')
  })
})

it('mappings as Terraform are chained, and nothing in them is taken for a template', async () => {
  const text = await exportMappings(plan, 'terraform')

  expect(text).toContain(`resource "aws_lambda_event_source_mapping" "OrdersPlaced" {
  function_name = "orders"
  event_source_arn = "${plan[0]!.eventSourceArn}"
  topics = ["placed"]
  starting_position = "AT_TIMESTAMP"
  starting_position_timestamp = "2026-11-21T10:00:00.000Z"
  batch_size = 500
  amazon_managed_kafka_event_source_config {
    consumer_group_id = "orders.placed"
  }
  filter_criteria {
    filter {
      pattern = "{\\"value\\":{\\"x\\":[\\"%%{a}\\"]}}"
    }
  }
`)
  expect(text).toContain('  depends_on = [aws_lambda_event_source_mapping.OrdersPlaced]\n}')
  expect(text).toContain('  enabled = false\n')
})
