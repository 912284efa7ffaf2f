import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, test} from 'vitest'

import {installPython} from './install.js'
import {run} from './processes.js'
import {emptyHome, type SkkLocal, startSkkLocal, testCredentials} from './skk.js'

const COUNT = process.env['SKK_FULL'] ? 100_000 : 2_000

let local: SkkLocal
let home: Awaited<ReturnType<typeof emptyHome>>
let bin: string
beforeAll(async () => {
  bin = await installPython()
  home = await emptyHome()
  local = await startSkkLocal()
})
afterAll(async () => {
  await local?.stop()
  await home?.remove()
})

const program = (name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  run(join(bin, 'python'), [join(import.meta.dirname, 'python', name), ...args], {env: {...home.env, ...testCredentials, ...env}})
const bootstrapFor = (auth: string) => (auth === 'iam' ? local.bootstrap : local.plaintextBootstrap)

describe.each(['none', 'iam'])('with authentication "%s"', (auth) => {
  test('kafka-python makes a topic, produces with three codecs, consumes in a group and commits', async () => {
    const topic = `kafka-python-${auth}`

    const {code, stdout, stderr} = await program('with_kafka_python.py', [bootstrapFor(auth), auth, topic, String(COUNT)])

    expect({code, stderr}).toMatchObject({code: 0})
    expect(JSON.parse(stdout)).toEqual({
      topics: expect.arrayContaining([topic]),
      'acked with None': COUNT,
      'acked with gzip': COUNT,
      'acked with lz4': COUNT,
      consumed: 3 * COUNT,
      distinct: 3 * COUNT,
      headers: [
        ['codec', 'None'],
        ['codec', 'gzip'],
        ['codec', 'lz4'],
      ],
      'partitions of one key': 1,
      committed: 3 * COUNT,
      groups: expect.arrayContaining([`${topic}-readers`]),
    })
  })

  test('confluent-kafka administers, produces idempotently with every codec, consumes in a group and moves its offsets', async () => {
    const topic = `confluent-${auth}`

    const {code, stdout, stderr} = await program('with_confluent_kafka.py', [bootstrapFor(auth), auth, topic, String(COUNT)])

    expect({code, stderr}).toMatchObject({code: 0})
    expect(JSON.parse(stdout)).toEqual({
      retention: '60000',
      partitions: 3,
      acked: 5 * COUNT,
      consumed: 5 * COUNT,
      same: true,
      'partitions of one key': 1,
      committed: 5 * COUNT,
      state: 'EMPTY',
    })
  })
})

test.each(['with_kafka_python.py', 'with_confluent_kafka.py'])('%s with a wrong secret gets nowhere', async (name) => {
  const args = [local.bootstrap, 'iam', 'never', '1']
  const {code, stdout, stderr} = await program(name, args, {AWS_SECRET_ACCESS_KEY: 'wrong'})

  expect(code).not.toBe(0)
  expect(stdout).toBe('')
  expect(stderr).toMatch(/\[[0-9a-f-]{36}\]: Access denied/)
})
