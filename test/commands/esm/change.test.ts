import {describe, expect, it} from 'vitest'

import {esmCli, ON_AWS} from '../../support/esm-cli.js'
import {lagMetrics, scriptedCloudWatch} from '../../support/scripted-cloudwatch.js'
import {throttle} from '../../support/scripted-lambda.js'

describe('esm list and describe', () => {
  it('show state and health', async () => {
    const {esm, server} = await esmCli({lastProcessingResult: 'PROBLEM: SASL authentication failed.'})
    const there = server.put('orders', 'placed', {AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g'}, Tags: {team: 'a'}})
    server.put('bills', 'placed', {Enabled: false})

    const list = await esm('list')
    const described = await esm('describe', there.UUID, '--json')

    expect(list.stdout).toMatch(
      /FUNCTION +TOPIC +STATE +HEALTH.*\nbills +placed +Disabled +off.*\norders +placed +Enabled +has a problem/,
    )
    expect(JSON.parse(described.stdout)).toMatchObject({
      uuid: there.UUID,
      tags: {team: 'a'},
      health: {
        words: 'has a problem',
        cause: expect.stringContaining('may not connect'),
        fix: expect.stringContaining('Connect'),
      },
    })
  })

  it('describe has the lag of CloudWatch with its age where there is no route to the brokers', async () => {
    const seconds = Math.floor(Date.now() / 1000) - 120
    const {url} = await scriptedCloudWatch(lagMetrics({placed: {lag: 40}}, seconds))
    const {esm, server} = await esmCli({}, {...ON_AWS, AWS_ENDPOINT_URL_CLOUDWATCH: url})
    server.put('orders', 'placed', {AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g'}})

    const {stdout} = await esm('describe', '--function', 'orders')

    expect(stdout).toMatch(/^lag +40 records \(CloudWatch, 2m( \d+s)? ago\)$/m)
  })

  it('describe sums what CloudWatch counted of the mapping, and leaves out what it has no point of', async () => {
    const seconds = Math.floor(Date.now() / 1000) - 120
    const {url, asked} = await scriptedCloudWatch((_, {MetricDataQueries}) => ({
      body: {
        MetricDataResults: MetricDataQueries.map(({Id, MetricStat}: any) =>
          MetricStat.Metric.MetricName === 'DroppedEventCount'
            ? {Id, Values: [], Timestamps: []}
            : {Id, Values: [2, 40], Timestamps: [seconds, seconds - 60]},
        ),
      },
    }))
    const {esm, server} = await esmCli({}, {...ON_AWS, AWS_ENDPOINT_URL_CLOUDWATCH: url})
    const {UUID} = server.put('orders', 'placed', {MetricsConfig: {Metrics: ['EventCount', 'KafkaMetrics']}})

    const {stdout} = await esm('describe', '--function', 'orders', '--json')

    const {metricValues} = JSON.parse(stdout)
    expect(metricValues).toMatchObject({PolledEventCount: 42, FailedInvokeEventCount: 42, SumOffsetLag: 2})
    expect(metricValues).not.toHaveProperty('DroppedEventCount')
    const polled = asked
      .flatMap(({body}) => body.MetricDataQueries)
      .find((one) => one.MetricStat.Metric.MetricName === 'PolledEventCount')
    expect(polled.MetricStat.Metric.Dimensions).toEqual([{Name: 'EventSourceMappingUUID', Value: UUID}])
  })

  it('describe says why there are no metrics when CloudWatch refuses', async () => {
    const {url} = await scriptedCloudWatch(() => ({status: 403, body: {__type: 'AccessDenied', message: 'not authorized'}}))
    const {esm, server} = await esmCli({}, {...ON_AWS, AWS_ENDPOINT_URL_CLOUDWATCH: url})
    server.put('orders', 'placed', {MetricsConfig: {Metrics: ['EventCount']}})

    const {code, stdout, stderr} = await esm('describe', '--function', 'orders', '--json')

    expect(code).toBe(0)
    expect(JSON.parse(stdout).metricValues).toBeNull()
    expect(stderr).toContain('CloudWatch does not tell the metrics of the mapping: not authorized')
  })

  it('list everything of more than one page', async () => {
    const {esm, server} = await esmCli()
    for (let i = 0; i < 230; i++) server.put('f', `topic-${i}`)

    expect(JSON.parse((await esm('list', '--query', 'length(@)')).stdout)).toBe(230)
  })

  it('describe of none is 3, of several 2', async () => {
    const {esm, server} = await esmCli()
    server.put('f', 'a')
    server.put('f', 'b')

    expect(await esm('describe', '--function', 'g')).toMatchObject({code: 3})
    expect(await esm('describe', '--function', 'f')).toMatchObject({code: 2, stderr: expect.stringContaining('2 mappings match')})
  })
})

describe('esm pause and resume', () => {
  it('turn off and on, wait, and do nothing twice', async () => {
    const {esm, server} = await esmCli({updateMs: 200})
    const there = server.put('f', 'a')

    expect(await esm('pause', '--function', 'f')).toMatchObject({code: 0, stdout: expect.stringMatching(/paused +Disabled/)})
    expect(await esm('pause', '--function', 'f')).toMatchObject({code: 0, stdout: expect.stringMatching(/unchanged +Disabled/)})
    expect(server.count('update')).toBe(1)
    expect(await esm('resume', there.UUID)).toMatchObject({code: 0, stdout: expect.stringMatching(/resumed +Enabled/)})
  })

  it('of what CloudFormation made is 6 without --force', async () => {
    const {esm, server} = await esmCli()
    server.put('f', 'a', {Tags: {'aws:cloudformation:stack-name': 'shop'}})

    const refused = await esm('pause', '--function', 'f')

    expect(refused.code).toBe(6)
    expect(refused.stderr).toContain('CloudFormation (stack "shop") made "f < a"')
    expect(server.count('update')).toBe(0)
    expect(await esm('pause', '--function', 'f', '--force')).toMatchObject({code: 0})
  })
})

describe('esm update', () => {
  it('changes what is named, takes away what is named so, and leaves the rest', async () => {
    const {esm, server} = await esmCli()
    const there = server.put('f', 'a', {FilterCriteria: {Filters: [{Pattern: '{}'}]}, MaximumBatchingWindowInSeconds: 5})

    const {code} = await esm('update', there.UUID, '--batch-size', '7', '--no-filter', '--retry')

    expect(code).toBe(0)
    expect(there).toMatchObject({BatchSize: 7, FilterCriteria: {}, MaximumBatchingWindowInSeconds: 5})
  })

  it('waits while the mapping is changing already', async () => {
    const {esm, server} = await esmCli({updateMs: 300})
    const there = server.put('f', 'a')
    await esm('update', there.UUID, '--batch-size', '7', '--no-wait')

    expect(await esm('update', there.UUID, '--batch-size', '8', '--retry')).toMatchObject({code: 0})
    expect(there.BatchSize).toBe(8)
  })

  it('of nothing is a usage error', async () => {
    const {esm} = await esmCli()

    expect(await esm('update', '--function', 'f')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('missing what to change'),
    })
  })
})

describe('esm detach', () => {
  it('turns off, deletes, waits until it is gone, and is 0 when there is none', async () => {
    const {esm, server} = await esmCli({updateMs: 100, deleteMs: 200})
    server.put('f', 'a')
    server.script('delete', throttle(), {reset: true, apply: true})

    const {code, stdout} = await esm('detach', '--function', 'f', '--topic', 'a', '--retry', '--json')

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject([{result: 'deleted', state: null}])
    expect(server.mappings.size).toBe(0)
    expect(server.calls.map(({operation}) => operation).filter((name) => name === 'update' || name === 'delete')[0]).toBe(
      'update',
    )
    expect(await esm('detach', '--function', 'f', '--topic', 'a')).toMatchObject({code: 0})
    expect(await esm('detach', '0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9')).toMatchObject({code: 0})
  })

  it('of several asks', async () => {
    const {esm, server} = await esmCli()
    server.put('f', 'a')
    server.put('f', 'b')

    expect(await esm('detach', '--function', 'f')).toMatchObject({code: 2})
    expect(server.mappings.size).toBe(2)
    expect(await esm('detach', '--function', 'f', '--yes')).toMatchObject({code: 0})
    expect(server.mappings.size).toBe(0)
  })
})

describe('esm export', () => {
  it('prints what exists, and nothing else on standard output', async () => {
    const {esm, server} = await esmCli()
    server.put('f', 'a', {AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'g'}, StartingPosition: 'LATEST'})

    const {code, stdout} = await esm('export', '--terraform')

    expect(code).toBe(0)
    expect(stdout).toMatch(/^resource "aws_lambda_event_source_mapping" "FA" \{\n {2}function_name = "f"\n/)
    expect(await esm('export')).toMatchObject({code: 2})
    expect(await esm('export', '--cfn', '--function', 'none')).toMatchObject({code: 3})
  })
})
