import {readdir} from 'node:fs/promises'
import {join} from 'node:path'

import {describe, expect, it} from 'vitest'

import {esmCli, ON_AWS} from '../../support/esm-cli.js'
import {scriptedIam} from '../../support/scripted-iam.js'
import {throttle} from '../../support/scripted-lambda.js'

const ORDERS = ['--function', 'orders', '--topic', 'orders']

describe('esm attach', () => {
  it('attaches under throttling, waits until it is enabled and says so', async () => {
    const {esm, server} = await esmCli({createMs: 300})
    server.script('create', throttle(), throttle())

    const {code, stdout, stderr} = await esm('attach', ...ORDERS, '--batch-size', '500', '--retry', '--json')

    expect(stderr).toContain('one bad record blocks its partition for ever')
    expect(stderr).toMatch(/preflight: 1 checks ok; not checkable from here: cluster demo/)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({result: 'created', state: 'Enabled', group: 'orders.orders', retries: 2})
    expect([...server.mappings.values()]).toMatchObject([
      {
        Topics: ['orders'],
        StartingPosition: 'TRIM_HORIZON',
        BatchSize: 500,
        AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: 'orders.orders'},
        Tags: {'skk:managed': '1', 'skk:key': expect.stringMatching(/^[0-9a-f]{16}$/)},
      },
    ])
  })

  it('throttled without --retry is 5, with the line that goes on', async () => {
    const {esm, server} = await esmCli()
    server.script('create', throttle())

    const {code, stderr} = await esm('attach', ...ORDERS)

    expect(code).toBe(5)
    expect(stderr).toMatch(/hint: {2}Run `skk esm attach .* --retry` to go on until it is done/)
    expect(server.mappings.size).toBe(0)
  })

  it('again changes nothing and is 0', async () => {
    const {esm, server} = await esmCli()
    await esm('attach', ...ORDERS)

    const {code, stdout} = await esm('attach', ...ORDERS, '--json')

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({result: 'unchanged', state: 'Enabled'})
    expect(server.count('create')).toBe(1)
  })

  it('of what is different and cannot be changed is 6 with each field, and nothing is sent', async () => {
    const {esm, server} = await esmCli()
    await esm('attach', ...ORDERS, '--group', 'one')

    const {code, stderr} = await esm('attach', ...ORDERS, '--group', 'two', '--starting-position', 'latest')

    expect(code).toBe(6)
    expect(stderr).toContain('group is "one", not "two"; startingPosition is "TRIM_HORIZON", not "LATEST"')
    expect(stderr).toContain('--replace')
    expect(server.count('update') + server.count('delete')).toBe(0)
  })

  it('names everything that is missing at once', async () => {
    const {esm} = await esmCli()

    const {code, stderr} = await esm('attach')

    expect(code).toBe(2)
    expect(stderr).toContain('missing --function and --topic')
  })

  it('--dry-run says what would be done, and does nothing', async () => {
    const {esm, server} = await esmCli()

    const {code, stdout} = await esm('attach', ...ORDERS, '--dry-run', '--json')

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({result: 'would create', uuid: null})
    expect(server.count('create')).toBe(0)
  })

  it('shows what provisioned pollers cost, and needs a yes', async () => {
    const {esm, server} = await esmCli()

    const refused = await esm('attach', ...ORDERS, '--min-pollers', '11')
    const agreed = await esm('attach', ...ORDERS, '--min-pollers', '11', '--yes')

    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/at least \$270 a month \(us-east-1, prices as of \d{4}-\d\d-\d\d\)/)
    expect(agreed.code).toBe(0)
    expect([...server.mappings.values()]).toMatchObject([{ProvisionedPollerConfig: {MinimumPollers: 11}}])
  })

  it('warns of what AWS documents with provisioned pollers only, and sends it', async () => {
    const {esm, server} = await esmCli()

    const {code, stderr} = await esm('attach', ...ORDERS, '--max-retries', '3', '--bisect', '--max-age', '5m')

    expect(code).toBe(0)
    expect(stderr).toContain('maxRetries, maxAgeSeconds, bisect only with provisioned pollers')
    expect([...server.mappings.values()]).toMatchObject([
      {MaximumRetryAttempts: 3, BisectBatchOnFunctionError: true, MaximumRecordAgeInSeconds: 300},
    ])
  })

  it('--until healthy without a sign of life is 8', async () => {
    const {esm} = await esmCli()

    const {code, stderr} = await esm('attach', ...ORDERS, '--until', 'healthy', '--timeout', '1s')

    expect(code).toBe(8)
    expect(stderr).toContain('enabled, not yet seen consuming')
  })

  it('--until healthy is 0 once its last result is OK', async () => {
    const {esm} = await esmCli({lastProcessingResult: 'OK'})

    const {code, stdout} = await esm('attach', ...ORDERS, '--until', 'healthy', '--json')

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({evidence: 'last result OK'})
  })

  it('--until healthy tells the cause of a problem and what helps', async () => {
    const {esm} = await esmCli({lastProcessingResult: 'PROBLEM: Cluster failed to authorize Lambda.'})

    const {code, stderr} = await esm('attach', ...ORDERS, '--until', 'healthy', '--timeout', '1s')

    expect(code).toBe(8)
    expect(stderr).toMatch(/the role may not read the topic.*\nhint: {2}Allow kafka-cluster:DescribeTopic/)
  })

  it('of a function that does not exist is 3, found before anything is made, or by AWS', async () => {
    const {esm, server} = await esmCli({missing: ['orders']})

    const checked = await esm('attach', ...ORDERS)
    const unchecked = await esm('attach', ...ORDERS, '--retry', '--no-preflight')

    expect([checked.code, unchecked.code]).toEqual([3, 3])
    expect(checked.stderr).toContain('preflight: function "orders" does not exist')
    expect(unchecked.stderr).toContain('Function not found')
    expect(server.count('create')).toBe(1)
  })

  it('of a role that does not allow what the mapping needs is 6, with the actions, and nothing is made', async () => {
    const {url} = await scriptedIam({denied: ['kafka-cluster:ReadData', 'kafka-cluster:AlterGroup']})
    const {esm, server} = await esmCli({}, {...ON_AWS, AWS_ENDPOINT_URL_IAM: url})

    const {code, stderr} = await esm('attach', ...ORDERS, '--retry')

    expect(code).toBe(6)
    expect(stderr).toMatch(
      /error: preflight: role ".*role\/orders" does not allow kafka-cluster:ReadData on .*:topic\/.*, kafka-cluster:AlterGroup on /,
    )
    expect(server.count('create')).toBe(0)
  })

  it('goes on where the role cannot be looked at, and says what was not checked', async () => {
    const {url} = await scriptedIam({refuses: true})
    const {esm} = await esmCli({}, {...ON_AWS, AWS_ENDPOINT_URL_IAM: url})

    const {code, stderr} = await esm('attach', ...ORDERS, '--retry')

    expect(code).toBe(0)
    expect(stderr).toMatch(/preflight: 1 checks ok; not checkable from here: role of orders \(.*SimulatePrincipalPolicy/)
    expect(stderr).toContain("way out of the cluster's subnets (on-demand pollers need a NAT gateway")
  })

  it('leaves no journal when it has ended, and one when it was killed', async () => {
    const {esm, start, home} = await esmCli({createMs: 60_000})
    await esm('attach', '--function', 'f', '--topic', 'a', '--no-wait')
    const journals = () => readdir(join(home.dataDir, 'esm'))
    expect(await journals()).toEqual([])

    const running = start('attach', ...ORDERS)
    await running.says(/acting on/)
    while ((await journals()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    running.child.kill('SIGKILL')
    await running.ended

    expect(await journals()).toHaveLength(1)
  })

  it('Ctrl-C says what there is', async () => {
    const {start} = await esmCli({createMs: 60_000})
    const running = start('attach', ...ORDERS)
    await running.says(/acting on/)
    await new Promise((resolve) => setTimeout(resolve, 500))

    running.child.kill('SIGINT')

    const {code, stderr} = await running.ended
    expect(code).toBe(130)
    expect(stderr).toContain('1 of 1 mappings are as wanted: orders < orders (created). Run `skk esm attach')
  })
})
