import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {describe, expect, it, onTestFinished} from 'vitest'

import type {SkkError} from '../../../src/lib/errors.js'
import {withAdmin} from '../../../src/lib/kafka/client.js'
import type {KafkaTarget} from '../../../src/lib/kafka/target.js'
import {createTopics, deleteTopics, listTopics} from '../../../src/lib/kafka/topics.js'
import {stack} from '../../support/stack.js'
import {chaos, iam, work} from './cluster-fixture.js'
import {produceText, TOPIC, valuesOf} from './records-fixture.js'

const statement = (actions: string, resource = '*') => ({
  Effect: 'Allow',
  Action: actions.split(' ').map((action) => `kafka-cluster:${action}`),
  Resource: resource,
})

const principal = (name: string, ...statements: object[]) => ({
  name,
  accessKeyId: name,
  secretAccessKey: 'secret',
  policy: {Version: '2012-10-17', Statement: statements},
})

/** A stack with the topic, an admin, and one more identity that may do only what is listed. */
async function stackFor(...statements: object[]): Promise<{admin: KafkaTarget; limited: KafkaTarget; lines: string[]}> {
  const dir = await mkdtemp(join(tmpdir(), 'skk-iam-'))
  onTestFinished(() => rm(dir, {recursive: true}))
  const iamFile = join(dir, 'iam.json')
  await writeFile(
    iamFile,
    JSON.stringify({principals: [principal('admin', statement('*')), principal('limited', ...statements)]}),
    {mode: 0o600},
  )
  const local = await stack({iamFile, plaintextPort: undefined})
  const as = (accessKeyId: string): KafkaTarget => ({
    ...iam(local),
    credentials: async () => ({accessKeyId, secretAccessKey: 'secret'}),
  })
  await work(as('admin'), (cluster) =>
    createTopics(cluster, [{name: TOPIC, partitions: 2, replicationFactor: 3, configs: {}}], {dryRun: false, timeoutMs: 5_000}),
  )
  return {admin: as('admin'), limited: as('limited'), lines: local.lines}
}

describe('producing', () => {
  it('needs no more than Connect, DescribeTopic, WriteData and WriteDataIdempotently', async () => {
    const {admin, limited} = await stackFor(statement('Connect DescribeTopic WriteData WriteDataIdempotently'))
    let warned = 0

    const report = await work(limited, (cluster) => produceText(cluster, '1\n2\n', {}, {onNotIdempotent: () => warned++}))

    expect(report).toMatchObject({read: 2, acked: 2, idempotent: true, failure: null})
    expect(warned).toBe(0)
    expect(await work(admin, valuesOf)).toEqual(['1', '2'])
  })

  it('goes on without idempotence where that is not allowed, and says so once', async () => {
    // Any topic would do for InitProducerId, so the resource names one.
    const {admin, limited} = await stackFor(
      statement('Connect DescribeTopic'),
      statement('WriteData', `arn:aws:kafka:us-east-1:123456789012:topic/local/*/${TOPIC}`),
    )
    let warned = 0

    const report = await work(limited, (cluster) => produceText(cluster, '1\n2\n', {}, {onNotIdempotent: () => warned++}))

    expect(report).toMatchObject({read: 2, acked: 2, idempotent: false, failure: null})
    expect(warned).toBe(1)
    expect(await work(admin, valuesOf)).toEqual(['1', '2'])
  })

  it('without idempotence finds a batch whose answer was lost by its checksum, and writes it once', async () => {
    const {admin, limited} = await stackFor(
      statement('Connect DescribeTopic ReadData'),
      statement('WriteData', `arn:aws:kafka:us-east-1:123456789012:topic/local/*/${TOPIC}`),
    )
    const way = await chaos()
    way.faults.push('lose-answer')

    const report = await work(limited, (cluster) => produceText(cluster, '1\n2\n'), way.connect)

    expect(report).toMatchObject({read: 2, acked: 2, idempotent: false, failure: null})
    expect(await work(admin, valuesOf)).toEqual(['1', '2'])
  })

  it('without idempotence, and without permission to look, an answer that was lost leaves the outcome unknown', async () => {
    const {admin, limited} = await stackFor(
      statement('Connect DescribeTopic'),
      statement('WriteData', `arn:aws:kafka:us-east-1:123456789012:topic/local/*/${TOPIC}`),
    )
    const way = await chaos()
    way.faults.push('lose-answer')

    const report = await work(limited, (cluster) => produceText(cluster, '1\n2\n'), way.connect)

    expect(report).toMatchObject({read: 2, acked: 0, unknown: 2, unsent: 0})
    expect(await work(admin, valuesOf)).toEqual(['1', '2'])
  })

  it('without WriteData is unsent, and names the action', async () => {
    const {limited} = await stackFor(statement('Connect DescribeTopic WriteDataIdempotently'))

    const report = await work(limited, (cluster) => produceText(cluster, '1\n2\n'))

    expect(report).toMatchObject({read: 2, acked: 0, unknown: 0, unsent: 2})
    expect(report.failure).toMatchObject({code: 29, subject: {api: 'Produce', topic: TOPIC}})
  })
})

describe('consuming', () => {
  it('needs no permission on groups, joins none and leaves none behind', async () => {
    const {admin, limited, lines} = await stackFor(statement('Connect DescribeTopic ReadData'))
    await work(admin, (cluster) => produceText(cluster, '1\n2\n3\n'))

    const values = await work(limited, valuesOf)

    expect(values).toEqual(['1', '2', '3'])
    expect(lines.filter((line) => /Group/.test(line))).toEqual([])
    expect(await withAdmin(admin, async (kafkajs) => (await kafkajs.listGroups()).groups)).toEqual([])
  })

  it('without ReadData is denied, naming the action and the resource', async () => {
    const {admin, limited} = await stackFor(statement('Connect DescribeTopic'))
    await work(admin, (cluster) => produceText(cluster, '1\n'))

    const failure: SkkError = await work(limited, valuesOf).catch((error) => error)

    expect(failure).toMatchObject({code: 'ACCESS_DENIED', exitCode: 4})
    expect(failure.message).toMatch(
      /may not do kafka-cluster:ReadData on arn:aws:kafka:us-east-1:123456789012:topic\/local\/[^/]+\/orders$/,
    )
  })
})

describe('a topic', () => {
  it('that may not be seen is not listed', async () => {
    const {limited} = await stackFor(statement('Connect'))

    expect(await work(limited, listTopics)).toEqual([])
  })

  it('that may not be deleted stays, and the denial names the action', async () => {
    const {admin, limited} = await stackFor(statement('Connect DescribeTopic'))

    const [outcome] = await work(limited, (cluster) => deleteTopics(cluster, [TOPIC], 5_000))

    expect(outcome).toMatchObject({name: TOPIC, error: {code: 29, subject: {api: 'DeleteTopics', topic: TOPIC}}})
    expect(await work(admin, listTopics)).toHaveLength(1)
  })
})
