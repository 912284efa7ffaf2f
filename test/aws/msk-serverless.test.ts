import {afterAll, beforeAll, describe, expect, test} from 'vitest'

import {describeLoop} from '../engines/loop.js'
import {skk} from '../engines/skk.js'
import {Transcript} from './transcript.js'

const flags: string[] = JSON.parse(process.env['SKK_AWS_FLAGS'] ?? '[]')
const cluster = flags[flags.indexOf('--cluster') + 1] ?? ''
const prefix = `skk-test-${Date.now().toString(36)}-`
/** The caller's own credentials; everything else of this machine stays out. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name === 'HOME' || name.startsWith('AWS_')))
const transcript = new Transcript(cluster)

afterAll(async () => {
  process.stdout.write(`transcript: ${await transcript.write(new Date())}\n`)
})

describe('the loop', () => {
  beforeAll(() => transcript.heading('The loop'))

  describeLoop(() => ({flags, env, prefix, record: (command, outcome) => transcript.add(command, outcome)}))
})

/**
 * What FIDELITY.md marks as not verified. The answers are written down, not judged: `--bootstrap` instead of `--cluster`, since
 * skk itself refuses what it knows MSK Serverless to refuse.
 */
describe('open questions', () => {
  const topic = `${prefix}questions`
  let direct: string[]
  const ask = async (args: string[], input = '') => {
    const outcome = await skk([...args, ...direct], {env, input, timeoutMs: 240_000})
    transcript.add(`skk ${args.join(' ')}`, outcome)
    expect(outcome.code, outcome.stderr).not.toBeNull()
    expect(outcome.stderr).not.toMatch(/unknown command|nonexistent flag/i)
  }

  beforeAll(async () => {
    transcript.heading('Open questions')
    const {stdout, stderr} = await skk(['clusters', 'describe', cluster, '--json', ...withoutCluster(flags)], {env})
    if (stdout === '') throw new Error(stderr)
    const {bootstrap, arn} = JSON.parse(stdout)
    direct = ['--bootstrap', bootstrap, '--region', arn.split(':')[3], ...withoutCluster(flags, '--region')]
  })
  afterAll(async () => {
    const {stdout} = await skk(['topics', 'list', '--json', ...direct], {env})
    const left = JSON.parse(stdout).flatMap(({name}: {name: string}) => (name.startsWith(prefix) ? [name] : []))
    await skk(['topics', 'delete', ...left, '--yes', ...direct], {env})
  })

  test('which configs does a new topic show', async () => {
    await ask(['topics', 'create', topic])
    await ask(['topics', 'describe', topic, '--json'])
  })

  test.each(['1', '2'])('is a replication factor of %s refused', async (factor) => {
    await ask(['topics', 'create', `${topic}-rf`, '--replication-factor', factor])
  })

  test.each(['segment.bytes=1048576', 'min.insync.replicas=1', 'cleanup.policy=compact,delete'])(
    'is %s refused for a new topic',
    async (config) => {
      await ask(['topics', 'create', `${topic}-config`, '--config', config])
    },
  )

  test.each(['segment.bytes=1048576', 'cleanup.policy=compact', 'max.message.bytes=9000000'])(
    'how is altering %s refused',
    async (config) => {
      await ask(['topics', 'alter', topic, '--config', config])
    },
  )

  test('what is the answer to more partitions than the quota', async () => {
    await ask(['topics', 'create', `${topic}-wide`, '--partitions', '2401'])
    await ask(['topics', 'create', `${topic}-compact`, '--partitions', '121', '--config', 'cleanup.policy=compact'])
  })

  test('which versions of which APIs are there, and how long does each layer take', async () => {
    await ask(['doctor', '--json'])
  })
})

function withoutCluster(all: readonly string[], also = '--cluster'): string[] {
  return all.filter((flag, i) => !['--cluster', also].includes(flag) && !['--cluster', also].includes(all[i - 1] ?? ''))
}
