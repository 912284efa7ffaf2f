import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, test} from 'vitest'

import {installNode} from './install.js'
import {run} from './processes.js'
import {emptyHome, type SkkLocal, startSkkLocal, testCredentials} from './skk.js'

const COUNT = process.env['SKK_FULL'] ? 20_000 : 2_000

let home: Awaited<ReturnType<typeof emptyHome>>
beforeAll(async () => {
  home = await emptyHome()
})
afterAll(() => home?.remove())

const program = (node: string, name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  run(node, [join(import.meta.dirname, 'javascript', name), ...args], {env: {...home.env, ...testCredentials, ...env}})

describe('kafkajs, with the IAM signer for JavaScript', () => {
  let local: SkkLocal
  beforeAll(async () => {
    local = await startSkkLocal()
  })
  afterAll(() => local?.stop())

  test.each(['none', 'iam'])('administers, produces and consumes in a group with authentication "%s"', async (auth) => {
    const topic = `kafkajs-${auth}`
    const bootstrap = auth === 'iam' ? local.bootstrap : local.plaintextBootstrap

    const {code, stdout, stderr} = await program(process.execPath, 'with-kafkajs.js', [bootstrap, auth, topic, String(COUNT)])

    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    expect(JSON.parse(stdout)).toEqual({
      created: true,
      config: ['retention.ms'],
      acked: {none: true, gzip: true, idempotent: true},
      consumed: 3 * COUNT,
      distinct: 3 * COUNT,
      partitionsOfOneKey: 1,
      committed: 3 * COUNT,
      groups: expect.arrayContaining([`${topic}-readers`]),
      state: 'Empty',
    })
  })

  test('a wrong secret is denied access', async () => {
    const args = [local.bootstrap, 'iam', 'never', '1']
    const {code, stderr} = await program(process.execPath, 'with-kafkajs.js', args, {AWS_SECRET_ACCESS_KEY: 'wrong'})

    expect(code).not.toBe(0)
    expect(stderr).toMatch(/KafkaJSSASLAuthenticationError.*\[[0-9a-f-]{36}\]: Access denied/)
  })
})

describe('@platformatic/kafka under Node 24, on the wide profile', () => {
  let local: SkkLocal
  let node: string
  beforeAll(async () => {
    node = await installNode(24)
    local = await startSkkLocal(['--api-profile', 'wide'])
  })
  afterAll(() => local?.stop())

  test.each(['none', 'iam'])(
    'administers, produces with every codec and consumes in a group with authentication "%s"',
    async (auth) => {
      const bootstrap = auth === 'iam' ? local.bootstrap : local.plaintextBootstrap

      const {code, stdout, stderr} = await program(node, 'with-platformatic.js', [
        bootstrap,
        auth,
        `platformatic-${auth}`,
        String(COUNT),
      ])

      expect({code, stderr}).toMatchObject({code: 0})
      expect(JSON.parse(stdout)).toEqual({
        partitions: 3,
        listed: true,
        acked: 5 * COUNT,
        consumed: 5 * COUNT,
        distinct: 5 * COUNT,
        partitionsOfOneKey: 1,
        grouped: true,
      })
    },
  )

  test('a wrong secret gets nowhere', async () => {
    const args = [local.bootstrap, 'iam', 'never', '1']
    const {code, stdout} = await program(node, 'with-platformatic.js', args, {AWS_SECRET_ACCESS_KEY: 'wrong'})

    expect(code).not.toBe(0)
    expect(stdout).toBe('')
  })
})
