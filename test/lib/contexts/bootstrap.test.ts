import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {createServer, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, expect, it} from 'vitest'

import {bootstrapOf, forget, isProtected, locate} from '../../../src/lib/contexts/bootstrap.js'
import {saveContext} from '../../../src/lib/contexts/config-file.js'
import type {Target} from '../../../src/lib/contexts.js'

const ARN = 'arn:aws:kafka:eu-west-1:123456789012:cluster/orders/1a2b-s1'
const BROKERS = 'boot-1.c1.kafka-serverless.eu-west-1.amazonaws.com:9098'

let directory: string
let server: Server
let calls: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skk-bootstrap-'))
  calls = []
  const cluster = {clusterArn: ARN, clusterName: 'orders', state: 'ACTIVE', clusterType: 'SERVERLESS'}
  server = createServer((request, response) => {
    calls.push(request.url!.split('?')[0]!)
    const body = request.url!.includes('bootstrap-brokers')
      ? {bootstrapBrokerStringSaslIam: BROKERS}
      : request.url!.includes('clusterNameFilter')
        ? {clusterInfoList: [{...cluster, clusterName: 'orders-old', clusterArn: 'other'}, cluster]}
        : {clusterInfo: cluster}
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
})
afterEach(async () => {
  server.close()
  await rm(directory, {recursive: true})
})

/** Not by its loopback address, because answers of this machine are not remembered. */
const target = (over: Partial<Target> = {}): Target => ({
  context: undefined,
  cluster: 'orders',
  bootstrap: undefined,
  region: 'eu-west-1',
  auth: 'iam',
  tls: true,
  ca: undefined,
  via: undefined,
  endpointUrl: `http://0.0.0.0:${(server.address() as AddressInfo).port}`,
  credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'test'}),
  protected: false,
  serverless: false,
  timeoutMs: 5_000,
  cacheDir: join(directory, 'cache'),
  account: {},
  ...over,
})

it('a bootstrap is taken as it is, without asking anybody', async () => {
  expect(await bootstrapOf(target({cluster: undefined, bootstrap: 'a:1, b:2'}))).toEqual(['a:1', 'b:2'])
  expect(calls).toEqual([])
})

it('a name becomes the address of the cluster of exactly that name, once in five minutes', async () => {
  expect(await locate(target())).toEqual({arn: ARN, bootstrap: [BROKERS]})
  expect(calls).toHaveLength(2)

  expect(await bootstrapOf(target())).toEqual([BROKERS])

  expect(calls).toHaveLength(2)
  const cache = join(directory, 'cache', 'bootstrap.json')
  expect((await stat(cache)).mode & 0o777).toBe(0o600)
  await writeFile(cache, (await readFile(cache, 'utf8')).replace(/"at":\d+/, `"at":${Date.now() - 301_000}`))
  await bootstrapOf(target())
  expect(calls).toHaveLength(4)
})

it('another account, region or endpoint does not get a remembered address, nor does a forgotten cluster', async () => {
  await bootstrapOf(target())
  await bootstrapOf(target({region: 'us-east-1'}))
  expect(calls).toHaveLength(4)

  await bootstrapOf(target({account: {credentials: {profile: 'other'}}}))
  expect(calls).toHaveLength(6)

  await forget(target(), ARN)
  await bootstrapOf(target())
  expect(calls).toHaveLength(8)
})

it('a broken cache is no cache', async () => {
  await bootstrapOf(target())
  await writeFile(join(directory, 'cache', 'bootstrap.json'), '{"version":')

  expect(await bootstrapOf(target())).toEqual([BROKERS])
})

it('protection is found by ARN, by name in the region, and by an address in common', async () => {
  const configDir = join(directory, 'config')
  const under = async (context: object) => {
    await saveContext(configDir, 'production', {...context, protected: true})
    return isProtected(target(), {configDir, dataDir: configDir})
  }

  expect(await under({cluster: ARN})).toBe(true)
  expect(await under({cluster: 'orders', region: 'eu-west-1'})).toBe(true)
  expect(await under({cluster: 'orders', region: 'us-east-1'})).toBe(false)
  expect(await under({cluster: 'orders-old'})).toBe(false)
  expect(await under({bootstrap: BROKERS.toUpperCase()})).toBe(true)
  expect(await under({bootstrap: 'elsewhere:9098'})).toBe(false)
})

it("a bootstrap is protected when it was looked up for a protected context's ARN before", async () => {
  const configDir = join(directory, 'config')
  await saveContext(configDir, 'production', {cluster: ARN, protected: true})
  const byAddress = target({cluster: undefined, bootstrap: BROKERS})
  expect(await isProtected(byAddress, {configDir, dataDir: configDir})).toBe(false)

  await bootstrapOf(target({cluster: ARN}))

  expect(await isProtected(byAddress, {configDir, dataDir: configDir})).toBe(true)
})
