import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {cleanHome, type Home, skk} from '../../support/skk.js'

let home: Home
beforeAll(async () => {
  home = await cleanHome()
  await home.local()
})
afterAll(() => home.remove())

const clusters = (line: string, env: NodeJS.ProcessEnv = {}) => skk(['clusters', ...line.split(' ')], {home, env})
const json = async (line: string) => JSON.parse((await clusters(`${line} --json`)).stdout)

describe('clusters create', () => {
  it('waits until the cluster is active and says where it is', async () => {
    const {code, stdout, stderr} = await clusters('create first --tags team=orders --json')

    const created = JSON.parse(stdout)
    expect(created).toMatchObject({name: 'first', state: 'ACTIVE', context: null, tags: {team: 'orders'}})
    expect(created.arn).toMatch(/:cluster\/first\//)
    expect(created.bootstrap).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(stderr).toContain('acting on context "local"')
    expect(code).toBe(0)
  })

  it('works in the way the README types it, with nothing of the machine', async () => {
    const {code, stdout} = await clusters('create readme --yes', {
      AWS_PROFILE: 'broken',
      HOME: '/nonexistent',
      AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
    })

    expect(stdout).toMatch(/^NAME +STATE +ARN +BOOTSTRAP\nreadme +ACTIVE +arn:/)
    expect(code).toBe(0)
  })

  it('of a name that is taken is 6, and with --if-not-exists 0 if it is as wanted', async () => {
    await clusters('create taken --subnets subnet-1,subnet-2 --tags a=b')

    expect(await clusters('create taken')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('cluster "taken" exists already'),
    })
    expect(await clusters('create taken --if-not-exists --subnets subnet-2 --subnets subnet-1')).toMatchObject({code: 0})
    const other = await clusters('create taken --if-not-exists --subnets subnet-1,subnet-3 --tags a=c')
    expect(other.stderr).toContain('exists, but not like this: its subnets are subnet-1, subnet-2; its tag "a" is "b"')
    expect(other.code).toBe(6)
  })

  it('--use makes a context of that name, which reaches its brokers', async () => {
    const other = await cleanHome()
    try {
      await other.local()
      const created = await skk(['clusters', 'create', 'demo', '--use', '--json'], {home: other})
      expect(JSON.parse(created.stdout)).toMatchObject({context: 'demo'})

      await skk(['topics', 'create', 'orders'], {home: other})

      expect(JSON.parse((await skk(['topics', 'list', '--query', '[].name'], {home: other})).stdout)).toEqual(['orders'])
      expect(JSON.parse((await skk(['topics', 'list', '--query', '[].name', '-c', 'local'], {home: other})).stdout)).toEqual([])
    } finally {
      await other.remove()
    }
  })

  it.each([
    ['create a/b', '"a/b" cannot be the name of a cluster'],
    ['create x --subnets subnet-1', 'at least 2 subnets'],
    ['create x --subnets subnet-1,vpc-2', '"vpc-2" is not the id of a subnet'],
    ['create x --security-groups default', '"default" is not the id of a security group'],
    ['create x --tags team', '"team" is not a tag'],
  ])('`clusters %s` is refused before AWS is asked', async (line, message) => {
    const {code, stderr} = await clusters(line)

    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })

  it('outside of this machine says its price with the date, and needs --yes', async () => {
    const line = 'create demo --subnets subnet-1,subnet-2 --region eu-west-1'
    const elsewhere = await cleanHome()
    const {code, stderr} = await skk(['clusters', ...line.split(' ')], {home: elsewhere})
    await elsewhere.remove()

    expect(stderr).toMatch(/costs about \$\d+ a month .*prices as of \d{4}-\d\d-\d\d/)
    expect(stderr).toContain('`skk clusters create demo --subnets subnet-1,subnet-2 --region eu-west-1 --yes`')
    expect(code).toBe(2)
  })

  it('names everything that is missing at once', async () => {
    const elsewhere = await cleanHome()
    const {code, stderr} = await skk(['clusters', 'create'], {home: elsewhere})
    await elsewhere.remove()

    expect(stderr).toContain('error: missing NAME and --subnets')
    expect(stderr).toContain('`skk clusters create demo --subnets subnet-1a,subnet-2b`')
    expect(code).toBe(2)
  })

  it('makes nothing under --dry-run', async () => {
    const {code, stderr} = await clusters('create imagined --dry-run')

    expect(stderr).toContain('would create cluster "imagined"')
    expect(code).toBe(0)
    expect((await json('list')).map(({name}: {name: string}) => name)).not.toContain('imagined')
  })

  it('ends with 8 when --timeout passes while AWS is at it', async () => {
    const slow = await cleanHome()
    await slow.local({createDelayMs: 60_000})
    const {code, stdout, stderr} = await skk(['clusters', 'create', 'slow', '--timeout', '1s', '--json'], {home: slow})
    await slow.remove()

    expect(JSON.parse(stderr.trim().split('\n').at(-1)!).error).toMatchObject({code: 'PENDING', exitCode: 8, retryable: true})
    expect({code, stdout}).toEqual({code: 8, stdout: ''})
  })
})

describe('clusters list and describe', () => {
  it('show the clusters of the account', async () => {
    expect((await json('list')).find(({name}: {name: string}) => name === 'local')).toMatchObject({
      state: 'ACTIVE',
      type: 'SERVERLESS',
    })
    expect((await clusters('list --plain')).stdout).toMatch(/^local\tACTIVE\tSERVERLESS\t/m)
  })

  it('describe takes the cluster of the context, a name or an ARN', async () => {
    const own = await json('describe')

    expect(own).toMatchObject({name: 'local', bootstrap: expect.stringMatching(/^127/)})
    expect(await json('describe local')).toEqual(own)
    expect(await json(`describe ${own.arn}`)).toEqual(own)
    expect((await clusters('describe local')).stdout).toMatch(/^state +ACTIVE$/m)
  })

  it('of a cluster that is not there is 3', async () => {
    expect(await clusters('describe nope')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('cluster "nope" does not exist in us-east-1'),
    })
  })
})

describe('clusters delete', () => {
  it('asks, waits until it is gone, and is 3 after that', async () => {
    await clusters('create old')

    expect(await clusters('delete old')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('`skk clusters delete old --yes`'),
    })
    expect(await clusters('delete old --dry-run')).toMatchObject({code: 0, stderr: expect.stringContaining('would delete')})
    expect(await json('delete old --yes')).toMatchObject({name: 'old', state: 'DELETED'})
    expect(await clusters('delete old --yes')).toMatchObject({code: 3})
  })

  it('of a protected cluster wants its name, whatever context names it', async () => {
    const {arn} = await json('create guarded')
    await home.context('guarded', {cluster: arn, credentials: 'local', protected: true})

    expect(await clusters('delete guarded --yes')).toMatchObject({code: 2, stderr: expect.stringContaining('--confirm guarded')})
    expect(await clusters('delete guarded --confirm guarded')).toMatchObject({code: 0})
  })
})

it('a protected context of the local stack protects its cluster, whatever names it', async () => {
  const own = await cleanHome()
  onTestFinished(() => own.remove())
  const {plaintextBootstrap} = await own.local()
  await own.context('kept', {credentials: 'local', protected: true})
  const ended = (...args: string[]) => skk(args, {home: own})
  await ended('topics', 'create', 'orders')

  const cluster = await ended('clusters', 'delete', 'local', '--context', 'kept', '--yes')
  const topic = await ended('topics', 'delete', 'orders', '--context', 'local', '--yes')
  const byAddress = await ended('topics', 'delete', 'orders', '--bootstrap', plaintextBootstrap!, '--auth', 'none', '--yes')
  const confirmed = await ended('topics', 'delete', 'orders', '--confirm', 'orders')

  expect(cluster).toMatchObject({code: 2, stderr: expect.stringContaining('--confirm local')})
  expect([topic.code, byAddress.code]).toEqual([2, 2])
  expect(confirmed.code).toBe(0)
})
