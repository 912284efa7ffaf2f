import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, test} from 'vitest'

import {credentialsOf, iamFile} from './iam.js'
import {installPython} from './install.js'
import {eventually, run} from './processes.js'
import {emptyHome, type SkkLocal, skk, startSkkLocal, testCredentials} from './skk.js'

let bin: string
let home: Awaited<ReturnType<typeof emptyHome>>
beforeAll(async () => {
  bin = await installPython()
  home = await emptyHome()
})
afterAll(() => home?.remove())

/** The AWS CLI against that stack; `output` is what it printed as JSON. */
async function aws(local: SkkLocal, args: readonly string[], credentials: NodeJS.ProcessEnv = testCredentials) {
  const env = {...home.env, ...credentials, AWS_ENDPOINT_URL_KAFKA: local.endpoint, AWS_PAGER: ''}
  const {code, stdout, stderr} = await run(join(bin, 'aws'), ['kafka', ...args, '--output', 'json'], {env})
  return {code, output: stdout.trim() === '' ? undefined : JSON.parse(stdout), stderr}
}

const create = (name: string) => [
  ...['create-cluster-v2', '--cluster-name', name, '--tags', 'team=a', '--serverless'],
  JSON.stringify({
    VpcConfigs: [{SubnetIds: ['subnet-1', 'subnet-2'], SecurityGroupIds: ['sg-1']}],
    ClientAuthentication: {Sasl: {Iam: {Enabled: true}}},
  }),
]

describe('the AWS CLI', () => {
  let local: SkkLocal
  beforeAll(async () => {
    local = await startSkkLocal()
  })
  afterAll(() => local?.stop())

  test('finds the cluster "local" and its brokers', async () => {
    const listed = await aws(local, ['list-clusters-v2'])
    const brokers = await aws(local, ['get-bootstrap-brokers', '--cluster-arn', local.clusterArn])

    expect(listed.output.ClusterInfoList).toMatchObject([
      {ClusterName: 'local', ClusterArn: local.clusterArn, State: 'ACTIVE', ClusterType: 'SERVERLESS'},
    ])
    expect(brokers.output).toEqual({BootstrapBrokerStringSaslIam: local.bootstrap})
  })

  test('creates a cluster, waits until it is active, tags it and deletes it', async () => {
    const created = await aws(local, create('made-by-cli'))
    expect(created).toMatchObject({code: 0, output: {ClusterName: 'made-by-cli', State: 'CREATING', ClusterType: 'SERVERLESS'}})
    const arn = created.output.ClusterArn
    expect(arn).toMatch(/^arn:aws:kafka:us-east-1:123456789012:cluster\/made-by-cli\/[0-9a-f-]{36}-s\d+$/)

    const describeCluster = () => aws(local, ['describe-cluster-v2', '--cluster-arn', arn])
    await eventually(async () => (await describeCluster()).output.ClusterInfo.State === 'ACTIVE')
    await aws(local, ['tag-resource', '--resource-arn', arn, '--tags', 'stage=test'])
    await aws(local, ['untag-resource', '--resource-arn', arn, '--tag-keys', 'team'])
    const tags = await aws(local, ['list-tags-for-resource', '--resource-arn', arn])
    const names = await aws(local, ['list-clusters-v2', '--cluster-name-filter', 'made-'])
    const deleted = await aws(local, ['delete-cluster', '--cluster-arn', arn])

    expect(tags.output).toEqual({Tags: {stage: 'test'}})
    expect(names.output.ClusterInfoList.map((cluster: {ClusterName: string}) => cluster.ClusterName)).toEqual(['made-by-cli'])
    expect(deleted.output).toMatchObject({ClusterArn: arn, State: 'DELETING'})
    await eventually(async () => (await describeCluster()).stderr.includes('NotFoundException'))
  })

  test('a created cluster has brokers and topics of its own', async () => {
    const {output} = await aws(local, create('separate'))
    const brokers = () => aws(local, ['get-bootstrap-brokers', '--cluster-arn', output.ClusterArn])
    await eventually(async () => (await brokers()).code === 0)
    const bootstrap = (await brokers()).output.BootstrapBrokerStringSaslIam
    const topics = (server: string, ...args: string[]) =>
      skk(['topics', ...args, '--bootstrap', server, '--region', 'us-east-1'], {env: {...home.env, ...testCredentials}})

    expect(bootstrap).not.toBe(local.bootstrap)
    expect(await topics(bootstrap, 'create', 'mine')).toMatchObject({code: 0})
    expect((await topics(bootstrap, 'list', '--plain')).stdout).toMatch(/^mine\b/)
    expect((await topics(local.bootstrap, 'list', '--plain')).stdout).not.toMatch(/mine/)
  })

  test('sees the errors of AWS', async () => {
    const first = await aws(local, create('taken'))
    const arn = first.output.ClusterArn

    expect((await aws(local, create('taken'))).stderr).toContain('(ConflictException)')
    expect((await aws(local, ['list-topics', '--cluster-arn', arn])).stderr).toMatch(/\(BadRequestException\).*Serverless/)
    expect((await aws(local, ['list-nodes', '--cluster-arn', arn])).stderr).toContain(
      'cannot be performed on serverless clusters',
    )
    expect((await aws(local, ['describe-cluster-v2', '--cluster-arn', `${arn}0`])).stderr).toContain('(NotFoundException)')
  })

  test.each([
    ['a wrong secret', {...testCredentials, AWS_SECRET_ACCESS_KEY: 'wrong'}, 'SignatureDoesNotMatch|InvalidSignatureException'],
    ['an unknown access key', {...testCredentials, AWS_ACCESS_KEY_ID: 'nobody'}, 'UnrecognizedClientException'],
  ])('is refused with %s', async (_, credentials, error) => {
    const {code, stderr} = await aws(local, ['list-clusters-v2'], credentials)

    expect(code).not.toBe(0)
    expect(stderr).toMatch(new RegExp(error))
  })
})

test('boto3 sees the whole life of a cluster, page by page', async () => {
  const local = await startSkkLocal()
  try {
    const env = {...home.env, ...testCredentials, AWS_ENDPOINT_URL_KAFKA: local.endpoint}
    const {code, stdout, stderr} = await run(
      join(bin, 'python'),
      [join(import.meta.dirname, 'python/with_boto3.py'), 'made-by-boto3'],
      {env},
    )

    expect({code, stderr}).toMatchObject({code: 0})
    expect(JSON.parse(stdout)).toEqual({
      created: 'CREATING',
      type: 'SERVERLESS',
      'same name': 'ConflictException',
      described: ['made-by-boto3', 'SERVERLESS', {team: 'a'}, ['subnet-1', 'subnet-2']],
      'created recently': true,
      brokers: ['BootstrapBrokerStringSaslIam'],
      pages: expect.arrayContaining([['local'], ['made-by-boto3']]),
      filtered: ['made-by-boto3'],
      tags: {stage: 'test'},
      topics: 'BadRequestException',
      nodes: 'BadRequestException',
      deleted: 'DELETING',
      gone: 'NotFoundException',
    })
  } finally {
    await local.stop()
  }
})

test('the policies of an --iam file cover the MSK API', async () => {
  const file = await iamFile(home.dir, [
    {name: 'looker', statements: [{Effect: 'Allow', Action: ['kafka:ListClustersV2', 'kafka:DescribeClusterV2'], Resource: '*'}]},
  ])
  const local = await startSkkLocal(['--iam', file])
  try {
    const looker = credentialsOf('looker')
    expect(await aws(local, ['list-clusters-v2'], looker)).toMatchObject({code: 0})
    const {code, stderr} = await aws(local, create('not-mine'), looker)

    expect(code).not.toBe(0)
    expect(stderr).toMatch(/AccessDenied.*user\/looker is not authorized to perform: kafka:CreateClusterV2/)
    expect(await aws(local, ['list-clusters-v2'])).toMatchObject({stderr: expect.stringContaining('UnrecognizedClientException')})
  } finally {
    await local.stop()
  }
})
