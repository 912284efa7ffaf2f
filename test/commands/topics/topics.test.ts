import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {cleanHome, type Ended, type Home, skk, startSkkOnTerminal} from '../../support/skk.js'

let home: Home
beforeAll(async () => {
  home = await cleanHome()
  await home.local()
})
afterAll(() => home.remove())

const run = (line: string): Promise<Ended> => skk(line.split(' '), {home})
const json = async (line: string): Promise<any> => JSON.parse((await run(`${line} --json`)).stdout)

describe('topics create', () => {
  it('makes a topic with one partition and three replicas', async () => {
    const {code, stdout, stderr} = await run('topics create first')

    expect(stdout).toBe('created topic "first" (1 partition)\n')
    expect(stderr).toContain('acting on context "local"')
    expect(code).toBe(0)
    expect(await json('topics list')).toContainEqual({name: 'first', partitions: 1, replicas: 3, internal: false})
  })

  it('takes partitions and configuration', async () => {
    await run('topics create configured --partitions 4 --config retention.ms=86400000 --config cleanup.policy=compact')

    const [{partitions, configs}] = await json('topics describe configured')
    expect(partitions).toHaveLength(4)
    expect(configs).toContainEqual({name: 'retention.ms', value: '86400000', source: 'topic', readOnly: false})
    expect(configs).toContainEqual({name: 'cleanup.policy', value: 'compact', source: 'topic', readOnly: false})
  })

  it('of one that exists is exit 6', async () => {
    await run('topics create twice')

    const {code, stderr} = await run('topics create twice')

    expect(code).toBe(6)
    expect(stderr).toContain('error: topic "twice" already exists\nhint:  Add `--if-not-exists` if that is fine.')
  })

  it('with --if-not-exists accepts one that is as wanted, and tells the difference of one that is not', async () => {
    await run('topics create wanted --partitions 2 --config retention.ms=1000')

    expect(await run('topics create wanted --if-not-exists')).toMatchObject({
      code: 0,
      stdout: 'found topic "wanted" (2 partitions)\n',
    })
    expect((await run('topics create wanted --if-not-exists --partitions 2 --config retention.ms=1000')).code).toBe(0)
    const different = await run('topics create wanted --if-not-exists --partitions 3 --config retention.ms=2000')
    expect(different.code).toBe(6)
    expect(different.stderr).toContain(
      'error: topic "wanted" exists and is different: it has 2 partitions, not 3, retention.ms is 1000, not 2000',
    )
  })

  it('tries all of several, reports each, and is exit 7 when some failed', async () => {
    await run('topics create there')

    const {code, stdout, stderr} = await run('topics create there new-a new-b')

    expect(stdout).toBe('created topic "new-a" (1 partition)\ncreated topic "new-b" (1 partition)\n')
    expect(stderr).toContain('warning: topic "there" already exists')
    expect(stderr).toContain('error: 1 of 3 topics failed: "there"')
    expect(code).toBe(7)
  })

  it('under --json reports each of several on standard output too', async () => {
    await run('topics create there')

    const {code, stdout, stderr} = await run('topics create there new-c --json')

    expect(JSON.parse(stdout)).toMatchObject([
      {name: 'there', status: 'failed', error: {code: 'TOPIC_ALREADY_EXISTS', exitCode: 6}},
      {name: 'new-c', status: 'created'},
    ])
    expect(JSON.parse(stderr.trim().split('\n').at(-1)!)).toMatchObject({error: {code: 'PARTIAL', exitCode: 7}})
    expect(code).toBe(7)
  })

  it('has the code of the first failure when all failed', async () => {
    await run('topics create there')

    expect((await run('topics create there a@b')).code).toBe(6)
    expect((await run('topics create a@b there')).code).toBe(2)
  })

  it('refuses what MSK Serverless would refuse, before anything is sent', async () => {
    const {code, stderr} = await run('topics create refused --config segment.bytes=1')

    expect(stderr).toContain("Amazon MSK Serverless can't alter topic configuration segment.bytes")
    expect(code).toBe(2)
    expect((await run('topics create refused --config retention.ms=soon')).code).toBe(2)
    expect((await json('topics list')).map(({name}: {name: string}) => name)).not.toContain('refused')
  })

  it('does nothing on a dry run, and says what it would do', async () => {
    const {code, stdout} = await run('topics create imagined --dry-run')

    expect({code, stdout}).toEqual({code: 0, stdout: 'would create topic "imagined" (1 partition)\n'})
    expect((await json('topics list')).map(({name}: {name: string}) => name)).not.toContain('imagined')
  })

  it('without a name is exit 2, and says which line would do', async () => {
    const {code, stderr} = await run('topics create')

    expect(stderr).toContain('error: missing TOPIC')
    expect(stderr).toContain('`skk topics create orders`')
    expect(code).toBe(2)
  })

  it('asks for the name on a terminal, and echoes the command', async () => {
    const {child, says, ended} = startSkkOnTerminal(['topics', 'create'], {home})
    await says(/Name of the topic\?/)
    child.stdin!.write('\r')

    const {code, stdout} = await ended

    expect(stdout).toContain('$ skk topics create orders')
    expect(stdout).toContain('created topic "orders"')
    expect(code).toBe(0)
  })

  it('does not let --config eat a name', async () => {
    const {stdout} = await run('topics create --config retention.ms=1000 not-eaten')

    expect(stdout).toBe('created topic "not-eaten" (1 partition)\n')
  })
})

describe('topics list', () => {
  it('has a name per line with --plain', async () => {
    await run('topics create plain-one --partitions 2')

    const {stdout} = await run('topics list --plain')

    expect(stdout.split('\n')).toContain('plain-one\t2\t3')
  })
})

describe('topics describe', () => {
  it('shows leaders and offsets', async () => {
    await run('topics create described --partitions 2')
    await skk(['produce', 'described', '--partition', '1'], {home, input: 'a\nb\n'})

    const [{partitions}] = await json('topics describe described')

    expect(partitions.map(({earliestOffset, latestOffset}: any) => [earliestOffset, latestOffset])).toEqual([
      [0, 0],
      [0, 2],
    ])
    expect(partitions[0].leader).toBeGreaterThanOrEqual(0)
  })

  it('of a topic that does not exist is exit 3 with the nearest name', async () => {
    await run('topics create shipments')

    const {code, stderr} = await run('topics describe shipmnts')

    expect(stderr).toContain('error: topic "shipmnts" does not exist\nhint:  Did you mean "shipments"?')
    expect(code).toBe(3)
  })
})

describe('topics alter', () => {
  it('adds partitions, sets and resets configuration, and leaves the rest alone', async () => {
    await run('topics create altered --config retention.ms=1000 --config max.message.bytes=2000')

    const {code, stdout} = await run(
      'topics alter altered --partitions 3 --config retention.bytes=5000 --delete-config retention.ms',
    )

    expect({code, stdout}).toEqual({code: 0, stdout: 'altered topic "altered"\n'})
    const [{partitions, configs}] = await json('topics describe altered')
    const own = configs.filter(({source}: {source: string}) => source === 'topic').map(({name, value}: any) => `${name}=${value}`)
    expect(partitions).toHaveLength(3)
    expect(own).toEqual(['max.message.bytes=2000', 'retention.bytes=5000'])
  })

  it('refuses cleanup.policy before anything is sent, as MSK Serverless does', async () => {
    await run('topics create policed')

    const {code, stderr} = await run('topics alter policed --config cleanup.policy=compact')

    expect(stderr).toContain("error: Amazon MSK Serverless can't alter topic configuration cleanup.policy")
    expect(stderr).toContain('`skk topics create TOPIC --config cleanup.policy=compact`')
    expect(code).toBe(2)
  })

  it('never takes partitions away', async () => {
    await run('topics create shrinking --partitions 3')

    expect(await run('topics alter shrinking --partitions 2')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('`skk topics create TOPIC --partitions 2`'),
    })
  })

  it('that asks for what is already so changes nothing, and is content', async () => {
    await run('topics create wide-enough --partitions 3')

    expect(await run('topics alter wide-enough --partitions 3')).toMatchObject({
      code: 0,
      stdout: 'unchanged topic "wide-enough"\n',
    })
    expect(await run('topics alter wide-enough --partitions 3 --config retention.ms=1000')).toMatchObject({
      code: 0,
      stdout: 'altered topic "wide-enough"\n',
    })
  })

  it('with a key that MSK Serverless does not have names the flag that was typed', async () => {
    const refused = (line: string) => run(`topics alter anything ${line}`)

    expect(await refused('--config segment.ms=1')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('`--config segment.ms=…`'),
    })
    expect(await refused('--delete-config segment.ms')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('`--delete-config segment.ms`'),
    })
  })

  it('needs something to change', async () => {
    expect(await run('topics alter anything')).toMatchObject({code: 2, stderr: expect.stringContaining('nothing to change')})
  })

  it('changes nothing on a dry run', async () => {
    await run('topics create steady')

    const {stdout} = await run('topics alter steady --partitions 5 --dry-run')

    expect(stdout).toBe('would alter topic "steady"\n')
    expect((await json('topics describe steady'))[0].partitions).toHaveLength(1)
  })
})

describe('topics delete', () => {
  it('needs --yes without a terminal, and deletes with it', async () => {
    await run('topics create doomed')

    expect(await run('topics delete doomed')).toMatchObject({code: 2, stderr: expect.stringContaining('--yes')})
    expect(await run('topics delete doomed --yes')).toMatchObject({code: 0, stdout: 'deleted topic "doomed"\n'})
    expect(await run('topics describe doomed')).toMatchObject({code: 3})
  })

  it('of a topic that does not exist is exit 3, without a question', async () => {
    const {code, stderr} = await run('topics delete nowhere')

    expect(code).toBe(3)
    expect(stderr).toContain('hint:  See what exists with `skk topics list`.')
  })

  it('deletes what exists of several, exit 7', async () => {
    await run('topics create half')

    const {code, stdout} = await run('topics delete half nowhere --yes')

    expect(stdout).toBe('deleted topic "half"\n')
    expect(code).toBe(7)
  })

  it('deletes nothing on a dry run', async () => {
    await run('topics create spared')

    expect(await run('topics delete spared --dry-run')).toMatchObject({code: 0, stdout: 'would delete topic "spared"\n'})
    expect(await run('topics describe spared')).toMatchObject({code: 0})
  })
})
