import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, test} from 'vitest'

import {type KafkaTools, kafkaTools} from './java.js'
import {describeBasics} from './java-basics.js'
import {createTopic, type SkkLocal, startSkkLocal} from './skk.js'

const WIDE = ['--api-profile', 'wide']

describe("Apache Kafka's own tools, 4.1", () => describeBasics('4'))

describe("Apache Kafka's own tools, 4.1, on the wide profile", () => {
  describeBasics('4', WIDE)

  let local: SkkLocal
  let tools: KafkaTools
  beforeAll(async () => {
    tools = await kafkaTools('4')
    local = await startSkkLocal(WIDE)
  })
  afterAll(() => local?.stop())

  test('kafka-get-offsets finds the record with the largest timestamp', async () => {
    await createTopic(local.plaintextBootstrap, 'newest')
    const server = ['--bootstrap-server', local.plaintextBootstrap, '--topic', 'newest']
    await tools.run('console-producer', server, {input: 'a\n'})
    await tools.run('console-producer', server, {input: 'b\n'})

    const {stdout} = await tools.run('get-offsets', [...server, '--time', 'max-timestamp'])

    expect(stdout).toBe('newest:0:1\n')
  })

  test('kafka-delete-records moves the start of a partition', async () => {
    await createTopic(local.plaintextBootstrap, 'shortened')
    const server = ['--bootstrap-server', local.plaintextBootstrap]
    await tools.run('console-producer', [...server, '--topic', 'shortened'], {input: 'a\nb\nc\n'})
    const file = join(local.dataDir, '../offsets.json')
    await writeFile(file, JSON.stringify({partitions: [{topic: 'shortened', partition: 0, offset: 2}], version: 1}))

    const deleted = await tools.run('delete-records', [...server, '--offset-json-file', file])

    expect(deleted.stdout).toContain('low_watermark: 2')
    const args = [...server, '--topic', 'shortened', '--from-beginning', '--max-messages', '1', '--timeout-ms', '20000']
    expect((await tools.run('console-consumer', args)).stdout).toBe('c\n')
  })
})
