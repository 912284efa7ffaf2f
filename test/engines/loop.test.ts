import {afterAll, beforeAll, describe, expect, test} from 'vitest'

import {installKcat} from './install.js'
import {type KafkaTools, kafkaTools} from './java.js'
import {describeLoop} from './loop.js'
import {expectSuccess} from './processes.js'
import {type RealKafka, startRealKafka} from './real-kafka.js'
import {type SkkLocal, skk, startSkkLocal, testCredentials} from './skk.js'

describe('skk against skk local, over IAM', () => {
  let local: SkkLocal
  beforeAll(async () => {
    local = await startSkkLocal()
  })
  afterAll(() => local?.stop())

  describeLoop(() => ({flags: ['--bootstrap', local.bootstrap, '--region', 'us-east-1'], env: testCredentials}))
})

describe('skk against Apache Kafka 3.9', () => {
  let kafka: RealKafka
  let tools: KafkaTools
  const flags = () => ['--bootstrap', kafka.bootstrap, '--auth', 'none']
  beforeAll(async () => {
    await installKcat()
    tools = await kafkaTools('3.9')
    kafka = await startRealKafka()
  })
  afterAll(() => kafka?.stop())

  describeLoop(() => ({flags: flags()}))

  test.each(['gzip', 'snappy', 'lz4', 'zstd'])('consume reads what kcat compressed with %s', async (codec) => {
    const topic = `compressed-${codec}`
    const lines = Array.from({length: 5000}, (_, i) => `{"order":${i},"note":"ünïcode"}`)
    await skk(['topics', 'create', topic, ...flags()])
    await expectSuccess('kcat', ['-b', kafka.bootstrap, '-P', '-t', topic, '-z', codec], {input: `${lines.join('\n')}\n`})

    const {code, stdout} = await skk(['consume', topic, ...flags()])

    expect(code).toBe(0)
    expect(stdout).toBe(`${lines.join('\n')}\n`)
  })

  test.each(['gzip', 'snappy', 'lz4', 'zstd'])("Kafka's own clients and skk read each other's %s", async (codec) => {
    const [theirs, ours] = [`java-${codec}`, `skk-${codec}`]
    const text = Array.from({length: 3000}, (_, i) => `{"order":${i},"note":"ünïcode"}\n`).join('')
    await skk(['topics', 'create', theirs, ours, ...flags()])
    const server = ['--bootstrap-server', kafka.bootstrap]

    await tools.run('console-producer', [...server, '--topic', theirs, '--compression-codec', codec], {input: text})
    const produced = await skk(['produce', ours, '--compression', codec, ...flags()], {input: text})

    expect(produced).toMatchObject({code: 0})
    expect((await skk(['consume', theirs, ...flags()])).stdout).toBe(text)
    const args = ['--topic', ours, '--from-beginning', '--max-messages', '3000', '--timeout-ms', '20000']
    expect((await tools.run('console-consumer', [...server, ...args])).stdout).toBe(text)
  })

  test('consume without --group joins no group and commits nothing', async () => {
    await skk(['topics', 'create', 'quiet', ...flags()])
    await skk(['produce', 'quiet', ...flags()], {input: 'a\n'})
    const before = await tools.run('consumer-groups', ['--bootstrap-server', kafka.bootstrap, '--list'])

    expect((await skk(['consume', 'quiet', ...flags()])).stdout).toBe('a\n')

    expect((await tools.run('consumer-groups', ['--bootstrap-server', kafka.bootstrap, '--list'])).stdout).toBe(before.stdout)
  })

  test('a transactional log is read up to its last committed record', async () => {
    const topic = 'markers'
    await skk(['topics', 'create', topic, ...flags()])
    await tools.run('producer-perf-test', [
      ...['--topic', topic, '--num-records', '100', '--record-size', '10', '--throughput', '-1', '--transactional-id', 'perf'],
      ...['--transaction-duration-ms', '1', '--producer-props', `bootstrap.servers=${kafka.bootstrap}`],
    ])

    const {code, stdout} = await skk(['consume', topic, ...flags()])

    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(100)
  })
})
