import {afterAll, beforeAll, describe, expect, test} from 'vitest'
import {type KafkaTools, kafkaTools, type Tool} from './java.js'
import {describeBasics, lags} from './java-basics.js'
import {eventually} from './processes.js'
import {type SkkLocal, startSkkLocal} from './skk.js'

const MANY = process.env['SKK_FULL'] ? 1_000_000 : 50_000

describe("Apache Kafka's own tools, 3.9", () => describeBasics('3.9'))

describe("each of Apache Kafka's own tools, 3.9", () => {
  let local: SkkLocal
  let tools: KafkaTools
  const run = (tool: Tool, ...args: string[]) => tools.run(tool, ['--bootstrap-server', local.plaintextBootstrap, ...args])
  const create = (topic: string, partitions = 1, ...more: string[]) =>
    run('topics', '--create', '--topic', topic, '--partitions', String(partitions), ...more)
  const produce = (topic: string, lines: readonly string[]) =>
    tools.run('console-producer', ['--bootstrap-server', local.plaintextBootstrap, '--topic', topic], {
      input: `${lines.join('\n')}\n`,
    })

  beforeAll(async () => {
    tools = await kafkaTools('3.9')
    local = await startSkkLocal()
  })
  afterAll(() => local?.stop())

  test('kafka-topics adds partitions and refuses to take them away', async () => {
    await create('grows', 2)

    const more = await run('topics', '--alter', '--topic', 'grows', '--partitions', '5')
    const fewer = await run('topics', '--alter', '--topic', 'grows', '--partitions', '3')

    expect(more).toMatchObject({code: 0})
    expect((await run('topics', '--describe', '--topic', 'grows')).stdout).toMatch(/PartitionCount: 5/)
    expect(fewer.code).not.toBe(0)
    expect(fewer.stdout + fewer.stderr).toContain('InvalidPartitionsException')
  })

  test('kafka-topics says that a topic exists already', async () => {
    await create('twice')

    const again = await create('twice')

    expect(again.code).toBe(1)
    expect(again.stdout + again.stderr).toContain("TopicExistsException: Topic 'twice' already exists")
  })

  test('kafka-topics --delete of a topic that does not exist is an error', async () => {
    const {code, stdout, stderr} = await run('topics', '--delete', '--topic', 'never-made')

    expect(code).toBe(1)
    expect(stdout + stderr).toMatch(/never-made.*does not exist/)
  })

  test('kafka-console-consumer shows keys, headers and timestamps of the console producer', async () => {
    await create('properties')
    const input = 'trace:1,span:2|key-1|value-1\n'

    await tools.run(
      'console-producer',
      [
        ...['--bootstrap-server', local.plaintextBootstrap, '--topic', 'properties', '--property', 'parse.key=true'],
        ...['--property', 'parse.headers=true', '--property', 'key.separator=|', '--property', 'headers.delimiter=|'],
      ],
      {input},
    )

    const printed = [
      'print.key=true',
      'print.headers=true',
      'print.timestamp=true',
      'print.offset=true',
      'print.partition=true',
      'key.separator=|',
    ]
    const consumed = await run(
      'console-consumer',
      ...['--topic', 'properties', '--from-beginning', '--max-messages', '1', '--timeout-ms', '20000'],
      ...printed.flatMap((property) => ['--property', property]),
    )
    expect(consumed.stdout).toMatch(/^CreateTime:\d{13}\|Partition:0\|Offset:0\|trace:1,span:2\|key-1\|value-1\n$/)
  })

  test('kafka-console-consumer reads only committed records from an offset of a partition', async () => {
    await create('by-offset')
    await produce('by-offset', ['a', 'b', 'c', 'd'])

    const consumed = await run(
      'console-consumer',
      ...['--topic', 'by-offset', '--partition', '0', '--offset', '2', '--max-messages', '2', '--timeout-ms', '20000'],
      ...['--isolation-level', 'read_committed'],
    )

    expect(consumed.stdout).toBe('c\nd\n')
  })

  test('kafka-consumer-groups lists, describes, resets, deletes offsets and deletes', async () => {
    await create('grouped', 2)
    await produce(
      'grouped',
      Array.from({length: 40}, (_, i) => `${i}`),
    )
    const groups = (...args: string[]) => run('consumer-groups', ...args)
    const group = ['--group', 'team']
    const consume = ['--topic', 'grouped', ...group, '--from-beginning', '--max-messages', '40', '--timeout-ms', '20000']
    await run('console-consumer', ...consume)

    expect((await groups('--list')).stdout.split('\n')).toContain('team')
    expect((await groups('--list', '--state')).stdout).toMatch(/team\s+Empty/)
    expect((await groups('--describe', ...group, '--state')).stdout).toMatch(/team\s.*Empty\s+0/)
    expect(sum(lags((await groups('--describe', ...group)).stdout))).toBe(0)

    const reset = await groups(...group, '--reset-offsets', '--topic', 'grouped', '--to-earliest', '--execute')
    expect(reset).toMatchObject({code: 0})
    expect(sum(lags((await groups('--describe', ...group)).stdout))).toBe(40)
    expect(await groups(...group, '--reset-offsets', '--topic', 'grouped:0', '--to-latest', '--execute')).toMatchObject({code: 0})
    expect(lags((await groups('--describe', ...group)).stdout)['0']).toBe(0)

    const deletion = await groups('--delete-offsets', ...group, '--topic', 'grouped:0')
    expect(deletion.stdout).toMatch(/Successful/)
    expect((await groups('--describe', ...group)).stdout).not.toMatch(/grouped\s+0\s/)

    expect((await groups('--delete', ...group)).stdout).toContain('Deletion of requested consumer groups')
    expect((await groups('--list')).stdout.split('\n')).not.toContain('team')
  })

  test('kafka-consumer-groups shows the members of a live group and does not delete it', async () => {
    await create('busy', 2)
    const args = ['--bootstrap-server', local.plaintextBootstrap, '--topic', 'busy', '--group', 'busy-team']
    const consumer = tools.start('console-consumer', args)
    const members = async () => (await run('consumer-groups', '--describe', '--group', 'busy-team', '--members')).stdout
    await eventually(async () => /console-consumer/.test(await members()))

    expect(await members()).toMatch(/busy-team\s+console-consumer-\S+\s+\S+\s+console-consumer\s+2/)
    const refused = await run('consumer-groups', '--delete', '--group', 'busy-team')

    expect(refused.stdout + refused.stderr).toContain('GroupNotEmptyException')
    consumer.kill()
    await eventually(async () => !/console-consumer/.test(await members()))
    expect(await run('consumer-groups', '--delete', '--group', 'busy-team')).toMatchObject({code: 0})
  })

  test('kafka-configs describes the settable configs and changes an allowed one', async () => {
    await create('configured', 1, '--config', 'retention.ms=60000')
    const topic = ['--entity-type', 'topics', '--entity-name', 'configured']

    expect((await run('configs', '--describe', ...topic)).stdout).toContain('retention.ms=60000')
    expect(await run('configs', '--alter', ...topic, '--add-config', 'retention.ms=120000')).toMatchObject({code: 0})
    expect((await run('configs', '--describe', ...topic)).stdout).toContain('retention.ms=120000')
    expect(await run('configs', '--alter', ...topic, '--delete-config', 'retention.ms')).toMatchObject({code: 0})
    expect((await run('configs', '--describe', ...topic)).stdout).not.toContain('120000')
    expect((await run('configs', '--describe', '--all', ...topic)).stdout).toMatch(/max\.message\.bytes=1048588/)
  })

  test("kafka-configs shows AWS's words when MSK Serverless does not let a config be changed", async () => {
    await create('stubborn')
    const topic = ['--entity-type', 'topics', '--entity-name', 'stubborn']

    const refused = await run('configs', '--alter', ...topic, '--add-config', 'cleanup.policy=compact')

    expect(refused.code).not.toBe(0)
    expect(refused.stdout + refused.stderr).toContain("Amazon MSK Serverless can't alter topic configuration cleanup.policy")
  })

  test('kafka-verifiable-consumer gets every value that kafka-verifiable-producer saw acknowledged, in order', async () => {
    await create('verifiable')
    const produced = await run(
      'verifiable-producer',
      '--topic',
      'verifiable',
      '--max-messages',
      '5000',
      '--throughput',
      '-1',
      '--acks',
      '-1',
    )
    const consumed = await run(
      'verifiable-consumer',
      ...[
        '--topic',
        'verifiable',
        '--group-id',
        'verifying',
        '--max-messages',
        '5000',
        '--reset-policy',
        'earliest',
        '--verbose',
      ],
    )

    const acked = events(produced.stdout, 'producer_send_success').map(({value}) => value)
    const read = events(consumed.stdout, 'record_data').map(({value}) => value)
    expect(acked).toHaveLength(5000)
    expect(read).toEqual(acked)
    expect(events(consumed.stdout, 'offsets_committed').at(-1)).toMatchObject({success: true})
  })

  test(`kafka-producer-perf-test writes ${MANY} records, and kafka-get-offsets counts them`, async () => {
    await create('perf', 2)

    const perf = await tools.run('producer-perf-test', [
      ...['--topic', 'perf', '--num-records', String(MANY), '--record-size', '200', '--throughput', '-1'],
      ...['--producer-props', `bootstrap.servers=${local.plaintextBootstrap}`, 'compression.type=zstd', 'linger.ms=5'],
    ])

    expect(perf.stdout).toContain(`${MANY} records sent`)
    const ends = (await run('get-offsets', '--topic', 'perf', '--time', 'latest')).stdout.trim().split('\n')
    expect(ends.map((line) => Number(line.split(':')[2])).reduce((total, end) => total + end, 0)).toBe(MANY)
    expect((await run('get-offsets', '--topic', 'perf', '--time', 'earliest')).stdout).toBe('perf:0:0\nperf:1:0\n')
  })
})

function events(stdout: string, name: string): Record<string, unknown>[] {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line)).filter((event) => event.name === name)
}

function sum(values: Record<string, number>): number {
  return Object.values(values).reduce((total, value) => total + value, 0)
}
