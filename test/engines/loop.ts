import {createHash, randomBytes} from 'node:crypto'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {afterAll, beforeAll, expect, test} from 'vitest'

import type {Options} from './processes.js'
import {emptyHome, skk} from './skk.js'

export type Where = {
  /** Flags and variables that lead each command to the cluster. */
  flags: readonly string[]
  env?: NodeJS.ProcessEnv
  /** Prepended to each topic's name, so that a cluster in use can be tested. */
  prefix?: string
  /** What each command said, for a transcript. */
  record?(command: string, outcome: {code: number | null; stdout: string; stderr: string}): void
}

/**
 * The loop of topics, produce and consume through the CLI, the same on every cluster: the embedded one, Apache Kafka, MSK Serverless.
 * `where` is asked when the first test starts. Topics are deleted at the end.
 */
export function describeLoop(where: () => Where): void {
  let home: Awaited<ReturnType<typeof emptyHome>>
  const made = new Set<string>()
  const named = (name: string) => `${where().prefix ?? ''}${name}`
  const run = async (args: readonly string[], options: Options = {}) => {
    const {flags, env, record} = where()
    const outcome = await skk([...args, ...flags], {...options, env: {...home.env, ...env}})
    record?.(`skk ${args.join(' ')}`, outcome)
    return outcome
  }
  const json = async (args: readonly string[], options: Options = {}) => {
    const {code, stdout, stderr} = await run([...args, '--json'], options)
    if (code !== 0) throw new Error(`skk ${args.join(' ')}: exit ${code}\n${stderr}`)
    return JSON.parse(stdout)
  }
  const create = async (name: string, ...more: string[]) => {
    made.add(named(name))
    const outcome = await run(['topics', 'create', named(name), ...more])
    expect(outcome).toMatchObject({code: 0})
    return named(name)
  }
  const produce = async (topic: string, input: string | Buffer, ...more: string[]) => {
    const outcome = await run(['produce', topic, ...more], {input})
    expect(outcome).toMatchObject({code: 0})
    return outcome
  }
  const envelopes = async (topic: string, ...more: string[]) => {
    const {code, stdout, stderr} = await run(['consume', topic, '--json', ...more])
    expect({code, stderr}).toMatchObject({code: 0})
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  }
  const values = async (topic: string, ...more: string[]) => (await envelopes(topic, ...more)).map(({value}) => value)

  beforeAll(async () => {
    home = await emptyHome()
  })
  afterAll(async () => {
    for (const topic of made) await run(['topics', 'delete', topic, '--yes'])
    await home.remove()
  })

  test('topics are created, listed, described, altered and deleted', async () => {
    const topic = await create('life', '--partitions', '2', '--config', 'retention.ms=3600000')

    expect(await json(['topics', 'list'])).toContainEqual(expect.objectContaining({name: topic, partitions: 2}))
    expect(await run(['topics', 'alter', topic, '--partitions', '3', '--config', 'retention.ms=7200000'])).toMatchObject({
      code: 0,
    })
    const [described] = await json(['topics', 'describe', topic])
    expect(
      described.partitions.map(({partition, latestOffset}: {partition: number; latestOffset: number}) => [
        partition,
        latestOffset,
      ]),
    ).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ])
    expect(described.configs).toContainEqual(expect.objectContaining({name: 'retention.ms', value: '7200000'}))
    expect(await run(['topics', 'delete', topic, '--yes'])).toMatchObject({code: 0})
    expect((await run(['topics', 'describe', topic])).code).toBe(3)
  })

  test('a topic that exists is a conflict, or as wanted', async () => {
    const topic = await create('exists', '--partitions', '2')

    expect((await run(['topics', 'create', topic])).code).toBe(6)
    expect((await run(['topics', 'create', topic, '--partitions', '2', '--if-not-exists'])).code).toBe(0)
    expect((await run(['topics', 'create', topic, '--partitions', '5', '--if-not-exists'])).code).toBe(6)
  })

  test('of several topics those that can be made are made', async () => {
    const topic = await create('several-1')
    made.add(named('several-2'))

    const {code} = await run(['topics', 'create', topic, named('several-2')])

    expect(code).toBe(7)
    expect((await json(['topics', 'list'])).map(({name}: {name: string}) => name)).toContain(named('several-2'))
  })

  test('a file of lines comes back byte for byte', async () => {
    const topic = await create('lines')
    const input = Buffer.concat([Buffer.from('first\n\nünï\r\n'), randomLine(), Buffer.from('\nno newline at the end')])

    const {stderr} = await produce(topic, input)

    expect(stderr).toContain('5 read = 5 acked + 0 rejected + 0 unknown + 0 unsent')
    const {stdout} = await run(['consume', topic])
    expect(Buffer.from(stdout).equals(Buffer.from(`${input}\n`))).toBe(true)
  })

  test('20,000 records in four partitions: none missing, none twice, each key in one partition', async () => {
    const topic = await create('many', '--partitions', '4')
    const lines = Array.from({length: 20_000}, (_, i) => `k${i % 101}|{"order":${i}}`)
    const file = join(home.dir, 'many.txt')
    await writeFile(file, `${lines.join('\n')}\n`)

    const {code, stderr} = await run(['produce', topic, '--file', file, '--key-separator', '|'])

    expect(code).toBe(0)
    expect(stderr).toContain('20000 read = 20000 acked + 0 rejected + 0 unknown + 0 unsent')
    const records = await envelopes(topic)
    expect(checksum(records.map(({key, value}) => `${key}|${value}`))).toBe(checksum(lines))
    const places = new Set(records.map(({key, partition}) => `${key} in ${partition}`))
    expect(places.size).toBe(101)
    expect(new Set(records.map(({partition}) => partition)).size).toBe(4)
  })

  test('what consume writes, produce takes: key, value, headers, timestamp and partition stay', async () => {
    const from = await create('envelope-from', '--partitions', '2')
    const to = await create('envelope-to', '--partitions', '2')
    const records = [
      {
        key: 'a',
        value: '1',
        headers: [
          ['trace', '1'],
          ['trace', '2'],
          ['none', null],
        ],
        timestamp: '2026-11-20T10:00:00.123Z',
      },
      {key: 'a', value: null, timestamp: '2026-11-20T10:00:01.000Z'},
      {key: null, value: '', timestamp: '2026-11-20T10:00:02.000Z', partition: 1},
      {key: '', value: {base64: '/wCA'}, timestamp: '2026-11-20T10:00:03.000Z'},
    ]
    const text = records.map((record) => JSON.stringify(record)).join('\n')

    await produce(from, text, '--format', 'records', '--keep-partition')
    const copy = await run(['consume', from, '--json'])
    await produce(to, copy.stdout, '--format', 'records', '--keep-partition')

    const bare = (all: Record<string, unknown>[]) => all.map(({topic: _, ...rest}) => JSON.stringify(rest)).sort()
    const there = await envelopes(to)
    expect(there).toHaveLength(4)
    expect(bare(there)).toEqual(bare(await envelopes(from)))
    expect(there).toContainEqual(
      expect.objectContaining({key: 'a', value: '1', headers: records[0]!.headers, timestamp: records[0]!.timestamp}),
    )
    expect(there).toContainEqual(expect.objectContaining({key: null, value: '', partition: 1}))
    expect(there).toContainEqual(expect.objectContaining({key: '', value: {base64: '/wCA'}}))
  })

  test('a part of a topic is read by offset, count, partition and time', async () => {
    const topic = await create('ranges')
    await produce(topic, 'a\nb\nc\nd\n')
    await sleep(50)
    const between = new Date().toISOString()
    await sleep(50)
    await produce(topic, 'e\nf\n')

    expect(await values(topic)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(await values(topic, '--from', '2', '--to', '4')).toEqual(['c', 'd'])
    expect(await values(topic, '--from', '-2')).toEqual(['e', 'f'])
    expect(await values(topic, '--from', between)).toEqual(['e', 'f'])
    expect(await values(topic, '--to', between)).toEqual(['a', 'b', 'c', 'd'])
    expect(await values(topic, '--limit', '3')).toEqual(['a', 'b', 'c'])
    expect(await values(topic, '--partition', '0', '--from', 'end')).toEqual([])
    expect((await run(['consume', topic, '--partition', '7'])).code).not.toBe(0)
  })

  test('a group goes on after what it has read', async () => {
    const topic = await create('grouped', '--partitions', '2')
    const group = ['--group', `${topic}-readers`]
    await produce(topic, 'a\nb\nc\n')

    expect((await values(topic, ...group)).sort()).toEqual(['a', 'b', 'c'])
    await produce(topic, 'd\n')
    expect(await values(topic, ...group)).toEqual(['d'])
    expect(await values(topic)).toHaveLength(4)
  })

  test('what does not exist is exit 3', async () => {
    const absent = named('absent')

    expect((await run(['consume', absent])).code).toBe(3)
    expect((await run(['produce', absent], {input: 'x\n'})).code).toBe(3)
    expect((await run(['topics', 'delete', absent, '--yes'])).code).toBe(3)
    expect((await json(['topics', 'list'])).map(({name}: {name: string}) => name)).not.toContain(absent)
  })

  test('doctor finds nothing wrong', async () => {
    const {code, stdout} = await run(['doctor'])

    expect({code, stdout}).toMatchObject({code: 0})
  })
}

/** Bytes that are no UTF-8 would not survive `stdout` as text; any other may stand in a line. */
function randomLine(): Buffer {
  return Buffer.from(randomBytes(64).toString('latin1').replaceAll('\n', ' '))
}

function checksum(lines: readonly string[]): string {
  return createHash('sha256')
    .update([...lines].sort().join('\n'))
    .digest('hex')
}
