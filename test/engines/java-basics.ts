import {afterAll, beforeAll, expect, test} from 'vitest'
import {iamProperties} from './iam.js'
import type {KafkaVersion} from './install.js'
import {type KafkaTools, kafkaTools} from './java.js'
import {emptyHome, type SkkLocal, startSkkLocal, testCredentials} from './skk.js'

/** What each supported version of Kafka's Java clients has to manage: topics, produce, consume, in the open and over IAM. */
export function describeBasics(version: KafkaVersion, stackFlags: readonly string[] = []): void {
  let local: SkkLocal
  let tools: KafkaTools
  beforeAll(async () => {
    tools = await kafkaTools(version)
    local = await startSkkLocal(stackFlags)
  })
  afterAll(() => local?.stop())

  test('topics: create, list, describe, delete', async () => {
    const topics = (...args: string[]) => tools.run('topics', ['--bootstrap-server', local.plaintextBootstrap, ...args])

    expect(await topics('--create', '--topic', 'made', '--partitions', '3')).toMatchObject({code: 0, stderr: ''})
    expect((await topics('--list')).stdout).toBe('made\n')
    const described = await topics('--describe', '--topic', 'made')
    expect(described.stdout).toMatch(/Topic: made\s.*PartitionCount: 3/)
    expect(described.stdout.match(/Partition: \d/g)).toEqual(['Partition: 0', 'Partition: 1', 'Partition: 2'])
    expect(await topics('--delete', '--topic', 'made')).toMatchObject({code: 0})
    expect((await topics('--list')).stdout.trim()).toBe('')
  })

  test('records of the console producer reach the console consumer and its group', async () => {
    const server = ['--bootstrap-server', local.plaintextBootstrap]
    await tools.run('topics', [...server, '--create', '--topic', 'words', '--partitions', '2'])
    const words = Array.from({length: 500}, (_, i) => `word-${i}`)

    const produced = await tools.run('console-producer', [...server, '--topic', 'words', '--compression-codec', 'lz4'], {
      input: `${words.join('\n')}\n`,
    })
    const consumed = await tools.run('console-consumer', [
      ...[...server, '--topic', 'words', '--from-beginning', '--group', 'readers'],
      ...['--max-messages', '500', '--timeout-ms', '20000'],
    ])

    expect(produced).toMatchObject({code: 0, stderr: ''})
    expect(consumed).toMatchObject({code: 0})
    expect(consumed.stdout.trim().split('\n').sort()).toEqual(words.sort())
    const groups = await tools.run('consumer-groups', [...server, '--describe', '--group', 'readers'])
    expect(lags(groups.stdout)).toEqual({0: 0, 1: 0})
  })

  test('over IAM the test key may do all of it, and a wrong secret nothing', async () => {
    const home = await emptyHome()
    const config = await iamProperties(home.dir)
    const env = {...home.env, ...testCredentials}
    const server = ['--bootstrap-server', local.bootstrap]

    const created = await tools.run('topics', [...server, '--command-config', config, '--create', '--topic', 'secret'], {env})
    const produced = await tools.run('console-producer', [...server, '--producer.config', config, '--topic', 'secret'], {
      env,
      input: 'one\ntwo\n',
    })
    const consumed = await tools.run(
      'console-consumer',
      [
        ...server,
        '--consumer.config',
        config,
        '--topic',
        'secret',
        '--from-beginning',
        '--max-messages',
        '2',
        '--timeout-ms',
        '20000',
      ],
      {env},
    )
    const refused = await tools.run('topics', [...server, '--command-config', config, '--list'], {
      env: {...env, AWS_SECRET_ACCESS_KEY: 'wrong'},
    })

    expect(created).toMatchObject({code: 0})
    expect(produced).toMatchObject({code: 0})
    expect(consumed).toMatchObject({code: 0, stdout: 'one\ntwo\n'})
    expect(refused.code).not.toBe(0)
    expect(refused.stdout + refused.stderr).toMatch(/SaslAuthenticationException: \[[0-9a-f-]{36}\]: Access denied/)
    await home.remove()
  })
}

/** Lag by partition, from the table that `kafka-consumer-groups --describe` prints. */
export function lags(table: string): Record<string, number> {
  const rows = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  const header = rows.find((row) => row.includes('LAG')) ?? []
  const column = (row: string[], name: string) => row[header.indexOf(name)]
  const body = rows.slice(rows.indexOf(header) + 1)
  return Object.fromEntries(body.map((row) => [column(row, 'PARTITION'), Number(column(row, 'LAG'))]))
}
