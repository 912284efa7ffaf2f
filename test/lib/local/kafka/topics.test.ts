import {randomBytes} from 'node:crypto'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {describe, expect, it, onTestFinished} from 'vitest'

import {ERROR} from '../../../../src/lib/local/kafka/api/error-codes.js'
import type {
  AlterConfigsResponse,
  CreatePartitionsResponse,
  CreateTopicsResponse,
  DeleteTopicsResponse,
  DescribeConfigsResponse,
  IncrementalAlterConfigsResponse,
  InitProducerIdResponse,
  MetadataResponse,
  ProduceResponse,
} from '../../../../src/lib/local/kafka/messages.js'
import {encodeBatch} from '../../../../src/lib/records/batch.js'
import {bearerToken} from '../../../support/msk-token.js'
import {stack} from '../../../support/stack.js'
import {type WireClient, wireClient} from '../../../support/wire-client.js'

const TOPIC = 2

type Wanted = {name: string; numPartitions?: number; replicationFactor?: number; configs?: Record<string, string>}

function create(client: WireClient, topics: readonly Wanted[], validateOnly = false): Promise<CreateTopicsResponse> {
  const wanted = topics.map(({name, numPartitions = 1, replicationFactor = -1, configs = {}}) => ({
    name,
    numPartitions,
    replicationFactor,
    assignments: [],
    configs: Object.entries(configs).map(([key, value]) => ({name: key, value})),
  }))
  return client.request(19, 7, {topics: wanted, timeoutMs: 1000, validateOnly})
}

const codes = (response: CreateTopicsResponse): number[] => response.topics.map(({errorCode}) => errorCode)

const client = async (options: Parameters<typeof stack>[0] = {}): Promise<WireClient> =>
  wireClient((await stack(options)).plaintextBootstrap!)

describe('CreateTopics', () => {
  it('makes topics with three replicas, whatever the number of nodes', async () => {
    const kafka = await client()

    const [made] = (await create(kafka, [{name: 'orders', numPartitions: 2, replicationFactor: 3}])).topics
    const {topics} = await kafka.request<MetadataResponse>(3, 9, {topics: [{name: 'orders'}]})

    expect(made).toMatchObject({errorCode: ERROR.none, numPartitions: 2, replicationFactor: 3})
    expect(topics[0]!.partitions.map(({replicaNodes}) => replicaNodes.length)).toEqual([3, 3])
  })

  it.each<[string, Wanted[], number[]]>([
    ['an illegal name', [{name: 'a/b'}], [ERROR.invalidTopic]],
    ['a name that clashes in metrics', [{name: 'a.b'}, {name: 'a_b'}], [ERROR.none, ERROR.invalidTopic]],
    ['a name twice', [{name: 'a'}, {name: 'a'}], [ERROR.invalidRequest]],
    ['no partitions', [{name: 'a', numPartitions: 0}], [ERROR.invalidPartitions]],
    ['two replicas', [{name: 'a', replicationFactor: 2}], [ERROR.invalidReplicationFactor]],
    ['2,401 partitions', [{name: 'a', numPartitions: 2401}], [ERROR.invalidRequest]],
    ['121 compacted ones', [{name: 'a', numPartitions: 121, configs: {'cleanup.policy': 'compact'}}], [ERROR.invalidRequest]],
    ['a config that Serverless keeps', [{name: 'a', configs: {'segment.bytes': '1'}}], [ERROR.invalidConfig]],
    ['messages of more than 8 MiB', [{name: 'a', configs: {'max.message.bytes': '8388609'}}], [ERROR.invalidConfig]],
    ['a negative number of milliseconds', [{name: 'a', configs: {'retention.ms': '-2'}}], [ERROR.invalidConfig]],
  ])('refuses %s', async (_what, wanted, expected) => {
    expect(codes(await create(await client(), wanted))).toEqual(expected)
  })

  it('says in the words of AWS what can be set', async () => {
    const [refused] = (await create(await client(), [{name: 'a', configs: {'segment.bytes': '1'}}])).topics

    expect(refused!.errorMessage).toMatch(
      /^Amazon MSK Serverless can't alter topic configuration segment\.bytes\. Only the following/,
    )
  })

  it('only says what it would do when that is asked', async () => {
    const kafka = await client()

    const [would] = (await create(kafka, [{name: 'a', configs: {'retention.ms': '1000'}}], true)).topics

    expect(would).toMatchObject({errorCode: ERROR.none, numPartitions: 1})
    expect(would!.configs).toContainEqual(expect.objectContaining({name: 'retention.ms', value: '1000'}))
    expect((await kafka.request<MetadataResponse>(3, 9, {topics: null})).topics).toEqual([])
  })

  it('makes one topic when two clients create it at the same time', async () => {
    const {plaintextBootstrap} = await stack()
    const both = [await wireClient(plaintextBootstrap!), await wireClient(plaintextBootstrap!)]

    const answers = await Promise.all(both.map((kafka) => create(kafka, [{name: 'orders'}])))

    expect(answers.flatMap(codes).sort()).toEqual([ERROR.none, ERROR.topicAlreadyExists])
  })

  it('has no rules of Serverless in the wide profile, but an end', async () => {
    const kafka = await client({apiProfile: 'wide'})

    const made = await create(kafka, [
      {name: 'a', configs: {'segment.bytes': '1048576', 'cleanup.policy': 'compact,delete'}},
      {name: 'b', configs: {'cleanup.policy': 'nonsense'}},
      {name: 'c', numPartitions: 2_000_000_000},
    ])

    expect(codes(made)).toEqual([ERROR.none, ERROR.invalidConfig, ERROR.invalidRequest])
  })
})

describe('a topic', () => {
  it('grows, and never shrinks', async () => {
    const kafka = await client()
    await create(kafka, [{name: 'a', numPartitions: 3}])
    const grow = (count: number): Promise<CreatePartitionsResponse> =>
      kafka.request(37, 3, {topics: [{name: 'a', count, assignments: null}], timeoutMs: 1000, validateOnly: false})

    expect((await grow(3)).results[0]!.errorCode).toBe(ERROR.invalidPartitions)
    expect((await grow(5)).results[0]!.errorCode).toBe(ERROR.none)

    const {topics} = await kafka.request<MetadataResponse>(3, 9, {topics: [{name: 'a'}]})
    expect(topics[0]!.partitions).toHaveLength(5)
  })

  it('is found by its id, and gone when it is deleted by it', async () => {
    const kafka = await client()
    const topicId = (await create(kafka, [{name: 'a'}])).topics[0]!.topicId!

    const remove = (): Promise<DeleteTopicsResponse> => kafka.request(20, 6, {topics: [{name: null, topicId}], timeoutMs: 1000})

    expect((await remove()).responses).toEqual([expect.objectContaining({name: 'a', errorCode: ERROR.none})])
    expect((await remove()).responses[0]!.errorCode).toBe(ERROR.unknownTopicId)
  })

  it('keeps its policy when all its configs are replaced', async () => {
    const kafka = await client()
    await create(kafka, [{name: 'a', configs: {'cleanup.policy': 'compact', 'retention.ms': '1'}}])

    const configs = [{name: 'retention.bytes', value: '5'}]
    const resources = [{resourceType: TOPIC, resourceName: 'a', configs}]
    const answer = await kafka.request<AlterConfigsResponse>(33, 2, {resources, validateOnly: false})

    expect(answer.responses[0]!.errorCode).toBe(ERROR.none)
    expect(await configsOf(kafka, 'a')).toMatchObject({
      'cleanup.policy': 'compact',
      'retention.ms': '604800000',
      'retention.bytes': '5',
    })
  })

  it.each([
    ['another policy', 'cleanup.policy', 'delete', ERROR.invalidConfig],
    ['what Serverless keeps', 'segment.bytes', '1', ERROR.invalidConfig],
    ['what may be altered', 'retention.ms', '-1', ERROR.none],
  ])('is altered one config at a time: %s', async (_what, name, value, expected) => {
    const kafka = await client()
    await create(kafka, [{name: 'a'}])

    const configs = [{name, configOperation: 0, value}]
    const resources = [{resourceType: TOPIC, resourceName: 'a', configs}]
    const answer = await kafka.request<IncrementalAlterConfigsResponse>(44, 1, {resources, validateOnly: false})

    expect(answer.responses[0]!.errorCode).toBe(expected)
  })
})

describe('Produce', () => {
  const now = Date.now()
  const record = (value: Buffer | null, key: Buffer | null = null, timestamp = now) => ({key, value, headers: [], timestamp})

  it.each<[string, Record<string, string>, Parameters<typeof encodeBatch>[0], number]>([
    [
      'a record without key for a compacted topic',
      {'cleanup.policy': 'compact'},
      [record(Buffer.from('v'))],
      ERROR.invalidRecord,
    ],
    ['one with a key', {'cleanup.policy': 'compact'}, [record(null, Buffer.from('k'))], ERROR.none],
    ['a batch that is too large', {'max.message.bytes': '100'}, [record(randomBytes(100))], ERROR.messageTooLarge],
    [
      'an old record behind a young one',
      {'message.timestamp.difference.max.ms': '60000'},
      [record(null, null, now), record(null, null, now - 120_000)],
      ERROR.invalidTimestamp,
    ],
    ['a tombstone', {}, [record(null)], ERROR.none],
  ])('answers %s', async (_what, configs, records, expected) => {
    const kafka = await client()
    await create(kafka, [{name: 'a', configs}])

    expect((await produce(kafka, 'a', await encodeBatch(records, {compression: 'gzip'}))).errorCode).toBe(expected)
  })

  it('answers damaged batches, and goes on', async () => {
    const kafka = await client()
    await create(kafka, [{name: 'a'}])
    const good = await encodeBatch([record(Buffer.from('v'))])
    const flipped = Buffer.from(good)
    flipped[good.length - 1]! ^= 1

    expect((await produce(kafka, 'a', flipped)).errorCode).toBe(ERROR.corruptMessage)
    expect((await produce(kafka, 'a', good.subarray(0, -1))).errorCode).toBe(ERROR.invalidRecord)
    expect((await produce(kafka, 'a', Buffer.concat([good, good]))).errorCode).toBe(ERROR.invalidRecord)
    expect((await produce(kafka, 'nowhere', good)).errorCode).toBe(ERROR.unknownTopicOrPartition)
    expect(await produce(kafka, 'a', good)).toMatchObject({errorCode: ERROR.none, baseOffset: 0})
  })

  it('stamps the time of a topic on LogAppendTime', async () => {
    const kafka = await client()
    await create(kafka, [{name: 'a', configs: {'message.timestamp.type': 'LogAppendTime'}}])

    const {logAppendTimeMs} = await produce(kafka, 'a', await encodeBatch([record(Buffer.from('v'), null, 5)]))

    expect(logAppendTimeMs).toBeGreaterThanOrEqual(now)
  })
})

describe('with policies', () => {
  const arn = (kind: string, name = ''): string => `arn:aws:kafka:*:*:${kind}/local/*${name && `/${name}`}`
  const allow = (actions: readonly string[], resource: string) => {
    return {Effect: 'Allow', Action: actions.map((action) => `kafka-cluster:${action}`), Resource: resource}
  }

  async function as(statements: readonly object[]): Promise<WireClient> {
    const dir = await mkdtemp(join(tmpdir(), 'skk-iam-'))
    onTestFinished(() => rm(dir, {recursive: true}))
    const iamFile = join(dir, 'iam.json')
    const admin = [{Effect: 'Allow', Action: '*', Resource: '*'}]
    const principals = [
      {name: 'admin', accessKeyId: 'ADMIN', secretAccessKey: 'a', policy: {Version: '2012-10-17', Statement: admin}},
      {name: 'ann', accessKeyId: 'ANN', secretAccessKey: 'b', policy: {Version: '2012-10-17', Statement: statements}},
    ]
    await writeFile(iamFile, JSON.stringify({principals}), {mode: 0o600})
    const {bootstrap} = await stack({iamFile})
    const root = await login(bootstrap, {accessKeyId: 'ADMIN', secretAccessKey: 'a'})
    await create(root, [{name: 'orders'}, {name: 'audit'}])
    return login(bootstrap, {accessKeyId: 'ANN', secretAccessKey: 'b'})
  }

  async function login(bootstrap: string, credentials: {accessKeyId: string; secretAccessKey: string}): Promise<WireClient> {
    const kafka = await wireClient(bootstrap)
    await kafka.request(17, 1, {mechanism: 'OAUTHBEARER'})
    await kafka.request(36, 1, {authBytes: await bearerToken({signedAt: Date.now()}, credentials)})
    return kafka
  }

  it('a topic that may not be described is left out of a list, and refused by name', async () => {
    const ann = await as([allow(['Connect'], arn('cluster')), allow(['DescribeTopic'], arn('topic', 'ord*'))])

    const all = await ann.request<MetadataResponse>(3, 9, {topics: null})
    const named = await ann.request<MetadataResponse>(3, 9, {topics: [{name: 'audit'}]})

    expect(all.topics.map(({name}) => name)).toEqual(['orders'])
    expect(named.topics[0]!.errorCode).toBe(ERROR.topicAuthorizationFailed)
  })

  it('an explicit denial wins over every permission', async () => {
    const ann = await as([
      {Effect: 'Allow', Action: 'kafka-cluster:*', Resource: '*'},
      {Effect: 'Deny', Action: 'kafka-cluster:WriteData', Resource: arn('topic', 'audit')},
    ])
    const batch = await encodeBatch([{key: null, value: Buffer.from('v'), headers: [], timestamp: Date.now()}])

    expect((await produce(ann, 'orders', batch)).errorCode).toBe(ERROR.none)
    expect((await produce(ann, 'audit', batch)).errorCode).toBe(ERROR.topicAuthorizationFailed)
  })

  it.each<[string, object[], number]>([
    ['WriteData on one topic', [allow(['WriteData'], arn('topic', 'orders'))], ERROR.clusterAuthorizationFailed],
    ['WriteData on all topics', [allow(['WriteData'], arn('topic', '*'))], ERROR.none],
    ['WriteDataIdempotently', [allow(['WriteDataIdempotently'], arn('cluster'))], ERROR.none],
  ])('%s decides about idempotent producers', async (_what, statements, expected) => {
    const ann = await as([allow(['Connect'], arn('cluster')), ...statements])

    const {errorCode} = await ann.request<InitProducerIdResponse>(22, 1, {transactionalId: null, transactionTimeoutMs: 1})

    expect(errorCode).toBe(expected)
  })

  it.each<[string, number, number, object, (answer: any) => number, number]>([
    [
      'creating a topic',
      19,
      2,
      {
        topics: [{name: 'x', numPartitions: 1, replicationFactor: 3, assignments: [], configs: []}],
        timeoutMs: 1,
        validateOnly: false,
      },
      (answer) => answer.topics[0].errorCode,
      29,
    ],
    ['deleting one', 20, 3, {topicNames: ['orders'], timeoutMs: 1}, (answer) => answer.responses[0].errorCode, 29],
    [
      'its partitions',
      37,
      1,
      {topics: [{name: 'orders', count: 9, assignments: null}], timeoutMs: 1, validateOnly: false},
      (answer) => answer.results[0].errorCode,
      29,
    ],
    [
      'its configs',
      32,
      2,
      {resources: [{resourceType: 2, resourceName: 'orders', configurationKeys: null}], includeSynonyms: false},
      (answer) => answer.results[0].errorCode,
      29,
    ],
    [
      'altering them',
      44,
      0,
      {resources: [{resourceType: 2, resourceName: 'orders', configs: []}], validateOnly: false},
      (answer) => answer.responses[0].errorCode,
      29,
    ],
    [
      'its offsets',
      2,
      1,
      {replicaId: -1, topics: [{name: 'orders', partitions: [{partitionIndex: 0, timestamp: -1}]}]},
      (answer) => answer.topics[0].partitions[0].errorCode,
      29,
    ],
    [
      'its epochs',
      23,
      2,
      {topics: [{topic: 'orders', partitions: [{partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0}]}]},
      (answer) => answer.topics[0].partitions[0].errorCode,
      29,
    ],
    [
      'reading it',
      1,
      4,
      {
        replicaId: -1,
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1,
        isolationLevel: 0,
        topics: [{topic: 'orders', partitions: [{partition: 0, fetchOffset: 0, partitionMaxBytes: 1}]}],
      },
      (answer) => answer.responses[0].partitions[0].errorCode,
      29,
    ],
    ['the cluster', 60, 0, {includeClusterAuthorizedOperations: false}, (answer) => answer.errorCode, 31],
    ['a coordinator', 10, 2, {key: 'g', keyType: 0}, (answer) => answer.errorCode, 30],
  ])('whoever may only connect is refused %s', async (_what, key, version, body, errorOf, expected) => {
    const ann = await as([allow(['Connect'], arn('cluster'))])

    expect(errorOf(await ann.request(key, version, body))).toBe(expected)
  })
})

async function configsOf(kafka: WireClient, topic: string): Promise<Record<string, string | null>> {
  const resources = [{resourceType: TOPIC, resourceName: topic, configurationKeys: null}]
  const {results} = await kafka.request<DescribeConfigsResponse>(32, 4, {
    resources,
    includeSynonyms: false,
    includeDocumentation: false,
  })
  return Object.fromEntries(results[0]!.configs.map(({name, value}) => [name, value ?? null]))
}

async function produce(
  kafka: WireClient,
  name: string,
  records: Buffer,
): Promise<ProduceResponse['responses'][number]['partitionResponses'][number]> {
  const topicData = [{name, partitionData: [{index: 0, records}]}]
  const answer = await kafka.request<ProduceResponse>(0, 7, {transactionalId: null, acks: -1, timeoutMs: 1000, topicData})
  return answer.responses[0]!.partitionResponses[0]!
}
