import {createServer} from 'node:http'
import {type AddressInfo, createServer as createTcpServer} from 'node:net'
import {join} from 'node:path'

import {beforeAll, expect, it, onTestFinished} from 'vitest'

import {installKcat} from '../engines/install.js'
import {stopStackOf} from '../support/person.js'
import {cleanHome, type Home, skk, startSkk} from '../support/skk.js'
import {countsOf, numbered} from './command-line.js'
import {judge, readWithKcat} from './count.js'

const RECORDS = 20_000
const FREE_PORTS = ['--port', '0', '--plaintext-port', '0', '--http-port', '0']
const KILLS = process.env['SKK_FULL'] ? 50 : 3

beforeAll(() => installKcat())

async function person(): Promise<Home> {
  const home = await cleanHome()
  onTestFinished(async () => {
    await stopStackOf(home)
    await home.remove()
  })
  return home
}

it('7: logins end every three seconds: a hundred and more of them, and every record once', async () => {
  const home = await cleanHome()
  onTestFinished(() => home.remove())
  const local = await home.local({brokers: 3, maxSessionMs: 3_000, plaintextPort: {wanted: 0, mayMove: true}})
  await skk(['topics', 'create', 'orders', '--partitions', '3', '--config', 'max.message.bytes=1000'], {home})
  const logins = local.faults.add({api: 36, action: 'delay', when: 'before', ms: 0})
  local.faults.add({api: 0, action: 'delay', when: 'after', ms: 40})

  const ended = await skk(['produce', 'orders'], {home, input: numbered(0, RECORDS)})

  expect([ended.code, countsOf(ended)]).toEqual([0, {read: RECORDS, acked: RECORDS, rejected: 0, unknown: 0, unsent: 0}])
  expect(local.faults.list().find(({id}) => id === logins.id)!.hits).toBeGreaterThan(100)
  const verdict = judge(await readWithKcat(local.plaintextBootstrap!, 'orders'), RECORDS)
  expect(verdict).toEqual({stored: RECORDS, lost: 0, duplicated: 0, reordered: 0})
})

it('24: a cluster was created, but the answer got lost: it is taken over, exit 0', async () => {
  const home = await person()
  const posts: {clusterName: string; tags: Record<string, string>}[] = []
  const arn = 'arn:aws:kafka:us-east-1:123456789012:cluster/demo/1-s1'
  const api = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    if (request.method === 'POST') {
      posts.push(JSON.parse(text))
      request.socket.destroy()
      return
    }
    const [made] = posts
    const cluster = made && {
      clusterArn: arn,
      clusterName: made.clusterName,
      tags: made.tags,
      state: 'ACTIVE',
      clusterType: 'SERVERLESS',
    }
    const bodies = request.url!.includes('bootstrap')
      ? {bootstrapBrokerStringSaslIam: 'boot.example:9098'}
      : request.url!.includes('cluster%2Fdemo')
        ? {clusterInfo: cluster}
        : {clusterInfoList: cluster ? [cluster] : []}
    response.setHeader('content-type', 'application/json').end(JSON.stringify(bodies))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void api.close())
  await new Promise((resolve) => api.once('listening', resolve))
  const endpoint = `http://127.0.0.1:${(api.address() as AddressInfo).port}`

  const args = ['clusters', 'create', 'demo', '--subnets', 'subnet-1a,subnet-2b', '--yes', '--json']
  const {code, stdout, stderr} = await skk([...args, '--endpoint-url', endpoint, '--region', 'us-east-1'], {
    home,
    env: {AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test'},
  })

  expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')])
  expect(JSON.parse(stdout)).toMatchObject({name: 'demo', arn, state: 'ACTIVE'})
  expect(posts).toHaveLength(1)
})

it(`32: the stack is killed in the middle of a write, ${KILLS} times: it starts, and what was acknowledged is there once`, async () => {
  const home = await person()
  const start = async () => JSON.parse((await skk(['local', 'start', '--json', ...FREE_PORTS], {home})).stdout)
  let {pid, plaintextBootstrap} = await start()
  await skk(['topics', 'create', 'orders', '--config', 'max.message.bytes=2000'], {home})
  let [acked, unknown] = [0, 0]

  for (let round = 0; round < KILLS; round++) {
    const slowly = ['--action', 'delay', '--when', 'after', '--delay', '30ms', '--api', 'Produce', '--forever']
    await skk(['local', 'faults', 'add', ...slowly], {home})
    const input = numbered(round * RECORDS, (round + 1) * RECORDS)
    const running = startSkk(['produce', 'orders', '--delivery-timeout', '1s'], {home, input})
    const hits = async () => JSON.parse((await skk(['local', 'faults', 'list', '--json'], {home})).stdout)[0].hits
    await expect.poll(hits, {timeout: 30_000, interval: 5}).toBeGreaterThan(2)
    process.kill(pid, 'SIGKILL')
    const ended = await running.ended
    ;({pid, plaintextBootstrap} = await start())
    const counts = countsOf(ended)
    acked += counts.acked
    unknown += counts.unknown
  }

  const records = await readWithKcat(plaintextBootstrap, 'orders')
  const values = records.map(({value}) => value)
  expect(new Set(values).size).toBe(values.length)
  expect(values.length).toBeGreaterThanOrEqual(acked)
  expect(values.length).toBeLessThanOrEqual(acked + unknown)
  expect(acked).toBeGreaterThan(0)
  expect(acked).toBeLessThan(KILLS * RECORDS)
})

it('33: a port is taken: exit 6, and which', async () => {
  const home = await person()
  const other = createTcpServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await new Promise((resolve) => other.once('listening', resolve))
  const {port} = other.address() as AddressInfo

  const args = ['local', 'start', '--plaintext-port', '0', '--http-port', '0', '--port', String(port)]
  const {code, stderr} = await skk(args, {home})

  expect(code).toBe(6)
  expect(stderr).toContain(`error: port ${port} is taken`)
})

it('33: the stack of a stale pid is taken over', async () => {
  const home = await person()
  const started = JSON.parse((await skk(['local', 'start', '--json', ...FREE_PORTS], {home})).stdout)
  process.kill(started.pid, 'SIGKILL')

  const again = await skk(['local', 'start', '--json', ...FREE_PORTS], {home})

  expect(again.code).toBe(0)
  expect(JSON.parse(again.stdout).pid).not.toBe(started.pid)
  expect(JSON.parse(again.stdout).dataDir).toBe(join(home.dataDir, 'local'))
})
