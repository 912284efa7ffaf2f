import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {type Context, saveContext} from '../../src/lib/contexts/config-file.js'
import {resolveAccount, resolveTarget, type Surroundings, type TargetFlags} from '../../src/lib/contexts.js'

const ARN = 'arn:aws:kafka:eu-west-1:123456789012:cluster/orders/1a2b3c4d-1a2b-1a2b-1a2b-1a2b3c4d5e6f-s1'
const stack = {
  accessKeyId: 'test',
  secretAccessKey: 'secret',
  bootstrap: '127.0.0.1:9098',
  endpoint: 'http://127.0.0.1:9911',
  region: 'us-east-1',
  clusterArn: 'arn:aws:kafka:us-east-1:123456789012:cluster/local/1-s1',
  pid: process.pid,
  token: 't',
}

let directory: string
let surroundings: Surroundings

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skk-contexts-'))
  const [configDir, cacheDir, dataDir, cwd] = ['config', 'cache', 'data', 'work'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
    string,
  ]
  surroundings = {configDir, cacheDir, dataDir, cwd, env: {AWS_REGION: 'ap-south-1'}}
  await mkdir(cwd)
})
afterEach(() => rm(directory, {recursive: true}))

const context = (name: string, settings: Context, use = false) => saveContext(surroundings.configDir, name, settings, {use})
const resolve = (flags: TargetFlags = {}, env: NodeJS.ProcessEnv = {}) =>
  resolveTarget(flags, {...surroundings, env: {...surroundings.env, ...env}})
const project = (yaml: string, where = surroundings.cwd) => writeFile(join(where, 'skk.yaml'), yaml)

async function startStack(over: object = {}) {
  await mkdir(join(surroundings.dataDir, 'local'), {recursive: true})
  await writeFile(join(surroundings.dataDir, 'local', 'stack.json'), JSON.stringify({...stack, ...over}))
  await context('local', {credentials: 'local'})
}

describe('which cluster', () => {
  it('nothing chosen is a usage error that says how to choose', async () => {
    await expect(resolve()).rejects.toMatchObject({
      exitCode: 2,
      code: 'CLUSTER_MISSING',
      hint: expect.stringContaining('`skk local start`'),
    })
  })

  it('--bootstrap > --context > SKK_CONTEXT > skk.yaml > current', async () => {
    for (const name of ['flag', 'variable', 'project', 'current'])
      await context(name, {bootstrap: `${name}:1`}, name === 'current')
    const chosen = async (flags: TargetFlags, env = {}) => (await resolve(flags, env)).bootstrap

    expect(await chosen({})).toBe('current:1')
    await project('context: project')
    expect(await chosen({})).toBe('project:1')
    expect(await chosen({}, {SKK_CONTEXT: 'variable'})).toBe('variable:1')
    expect(await chosen({context: 'flag'}, {SKK_CONTEXT: 'variable'})).toBe('flag:1')
    expect(await chosen({context: 'flag', bootstrap: 'b:1'}, {SKK_CONTEXT: 'variable'})).toBe('b:1')
  })

  it('a context that does not exist is not found, with the nearest name', async () => {
    await context('staging', {cluster: ARN})

    await expect(resolve({context: 'stagin'})).rejects.toMatchObject({exitCode: 3, hint: expect.stringContaining('"staging"')})
  })

  it('--cluster replaces the cluster of the context and keeps its credentials and its route', async () => {
    await context('staging', {
      cluster: 'a',
      bootstrap: 'h:1',
      region: 'eu-west-1',
      via: 'socks5://h:1',
      credentials: {profile: 'p'},
      protected: true,
    })

    const target = await resolve({cluster: 'b'})

    expect(target).toMatchObject({cluster: 'b', bootstrap: undefined, region: 'eu-west-1', via: 'socks5://h:1', protected: false})
    expect(target.account).toMatchObject({credentials: {profile: 'p'}})
  })

  it.each(['context', 'cluster', 'bootstrap', 'profile', 'region'])(
    '--%s without a value does not mean the current context',
    async (flag) => {
      await context('current', {cluster: ARN})

      await expect(resolve({[flag]: ''})).rejects.toMatchObject({exitCode: 2, message: `--${flag} is empty`})
    },
  )

  it('a --cluster that can be neither name nor ARN is a usage error', async () => {
    for (const cluster of [
      'or ders',
      'orders/1',
      '-orders',
      'arn:aws:kafka:eu-west-1:1:cluster/orders',
      ARN.replace('kafka', 'sqs'),
    ])
      await expect(resolve({cluster, region: 'eu-west-1'}), cluster).rejects.toMatchObject({
        exitCode: 2,
        message: `"${cluster}" is neither the name nor the ARN of an MSK cluster`,
      })
    expect((await resolve({cluster: ARN})).cluster).toBe(ARN)
  })

  it('a malformed bootstrap is a usage error', async () => {
    await expect(resolve({bootstrap: 'host'})).rejects.toMatchObject({
      exitCode: 2,
      message: '"host" is not an address of a broker',
    })
    await expect(resolve({bootstrap: 'host:99999'})).rejects.toMatchObject({exitCode: 2})
    await expect(resolve({bootstrap: ','})).rejects.toMatchObject({exitCode: 2})
    expect((await resolve({bootstrap: '[::1]:9092,b:1'})).bootstrap).toBe('[::1]:9092,b:1')
  })
})

describe('a project file', () => {
  beforeEach(() => context('mine', {cluster: ARN}))

  it('is found up to the root of the repository, and not above', async () => {
    const repository = join(directory, 'repo')
    await mkdir(join(repository, 'a', 'b'), {recursive: true})
    await context('other', {cluster: 'other'})
    await project('context: other', repository)
    const from = async (cwd: string) => (await resolveTarget({}, {...surroundings, cwd})).cluster

    expect(await from(join(repository, 'a', 'b'))).toBe(ARN)
    await mkdir(join(repository, '.git'))
    expect(await from(join(repository, 'a', 'b'))).toBe('other')
    await mkdir(join(repository, 'a', '.git'))
    expect(await from(join(repository, 'a', 'b'))).toBe(ARN)
  })

  it.each(['cluster', 'bootstrap', 'endpoint', 'endpointUrls', 'profile', 'region', 'credentials', 'via', 'route', 'protected'])(
    'must not define "%s"',
    async (key) => {
      await project(`context: mine\n${key}: evil.example:9092\n`)

      await expect(resolve()).rejects.toMatchObject({exitCode: 2, message: expect.stringContaining(`must not set "${key}"`)})
    },
  )

  it('with an unknown key, with something else than a text, or of another shape is refused', async () => {
    for (const [yaml, message] of [
      ['contxt: mine', 'has an unknown key "contxt"'],
      ['context: [mine]', 'needs a text for "context"'],
      ['- context', 'must be a list of settings'],
      ['a: b: c', 'is not YAML'],
    ] as const) {
      await project(yaml)
      await expect(resolve(), yaml).rejects.toMatchObject({exitCode: 2, message: expect.stringContaining(message)})
    }
  })

  it('can only name a context of the user', async () => {
    await project('context: theirs')

    await expect(resolve()).rejects.toMatchObject({message: expect.stringContaining('context "theirs" does not exist')})
  })
})

describe('region', () => {
  it('is that of --region > context > ARN > AWS_REGION > AWS_DEFAULT_REGION', async () => {
    await context('silent', {cluster: 'orders'})
    await context('with', {cluster: ARN, region: 'eu-north-1'})
    await context('without', {cluster: ARN})
    const region = async (flags: TargetFlags, env = {}) => (await resolve(flags, env)).region

    expect(await region({context: 'with', region: 'sa-east-1'})).toBe('sa-east-1')
    expect(await region({context: 'with'})).toBe('eu-north-1')
    expect(await region({context: 'without'})).toBe('eu-west-1')
    expect(await region({context: 'with', cluster: ARN})).toBe('eu-west-1')
    expect(await region({cluster: 'by-name'})).toBe('ap-south-1')
    expect(await region({cluster: 'by-name'}, {AWS_REGION: '', AWS_DEFAULT_REGION: 'us-west-2'})).toBe('us-west-2')
  })

  it("is in the name of MSK's brokers", async () => {
    const bootstrap = 'boot-1a2b.c1.kafka-serverless.eu-west-3.amazonaws.com:9098'

    expect((await resolve({bootstrap})).region).toBe('eu-west-3')
  })
})

describe('the local stack', () => {
  beforeEach(() => startStack())

  it('is not what --bootstrap and --cluster name, so its context is not said to act', async () => {
    expect(await resolve({bootstrap: '127.0.0.1:19092'})).toMatchObject({context: undefined, region: 'ap-south-1'})
    expect(await resolve({cluster: 'shop'})).toMatchObject({context: undefined, region: 'ap-south-1'})
    expect(await resolve({cluster: 'shop', context: 'local'})).toMatchObject({context: 'local', region: 'us-east-1'})
  })

  it('has its own address, keys, region and endpoint, with nothing of the machine', async () => {
    const broken = {
      AWS_PROFILE: 'does-not-exist',
      AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
      AWS_ENDPOINT_URL: 'https://elsewhere.example',
      HOME: '',
    }

    const target = await resolve({}, broken)

    expect(target).toMatchObject({
      context: 'local',
      bootstrap: '127.0.0.1:9098',
      region: 'us-east-1',
      tls: false,
      endpointUrl: 'http://127.0.0.1:9911',
      serverless: true,
    })
    expect(await target.credentials()).toEqual({accessKeyId: 'test', secretAccessKey: 'secret'})
  })

  it('speaks TLS with its own authority when it has one, and has no Serverless rules when it is wide', async () => {
    await startStack({ca: '/tmp/ca.pem', apiProfile: 'wide'})

    expect(await resolve()).toMatchObject({tls: true, ca: '/tmp/ca.pem', serverless: false})
  })

  it.each(['profile', 'region'] as const)('does not go with --%s', async (flag) => {
    await expect(resolve({[flag]: 'x'})).rejects.toMatchObject({
      exitCode: 2,
      code: 'WORLDS_MIXED',
      message: expect.stringContaining(`--${flag}`),
    })
  })

  it('that does not run is unavailable', async () => {
    await startStack({pid: 2 ** 22 + 1})

    await expect(resolve()).rejects.toMatchObject({
      exitCode: 5,
      code: 'LOCAL_NOT_RUNNING',
      hint: expect.stringContaining('`skk local start`'),
    })
  })

  it('is left when --cluster or --bootstrap name another cluster, and kept when --context names it too', async () => {
    expect(await resolve({bootstrap: 'b:1'})).toMatchObject({
      endpointUrl: undefined,
      tls: true,
      region: 'ap-south-1',
      serverless: false,
    })
    expect(await resolve({cluster: 'demo', context: 'local'})).toMatchObject({
      cluster: 'demo',
      endpointUrl: 'http://127.0.0.1:9911',
      tls: false,
    })
    await expect(resolve({bootstrap: 'b:1', context: 'local'})).rejects.toMatchObject({code: 'WORLDS_MIXED'})
  })
})

describe('a loopback endpoint in the environment', () => {
  it.each(['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_KAFKA'])('%s does not go with a context that is elsewhere', async (variable) => {
    await context('staging', {cluster: ARN})

    await expect(resolve({}, {[variable]: 'http://127.0.0.1:9911'})).rejects.toMatchObject({
      exitCode: 2,
      code: 'WORLDS_MIXED',
      message: expect.stringContaining(variable),
    })
  })

  it('serves where no context has a say', async () => {
    const target = await resolve({cluster: 'demo'}, {AWS_ENDPOINT_URL_KAFKA: 'http://localhost:9911'})

    expect(target).toMatchObject({endpointUrl: 'http://localhost:9911', tls: false, cluster: 'demo'})
  })
})

describe('tls', () => {
  it('is on, off on loopback, and as told when told', async () => {
    expect((await resolve({bootstrap: 'b:1'})).tls).toBe(true)
    expect((await resolve({bootstrap: 'localhost:1,127.0.0.1:2,[::1]:3'})).tls).toBe(false)
    expect((await resolve({bootstrap: 'localhost:1,b:2'})).tls).toBe(true)
    expect((await resolve({bootstrap: 'localhost.example:1'})).tls).toBe(true)
    expect((await resolve({bootstrap: 'localhost:1', tls: true})).tls).toBe(true)
    expect((await resolve({bootstrap: 'b:1', tls: false})).tls).toBe(false)
  })

  it('that is off does not go with --ca, which would be of no use', async () => {
    const wrong = {exitCode: 2, hint: 'Add `--tls`, or leave out `--ca`.'}

    await expect(resolve({bootstrap: 'localhost:1', ca: 'ca.pem'})).rejects.toMatchObject(wrong)
    await expect(resolve({bootstrap: 'b:1', ca: 'ca.pem', tls: false})).rejects.toMatchObject(wrong)
    expect((await resolve({bootstrap: 'localhost:1', ca: 'ca.pem', tls: true})).ca).toBe('ca.pem')
    expect((await resolve({bootstrap: 'b:1', ca: 'ca.pem'})).ca).toBe('ca.pem')
  })
})

describe('Serverless rules', () => {
  it('apply to clusters known to be Serverless only', async () => {
    expect((await resolve({cluster: ARN})).serverless).toBe(true)
    expect((await resolve({cluster: ARN.replace('-s1', '-1')})).serverless).toBe(false)
    expect((await resolve({cluster: 'orders'})).serverless).toBe(false)
    expect((await resolve({bootstrap: 'b:1'})).serverless).toBe(false)
  })
})

describe('an account', () => {
  it('needs no cluster', async () => {
    expect(await resolveAccount({region: 'eu-west-1'}, surroundings)).toMatchObject({region: 'eu-west-1', cluster: undefined})
  })
})
