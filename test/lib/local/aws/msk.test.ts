import {
  CreateClusterV2Command,
  DeleteClusterCommand,
  DescribeClusterCommand,
  DescribeClusterV2Command,
  GetBootstrapBrokersCommand,
  KafkaClient,
  type KafkaClientConfig,
  ListClusterOperationsV2Command,
  ListClustersCommand,
  ListClustersV2Command,
  ListNodesCommand,
  ListTagsForResourceCommand,
  ListTopicsCommand,
  paginateListClustersV2,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-kafka'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {mskRoutes} from '../../../../src/lib/local/aws/msk.js'
import {type HttpServing, serveHttp} from '../../../../src/lib/local/aws/server.js'
import {loadIdentities} from '../../../../src/lib/local/iam-file.js'
import {allows, compilePolicy} from '../../../../src/lib/local/kafka/authorize.js'
import {ACCOUNT, memoryClusters, REGION} from '../../../support/memory-clusters.js'

let clusters: ReturnType<typeof memoryClusters>
let http: HttpServing
let client: KafkaClient

beforeEach(async () => {
  clusters = memoryClusters()
  const identities = await loadIdentities(undefined)
  http = await serveHttp({port: 0, identities, region: REGION, routes: mskRoutes(clusters), controlToken: 'x', control: {}})
  client = clientWith({})
})

afterEach(async () => {
  client.destroy()
  await http.close()
})

function clientWith(over: Partial<KafkaClientConfig>): KafkaClient {
  const credentials = {accessKeyId: 'test', secretAccessKey: 'test'}
  return new KafkaClient({region: REGION, endpoint: `http://127.0.0.1:${http.port}`, credentials, maxAttempts: 1, ...over})
}

const vpcConfigs = [{SubnetIds: ['subnet-1', 'subnet-2'], SecurityGroupIds: ['sg-1']}]
const serverless = {VpcConfigs: vpcConfigs, ClientAuthentication: {Sasl: {Iam: {Enabled: true}}}}

async function create(name: string, tags: Record<string, string> = {}): Promise<string> {
  const {ClusterArn} = await client.send(new CreateClusterV2Command({ClusterName: name, Serverless: serverless, Tags: tags}))
  return ClusterArn!
}

it('creates a cluster that is described, bootstrapped and deleted', async () => {
  const created = await client.send(new CreateClusterV2Command({ClusterName: 'demo', Serverless: serverless, Tags: {a: 'b'}}))
  const ClusterArn = created.ClusterArn!

  expect(created).toMatchObject({ClusterName: 'demo', State: 'CREATING', ClusterType: 'SERVERLESS'})
  expect(ClusterArn).toMatch(new RegExp(`^arn:aws:kafka:${REGION}:${ACCOUNT}:cluster/demo/[0-9a-f-]{36}-s1$`))
  await expect(client.send(new GetBootstrapBrokersCommand({ClusterArn}))).rejects.toMatchObject({name: 'ConflictException'})

  clusters.settle()
  const {ClusterInfo} = await client.send(new DescribeClusterV2Command({ClusterArn}))
  expect(ClusterInfo).toMatchObject({
    State: 'ACTIVE',
    ClusterName: 'demo',
    ClusterType: 'SERVERLESS',
    Tags: {a: 'b'},
    Serverless: serverless,
  })
  expect(ClusterInfo?.CreationTime?.getTime()).toBeCloseTo(Date.now(), -5)
  const brokers = await client.send(new GetBootstrapBrokersCommand({ClusterArn}))
  expect(brokers.BootstrapBrokerStringSaslIam).toBe('127.0.0.1:9098')

  const deleted = await client.send(new DeleteClusterCommand({ClusterArn, CurrentVersion: ClusterInfo!.CurrentVersion}))
  expect(deleted).toMatchObject({ClusterArn, State: 'DELETING'})
  clusters.settle()
  await expect(client.send(new DescribeClusterV2Command({ClusterArn}))).rejects.toMatchObject({
    name: 'NotFoundException',
    $metadata: {httpStatusCode: 404},
    message: "The requested resource doesn't exist.",
  })
})

it('refuses a second cluster of the same name', async () => {
  await create('demo')

  await expect(create('demo')).rejects.toMatchObject({name: 'ConflictException', $metadata: {httpStatusCode: 409}})
})

it('refuses the second of two creates of one name that come together', async () => {
  const results = await Promise.allSettled([create('demo'), create('demo')])

  expect(results.map(({status}) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(clusters.list()).toHaveLength(1)
})

it('refuses an eleventh cluster', async () => {
  for (let index = 0; index < 10; index++) await create(`c${index}`)

  await expect(create('c10')).rejects.toMatchObject({name: 'ForbiddenException'})
})

describe('CreateClusterV2 refuses', () => {
  const base = {
    clusterName: 'demo',
    serverless: {vpcConfigs: [{subnetIds: ['a', 'b']}], clientAuthentication: {sasl: {iam: {enabled: true}}}},
  }
  const vpc = (...configs: unknown[]) => ({...base, serverless: {...base.serverless, vpcConfigs: configs}})
  it.each([
    ['no name', {...base, clusterName: undefined}, 'clusterName'],
    ['a name of 65 characters', {...base, clusterName: 'x'.repeat(65)}, 'clusterName'],
    ['an underscore in the name', {...base, clusterName: 'my_cluster'}, 'clusterName'],
    ['a provisioned cluster', {...base, provisioned: {}}, 'provisioned'],
    ['neither kind', {clusterName: 'demo'}, 'serverless'],
    [
      'IAM turned off',
      {...base, serverless: {...base.serverless, clientAuthentication: {sasl: {iam: {enabled: false}}}}},
      'clientAuthentication',
    ],
    ['no authentication', {...base, serverless: {vpcConfigs: base.serverless.vpcConfigs}}, 'clientAuthentication'],
    ['no VPC', vpc(), 'vpcConfigs'],
    ['six VPCs', vpc(...Array(6).fill({subnetIds: ['a', 'b']})), 'vpcConfigs'],
    ['one subnet', vpc({subnetIds: ['a']}), 'subnetIds'],
    ['the same subnet twice', vpc({subnetIds: ['a', 'a']}), 'subnetIds'],
    ['subnets that are numbers', vpc({subnetIds: [1, 2]}), 'subnetIds'],
    ['a tag of AWS', {...base, tags: {'aws:name': 'x'}}, 'tags'],
    ['a tag that is a number', {...base, tags: {a: 1}}, 'tags'],
    ['51 tags', {...base, tags: Object.fromEntries(Array.from({length: 51}, (_, index) => [`k${index}`, '']))}, 'tags'],
  ])('%s', async (_, body, invalidParameter) => {
    const route = mskRoutes(clusters).find(({action}) => action === 'kafka:CreateClusterV2')!

    const attempt = async () =>
      route.handle({
        path: {},
        query: new Map(),
        body: body as Record<string, unknown>,
        payload: Buffer.alloc(0),
        header: () => undefined,
      })

    await expect(attempt()).rejects.toMatchObject({status: 400, type: 'BadRequestException', members: {invalidParameter}})
    expect(clusters.list()).toEqual([])
  })
})

describe('ListClustersV2', () => {
  it('pages through the clusters, each once, also when one of them goes meanwhile', async () => {
    const arns: string[] = []
    for (let index = 0; index < 5; index++) arns.push(await create(`c${index}`))

    const seen: (string | undefined)[] = []
    for await (const page of paginateListClustersV2({client, pageSize: 2}, {})) {
      seen.push(...page.ClusterInfoList!.map(({ClusterArn}) => ClusterArn))
      if (seen.length === 2) {
        clusters.settle()
        await client.send(new DeleteClusterCommand({ClusterArn: seen[1]}))
        clusters.settle()
      }
    }

    expect(seen.toSorted()).toEqual(arns.toSorted())
  })

  it('filters by the beginning of the name and by type', async () => {
    await create('orders-a')
    await create('payments')

    const names = async (filter: object) => {
      const {ClusterInfoList} = await client.send(new ListClustersV2Command(filter))
      return ClusterInfoList!.map(({ClusterName}) => ClusterName)
    }

    expect(await names({ClusterNameFilter: 'ord'})).toEqual(['orders-a'])
    expect(await names({ClusterTypeFilter: 'SERVERLESS'})).toHaveLength(2)
    expect(await names({ClusterTypeFilter: 'PROVISIONED'})).toEqual([])
  })

  it.each([{MaxResults: 0}, {MaxResults: 101}, {NextToken: 'nonsense'}])('refuses %o', async (input) => {
    await expect(client.send(new ListClustersV2Command(input))).rejects.toMatchObject({name: 'BadRequestException'})
  })
})

it('tags, untags and lists tags', async () => {
  const ResourceArn = await create('demo', {team: 'a', old: 'x'})

  await client.send(new TagResourceCommand({ResourceArn, Tags: {team: 'b', 'with space': 'ü / & ?', ['__proto__']: 'p'}}))
  await client.send(new UntagResourceCommand({ResourceArn, TagKeys: ['old', 'absent']}))

  const {Tags} = await client.send(new ListTagsForResourceCommand({ResourceArn}))
  expect(Object.entries(Tags!).filter(([key]) => key !== '__proto__')).toEqual([
    ['team', 'b'],
    ['with space', 'ü / & ?'],
  ])
})

it('refuses to delete a cluster on its way in or out, or of another version', async () => {
  const ClusterArn = await create('demo')
  const attempt = (CurrentVersion?: string) => client.send(new DeleteClusterCommand({ClusterArn, CurrentVersion}))

  await expect(attempt()).rejects.toThrow("You can't delete a cluster in CREATING state.")
  clusters.settle()
  await expect(attempt('K2')).rejects.toThrow('This version of the cluster is not the current one.')
  await attempt()
  await expect(attempt()).rejects.toThrow("You can't delete a cluster in DELETING state.")
})

it.each(['demo', 'arn:aws:s3:::bucket', 'arn:aws:kafka:us-east-1:123456789012:cluster/demo', '../../etc/passwd'])(
  'refuses the cluster ARN %s',
  async (ClusterArn) => {
    await expect(client.send(new DescribeClusterV2Command({ClusterArn}))).rejects.toMatchObject({
      name: 'BadRequestException',
      InvalidParameter: 'clusterArn',
    })
  },
)

it('says of what Serverless has not that it has it not', async () => {
  const ClusterArn = await create('demo')

  const refusal = {name: 'BadRequestException', message: 'This operation cannot be performed on serverless clusters.'}
  await expect(client.send(new ListNodesCommand({ClusterArn}))).rejects.toMatchObject(refusal)
  await expect(client.send(new DescribeClusterCommand({ClusterArn}))).rejects.toMatchObject(refusal)
  await expect(client.send(new ListTopicsCommand({ClusterArn}))).rejects.toMatchObject({
    name: 'BadRequestException',
    message: expect.stringContaining('not available for MSK Serverless'),
  })
  expect((await client.send(new ListClustersCommand({}))).ClusterInfoList).toEqual([])
  expect((await client.send(new ListClusterOperationsV2Command({ClusterArn}))).ClusterOperationInfoList).toEqual([])
})

it.each([
  ['a wrong secret', {credentials: {accessKeyId: 'test', secretAccessKey: 'guess'}}, 'InvalidSignatureException'],
  ['an unknown key', {credentials: {accessKeyId: 'nobody', secretAccessKey: 'test'}}, 'UnrecognizedClientException'],
  ['another region', {region: 'eu-west-1'}, 'InvalidSignatureException'],
  ['a clock an hour behind', {systemClockOffset: -3_600_000}, 'InvalidSignatureException'],
])('the SDK with %s gets the error of AWS', async (_, over, name) => {
  const attempt = clientWith(over).send(new ListClustersV2Command({}))

  await expect(attempt).rejects.toMatchObject({name, $metadata: {httpStatusCode: 403}})
})

it('the SDK corrects a wrong clock by the Date of the answer, as with AWS', async () => {
  const {ClusterInfoList} = await clientWith({systemClockOffset: -3_600_000, maxAttempts: 2}).send(new ListClustersV2Command({}))

  expect(ClusterInfoList).toEqual([])
})

it('a policy decides what each operation may do to which cluster', async () => {
  const ClusterArn = await create('demo')
  clusters.settle()
  const {statements} = compilePolicy({
    Statement: [
      {Effect: 'Allow', Action: ['kafka:Describe*', 'kafka:Get*'], Resource: `arn:aws:kafka:*:*:cluster/demo/*`},
      {Effect: 'Allow', Action: 'kafka:ListClustersV2', Resource: '*'},
    ],
  })
  const principal = {arn: 'arn:aws:iam::123456789012:user/bob', accessKeyId: 'BOB', allows: allows.bind(undefined, statements)}
  const bob = {name: 'bob', accessKeyId: 'BOB', secretAccessKey: 'b', principal}
  const identities = {find: () => bob, all: [bob], warnings: []}
  const limited = await serveHttp({
    port: 0,
    identities,
    region: REGION,
    routes: mskRoutes(clusters),
    controlToken: 'x',
    control: {},
  })
  const credentials = {accessKeyId: 'BOB', secretAccessKey: 'b'}
  const bobs = clientWith({endpoint: `http://127.0.0.1:${limited.port}`, credentials})

  expect((await bobs.send(new ListClustersV2Command({}))).ClusterInfoList).toHaveLength(1)
  expect((await bobs.send(new DescribeClusterV2Command({ClusterArn}))).ClusterInfo?.ClusterName).toBe('demo')
  await expect(bobs.send(new DeleteClusterCommand({ClusterArn}))).rejects.toMatchObject({
    name: 'AccessDeniedException',
    message: `User: arn:aws:iam::123456789012:user/bob is not authorized to perform: kafka:DeleteCluster on resource: ${ClusterArn}`,
  })
  const another = new CreateClusterV2Command({ClusterName: 'another', Serverless: serverless})
  await expect(bobs.send(another)).rejects.toThrow('kafka:CreateClusterV2 on resource: *')
  await limited.close()
})
