import {afterAll, beforeAll, describe, expect, test} from 'vitest'

import {credentialsOf, iamFile, iamProperties} from './iam.js'
import {type KafkaTools, kafkaTools, type Tool} from './java.js'
import {emptyHome, type SkkLocal, skk, startSkkLocal, testCredentials} from './skk.js'

const CLUSTER = 'arn:aws:kafka:*:*:cluster/*'
const TOPIC = (name: string) => `arn:aws:kafka:*:*:topic/*/*/${name}`
const GROUP = (name: string) => `arn:aws:kafka:*:*:group/*/*/${name}`
const allow = (actions: string[], resource: string) =>
  ({Effect: 'Allow', Action: actions.map((action) => `kafka-cluster:${action}`), Resource: resource}) as const
const connect = allow(['Connect', 'DescribeCluster'], CLUSTER)

let home: Awaited<ReturnType<typeof emptyHome>>
let tools: KafkaTools
let config: string
beforeAll(async () => {
  tools = await kafkaTools('3.9')
  home = await emptyHome()
  config = await iamProperties(home.dir)
})
afterAll(() => home?.remove())

/** The console tools call their configuration file by other names than the rest. */
const CONFIG_FLAG: Partial<Record<Tool, string>> = {
  'console-producer': '--producer.config',
  'console-consumer': '--consumer.config',
}

function asPerson(local: () => SkkLocal, env: NodeJS.ProcessEnv) {
  return async (tool: Tool, args: string[], input = '') => {
    const server = ['--bootstrap-server', local().bootstrap, CONFIG_FLAG[tool] ?? '--command-config', config]
    const {code, stdout, stderr} = await tools.run(tool, [...server, ...args], {env: {...home.env, ...env}, input})
    return {code, stdout, said: stdout + stderr}
  }
}

const consumeOne = (topic: string, group: string) => [
  ...['--topic', topic, '--group', group, '--from-beginning', '--max-messages', '1', '--timeout-ms', '10000'],
]

describe("AWS's own login module for Java (AWS_MSK_IAM), policies of an --iam file", () => {
  let local: SkkLocal
  const stack = () => local
  const as = (name: string) => asPerson(stack, credentialsOf(name))

  beforeAll(async () => {
    const everything = {Effect: 'Allow', Action: 'kafka-cluster:*', Resource: '*'} as const
    const file = await iamFile(home.dir, [
      {name: 'admin', statements: [everything]},
      {name: 'stranger', statements: [allow(['*Topic'], TOPIC('*'))]},
      {
        name: 'reader',
        statements: [
          connect,
          allow(['DescribeTopic', 'ReadData'], TOPIC('orders')),
          allow(['DescribeGroup', 'AlterGroup'], GROUP('readers')),
        ],
      },
      {name: 'writer', statements: [connect, allow(['DescribeTopic', 'WriteData'], TOPIC('orders'))]},
      {
        name: 'producer',
        statements: [connect, allow(['WriteDataIdempotently'], CLUSTER), allow(['DescribeTopic', 'WriteData'], TOPIC('orders'))],
      },
      {
        name: 'careful',
        statements: [everything, {Effect: 'Deny', Action: 'kafka-cluster:DeleteTopic', Resource: TOPIC('orders')}],
      },
    ])
    local = await startSkkLocal(['--iam', file])
    expect((await as('admin')('topics', ['--create', '--topic', 'orders'])).said).toContain('Created topic orders')
    expect(await as('admin')('topics', ['--create', '--topic', 'private'])).toMatchObject({code: 0})
    expect(await as('admin')('console-producer', ['--topic', 'orders'], 'first\n')).toMatchObject({code: 0})
  })
  afterAll(() => local?.stop())

  test('the right secret may write and read', async () => {
    expect((await as('producer')('console-producer', ['--topic', 'orders'], 'second\n')).said).not.toContain('Exception')

    expect(await as('reader')('console-consumer', consumeOne('orders', 'readers'))).toMatchObject({code: 0, stdout: 'first\n'})
  })

  test.each([
    ['a wrong secret', {...credentialsOf('admin'), AWS_SECRET_ACCESS_KEY: 'wrong'}],
    ['an unknown access key', {...credentialsOf('nobody')}],
    ['a key that may not connect', {...credentialsOf('stranger')}],
  ])('%s is denied access', async (_, env) => {
    const {code, said} = await asPerson(stack, env)('topics', ['--list'])

    expect(code).not.toBe(0)
    expect(said).toMatch(/SaslAuthenticationException: \[[0-9a-f-]{36}\]: Access denied/)
  })

  test('a producer without WriteData is not authorized for the topic', async () => {
    const {said} = await as('reader')(
      'console-producer',
      ['--topic', 'orders', '--producer-property', 'enable.idempotence=false'],
      'x\n',
    )

    expect(said).toContain('TopicAuthorizationException: Not authorized to access topics: [orders]')
  })

  test('an idempotent producer without WriteDataIdempotently is not authorized for the cluster', async () => {
    const idempotent = await as('writer')('console-producer', ['--topic', 'orders'], 'x\n')
    const plain = await as('writer')(
      'console-producer',
      ['--topic', 'orders', '--producer-property', 'enable.idempotence=false'],
      'x\n',
    )

    expect(idempotent.said).toContain('ClusterAuthorizationException')
    expect(plain.said).not.toContain('Exception')
  })

  test('a consumer without the right group or topic is not authorized for it', async () => {
    const group = await as('reader')('console-consumer', consumeOne('orders', 'others'))
    const topic = await as('reader')('console-consumer', consumeOne('private', 'readers'))

    expect(group.said).toContain('GroupAuthorizationException: Not authorized to access group: others')
    expect(topic.said).toContain('TopicAuthorizationException: Not authorized to access topics: [private]')
  })

  test('a topic that may not be described is left out of the list', async () => {
    expect((await as('reader')('topics', ['--list'])).stdout).toBe('orders\n')
    expect((await as('admin')('topics', ['--list'])).stdout).toBe('orders\nprivate\n')
  })

  test('an explicit deny wins over an allow of everything', async () => {
    const refused = await as('careful')('topics', ['--delete', '--topic', 'orders'])
    const done = await as('careful')('topics', ['--delete', '--topic', 'private'])

    expect(refused.said).toContain('TopicAuthorizationException')
    expect(done).toMatchObject({code: 0})
    await as('admin')('topics', ['--create', '--topic', 'private'])
  })

  test.each([
    ['topics', ['--create', '--topic', 'mine'], 'TopicAuthorizationException'],
    ['topics', ['--alter', '--topic', 'orders', '--partitions', '9'], 'TopicAuthorizationException'],
    [
      'configs',
      ['--alter', '--entity-type', 'topics', '--entity-name', 'orders', '--add-config', 'retention.ms=1'],
      'TopicAuthorizationException',
    ],
    ['configs', ['--describe', '--entity-type', 'topics', '--entity-name', 'orders'], 'TopicAuthorizationException'],
    ['consumer-groups', ['--delete', '--group', 'readers'], 'GroupAuthorizationException'],
  ] as const)('kafka-%s %j is refused to a reader', async (tool, args, exception) => {
    const {said} = await as('reader')(tool, [...args])

    expect(said).toContain(exception)
  })
})

describe("AWS's own login module for Java (AWS_MSK_IAM), default key", () => {
  test('over TLS with the certificate authority of the stack', async () => {
    const local = await startSkkLocal(['--tls'])
    try {
      const env = await skk(['local', 'env', '--data-dir', local.dataDir, '--json'])
      const {ca} = JSON.parse(env.stdout)
      const secure = await iamProperties(home.dir, {
        'security.protocol': 'SASL_SSL',
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': ca,
      })

      const args = ['--bootstrap-server', local.bootstrap, '--command-config', secure]
      const created = await tools.run('topics', [...args, '--create', '--topic', 'secure'], {
        env: {...home.env, ...testCredentials},
      })

      expect(created).toMatchObject({code: 0, stdout: 'Created topic secure.\n'})
    } finally {
      await local.stop()
    }
  })
})
