import net from 'node:net'

import {describe, expect, it} from 'vitest'

import type {SkkError} from '../../../src/lib/errors.js'
import {withCluster} from '../../../src/lib/kafka/client.js'
import type {KafkaTarget} from '../../../src/lib/kafka/target.js'
import {createTopics, describeTopic, listTopics} from '../../../src/lib/kafka/topics.js'
import {parseVia} from '../../../src/lib/kafka/via.js'
import {authority} from '../../support/certificates.js'
import {namedBrokers} from '../../support/named-brokers.js'
import {closedPort, forwarder, listening, sniRouter, socks5} from '../../support/tunnels.js'

describe('the address of a tunnel', () => {
  it.each([
    ['socks5://localhost:1080', {kind: 'socks5', host: 'localhost', port: 1080}],
    ['socks5://[::1]:1080/', {kind: 'socks5', host: '::1', port: 1080}],
    ['tcp:127.0.0.1:19098', {kind: 'tcp', host: '127.0.0.1', port: 19_098}],
    ['tcp://127.0.0.1:19098', {kind: 'tcp', host: '127.0.0.1', port: 19_098}],
  ])('%s is one', (via, tunnel) => {
    expect(parseVia(via)).toEqual(tunnel)
  })

  it.each([
    '',
    'localhost:1080',
    'socks4://h:1',
    'socks5:h:1',
    'tcp:h',
    'tcp:h:0',
    'tcp:h:65536',
    'tcp:h:1/x',
    'ssh:h:1',
    'tcp: h:1',
  ])('"%s" is none: exit 2', (via) => {
    expect(() => parseVia(via)).toThrow(expect.objectContaining({exitCode: 2, message: `"${via}" is not a tunnel`}))
  })

  it('holds no password, and the refusal does not repeat it', () => {
    const error = failureOf(() => parseVia('socks5://me:hunter2@localhost:1080'))

    expect(error.exitCode).toBe(2)
    expect(error.message + error.hint).not.toMatch(/hunter2/)
  })
})

describe('tcp', () => {
  it('reaches two TLS brokers behind one port that are told apart only by their server names', async () => {
    const {issue, caFile} = await authority()
    const {ports} = await namedBrokers('iam', [
      {host: 'b-1.skk.test', tls: await issue(['b-1.skk.test'])},
      {host: 'b-2.skk.test', tls: await issue(['b-2.skk.test'])},
    ])
    const router = await sniRouter(ports)
    const target = iamOverTls(`b-1.skk.test:${ports['b-1.skk.test']}`, {ca: caFile, via: `tcp:127.0.0.1:${router.port}`})

    const {partitions} = await withCluster(target, async (cluster) => {
      await createTopics(cluster, [{name: 'orders', partitions: 2, replicationFactor: 3, configs: {}}], CHANGE)
      return describeTopic(cluster, 'orders')
    })

    expect(new Set(partitions.map(({leader}) => leader)).size).toBe(2)
    expect(partitions.map(({latestOffset}) => latestOffset)).toEqual([0, 0])
    expect(new Set(router.names)).toEqual(new Set(['b-1.skk.test', 'b-2.skk.test']))
  })

  it('refuses a broker whose certificate is for another name', async () => {
    const {issue, caFile} = await authority()
    const {ports} = await namedBrokers('iam', [{host: 'b-1.skk.test', tls: await issue(['b-2.skk.test'])}])
    const port = await forwarder(ports['b-1.skk.test']!)

    const error = await listFails(iamOverTls('b-1.skk.test:9098', {ca: caFile, via: `tcp:127.0.0.1:${port}`}))

    expect(error).toMatchObject({exitCode: 5})
    expect(error.message).toMatch(/no TLS with "b-1\.skk\.test:9098" \(through "tcp:127\.0\.0\.1:\d+"\).*altnames/)
  })

  it('refuses several plaintext brokers, which nothing tells apart: exit 2', async () => {
    const {ports} = await namedBrokers('plaintext', [{host: 'b-1.skk.test'}, {host: 'b-2.skk.test'}])
    const via = `tcp:127.0.0.1:${await forwarder(ports['b-1.skk.test']!)}`
    const target: KafkaTarget = {...iamOverTls('b-1.skk.test:9092', {via}), tls: false, auth: 'none'}

    const error = await withCluster(target, async (cluster) => {
      await createTopics(cluster, [{name: 'orders', partitions: 2, replicationFactor: 3, configs: {}}], CHANGE)
      return describeTopic(cluster, 'orders')
    }).catch((error: SkkError) => error)

    expect(error).toMatchObject({
      exitCode: 2,
      message: `the tunnel "${via}" cannot tell 2 brokers apart: without TLS no connection names its broker`,
    })
  })

  it('is enough for one plaintext broker', async () => {
    const {ports} = await namedBrokers('plaintext', [{host: 'b-1.skk.test'}])
    const via = `tcp:127.0.0.1:${await forwarder(ports['b-1.skk.test']!)}`
    const target: KafkaTarget = {...iamOverTls('b-1.skk.test:9092', {via}), tls: false, auth: 'none'}

    const topics = await withCluster(target, listTopics)

    expect(topics).toEqual([])
  })

  it('takes no IAM token without TLS, not even to a loopback address, which is at its other end', async () => {
    const {ports} = await namedBrokers('iam', [{host: '127.0.0.1'}])
    const via = `tcp:127.0.0.1:${await forwarder(ports['127.0.0.1']!)}`

    const error = await listFails({...iamOverTls('127.0.0.1:9098', {via}), tls: false})

    expect(error).toMatchObject({code: 'INSECURE_IAM', exitCode: 2})
  })

  it('that does not answer is named: exit 5', async () => {
    const port = await closedPort()

    const error = await listFails(iamOverTls('b-1.skk.test:9098', {via: `tcp:127.0.0.1:${port}`}))

    expect(error).toMatchObject({
      exitCode: 5,
      message: `the tunnel at "127.0.0.1:${port}" does not answer: connection refused`,
    })
  })

  it('whose other end is dead is named: exit 5', async () => {
    const port = await listening(net.createServer((socket) => socket.end()))

    const error = await listFails(iamOverTls('b-1.skk.test:9098', {via: `tcp:127.0.0.1:${port}`}))

    expect(error).toMatchObject({
      exitCode: 5,
      message: `no TLS with "b-1.skk.test:9098" (through "tcp:127.0.0.1:${port}"): connection reset`,
      hint: 'Check that the other end of the tunnel reaches the broker.',
    })
  })
})

describe('socks5', () => {
  it('reaches brokers by names that only the proxy knows', async () => {
    const {issue, caFile} = await authority()
    const {ports} = await namedBrokers('iam', [
      {host: 'b-1.skk.test', tls: await issue(['b-1.skk.test'])},
      {host: 'b-2.skk.test', tls: await issue(['b-2.skk.test'])},
    ])
    const proxy = await socks5(ports)
    const target = iamOverTls('b-1.skk.test:9098', {ca: caFile, via: `socks5://127.0.0.1:${proxy.port}`})

    const {partitions} = await withCluster(target, async (cluster) => {
      await createTopics(cluster, [{name: 'orders', partitions: 2, replicationFactor: 3, configs: {}}], CHANGE)
      return describeTopic(cluster, 'orders')
    })

    expect(partitions.map(({latestOffset}) => latestOffset)).toEqual([0, 0])
    expect(proxy.asked).toContain('b-1.skk.test:9098')
    expect(proxy.asked).toContain(`b-2.skk.test:${ports['b-2.skk.test']}`)
  })

  it('carries plaintext to several brokers, because it is told where to go', async () => {
    const {ports} = await namedBrokers('plaintext', [{host: 'b-1.skk.test'}, {host: 'b-2.skk.test'}])
    const {port} = await socks5(ports)
    const via = `socks5://127.0.0.1:${port}`

    const {partitions} = await withCluster(
      {...iamOverTls('b-1.skk.test:9092', {via}), tls: false, auth: 'none'},
      async (cluster) => {
        await createTopics(cluster, [{name: 'orders', partitions: 2, replicationFactor: 3, configs: {}}], CHANGE)
        return describeTopic(cluster, 'orders')
      },
    )

    expect(partitions.map(({latestOffset}) => latestOffset)).toEqual([0, 0])
  })

  it.each([
    [1, 'it gives no reason'],
    [2, 'its rules forbid it'],
    [5, 'connection refused'],
  ])('that answers %i is named with its reason: exit 5', async (reply, reason) => {
    const {port} = await socks5({}, {reply})

    const error = await listFails(iamOverTls('b-1.skk.test:9098', {via: `socks5://127.0.0.1:${port}`}))

    expect(error).toMatchObject({
      exitCode: 5,
      message: `the tunnel at "127.0.0.1:${port}" cannot reach "b-1.skk.test:9098": ${reason}`,
    })
  })

  it.each([
    ['speaks something else', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'it does not speak SOCKS5'],
    ['wants a login', Buffer.from([5, 255]), 'it asks for a login'],
    ['hangs up', '', 'it closed the connection'],
  ])('that %s is named: exit 5', async (_what, answer, reason) => {
    const port = await listening(net.createServer((socket) => socket.once('data', () => socket.end(answer))))

    const error = await listFails(iamOverTls('b-1.skk.test:9098', {via: `socks5://127.0.0.1:${port}`}))

    expect(error).toMatchObject({exitCode: 5, message: expect.stringMatching(`cannot reach "b-1.skk.test:9098": ${reason}$`)})
  })

  it('that keeps silent is named within 10 s', async () => {
    const {port} = await socks5({}, {reply: -1})
    const startedAt = Date.now()

    const error = await listFails(iamOverTls('b-1.skk.test:9098', {via: `socks5://127.0.0.1:${port}`}))

    expect(error).toMatchObject({
      exitCode: 5,
      message: `the tunnel at "127.0.0.1:${port}" cannot reach "b-1.skk.test:9098": no answer`,
    })
    // 10 s, and what a busy machine needs to get there.
    expect(Date.now() - startedAt).toBeLessThan(15_000)
  })
})

const CHANGE = {dryRun: false, timeoutMs: 10_000}

const iamOverTls = (bootstrap: string, {ca, via}: {ca?: string; via?: string}): KafkaTarget => ({
  bootstrap: [bootstrap],
  auth: 'iam',
  tls: true,
  ...(ca !== undefined && {ca}),
  ...(via !== undefined && {via}),
  region: 'us-east-1',
  credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'test'}),
  timeoutMs: 10_000,
  describe: 'named',
})

const listFails = (target: KafkaTarget): Promise<SkkError> =>
  withCluster(target, listTopics).then(
    () => Promise.reject(new Error('it worked')),
    (error: SkkError) => error,
  )

function failureOf(work: () => unknown): SkkError {
  try {
    work()
  } catch (error) {
    return error as SkkError
  }
  throw new Error('it worked')
}
