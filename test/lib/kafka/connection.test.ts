import net, {type AddressInfo} from 'node:net'

import {describe, expect, it, onTestFinished} from 'vitest'

import type {SkkError} from '../../../src/lib/errors.js'
import {withAdmin, withCluster} from '../../../src/lib/kafka/client.js'
import {socketFactory} from '../../../src/lib/kafka/socket.js'
import type {KafkaTarget} from '../../../src/lib/kafka/target.js'
import {listTopics} from '../../../src/lib/kafka/topics.js'
import {readFaultRule} from '../../../src/lib/local/kafka/fault-rule.js'
import {stack} from '../../support/stack.js'
import {iam, plaintext} from './cluster-fixture.js'

/** A listener on loopback that does `serve` with each connection. */
async function listener(serve: (socket: net.Socket) => void): Promise<string> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const target = (bootstrap: string, options: Partial<KafkaTarget> = {}): KafkaTarget => ({
  ...plaintext({plaintextBootstrap: bootstrap}),
  ...options,
})

const failureOf = (to: KafkaTarget): Promise<SkkError> =>
  withCluster(to, listTopics).then(
    () => expect.unreachable(),
    (error) => error,
  )

describe('a cluster that cannot be reached', () => {
  it('is told by its name, when that has no address', async () => {
    const failure = await failureOf(target('no-such-host.invalid:9092'))

    expect(failure).toMatchObject({code: 'UNREACHABLE', exitCode: 5, retryable: true})
    expect(failure.message).toMatch(/^cannot find the address of "no-such-host.invalid" \(DNS\): /)
    expect(failure.hint).toContain('VPC')
  })

  it('is told by the address that its name resolved to, when nothing listens there', async () => {
    const address = await listener(() => {})
    const port = Number(address.split(':')[1])
    const free = port === 65_535 ? port - 1 : port + 1

    const failure = await failureOf(target(`localhost:${free}`))

    expect(failure).toMatchObject({exitCode: 5})
    expect(failure.message).toMatch(/^cannot connect to "localhost:\d+" \(TCP, (127\.0\.0\.1|::1)\): connection refused$/)
    expect(failure.hint).toContain('`skk local start`')
  })

  it('is told within 10 s, when it takes the connection and says nothing', async () => {
    const address = await listener(() => {})
    const started = Date.now()

    const failure = await failureOf(target(address))

    // 10 s, and what a busy machine needs to get there.
    expect(Date.now() - started).toBeLessThan(15_000)
    expect(failure).toMatchObject({exitCode: 5, message: `"${address}" does not answer`})
  })

  it('is left for another address, when it is one of several', async () => {
    const [local, hanging] = [await stack(), await listener(() => {})]
    const {bootstrap} = plaintext(local)

    for (const addresses of [
      [hanging, ...bootstrap],
      [...bootstrap, hanging],
    ]) {
      const topics = await withCluster({...target(hanging), bootstrap: addresses}, listTopics)
      expect(topics).toEqual([])
    }
  })

  it('is told to speak TLS, when a plaintext client reaches its TLS port', async () => {
    const alert = Buffer.from('15030300020246', 'hex')
    const address = await listener((socket) => socket.once('data', () => socket.end(alert)))

    const failure = await failureOf(target(address))

    expect(failure).toMatchObject({
      exitCode: 5,
      message: `"${address}" speaks TLS, and this connection does not`,
      hint: 'Use `--tls`.',
    })
  })

  it('is told to want something else, when it closes without a word', async () => {
    const local = await stack({tls: true})

    const failure = await failureOf(target(local.bootstrap))

    expect(failure).toMatchObject({exitCode: 5, message: `"${local.bootstrap}" closed the connection`})
    expect(failure.hint).toBe(
      'Use `--tls` if that port speaks TLS, `--auth iam` if it asks for a login; `skk doctor` tells more.',
    )
  })

  it('is told not to speak TLS, when a TLS client reaches its plaintext port', async () => {
    const local = await stack()

    const failure = await failureOf(target(local.plaintextBootstrap!, {tls: true}))

    expect(failure).toMatchObject({exitCode: 5})
    expect(failure.message).toMatch(/^no TLS with "127.0.0.1:\d+": /)
    expect(failure.hint).toContain('--no-tls')
  })

  it('is told to be untrusted, when its certificate is', async () => {
    const local = await stack({tls: true})

    const failure = await failureOf({...iam(local), tls: true})

    expect(failure).toMatchObject({exitCode: 5})
    expect(failure.message).toContain('certificate')
    expect(failure.hint).toContain('--ca')
  })

  it.each([0x7fffffff, -1, 3])(
    'is told not to be Kafka, when it announces a frame of %i bytes; nothing is buffered',
    async (length) => {
      const frame = Buffer.alloc(1024)
      frame.writeInt32BE(length)
      const address = await listener((socket) => socket.once('data', () => socket.write(frame)))

      const failure = await failureOf(target(address))

      expect(failure).toMatchObject({
        exitCode: 5,
        message: `"${address}" does not speak Kafka: the peer announced a frame of ${length} bytes, so it is no Kafka broker`,
      })
    },
  )

  it('is usage, when its address is none', async () => {
    expect(await failureOf(target('localhost'))).toMatchObject({code: 'USAGE', exitCode: 2})
  })
})

describe('a cluster that can be reached', () => {
  it('answers over TLS with its own certificate authority', async () => {
    const local = await stack({tls: true})

    expect(await withCluster({...iam(local), tls: true, ca: local.ca!}, listTopics)).toEqual([])
  })

  it('answers kafkajs as well', async () => {
    const local = await stack()

    expect(await withAdmin(iam(local), (admin) => admin.listTopics())).toEqual([])
  })

  it('refuses a wrong secret with exit 4, at once', async () => {
    const local = await stack()
    const started = Date.now()

    const failure = await failureOf({...iam(local), credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'wrong'})})

    // Trying again until the deadline would take 10 s.
    expect(Date.now() - started).toBeLessThan(9_000)
    expect(failure).toMatchObject({code: 'AUTHENTICATION_FAILED', exitCode: 4})
    expect(failure.message).toContain('Access denied')
    expect(failure.hint).toContain(local.clusterArn)
  })
})

describe('idle connections', () => {
  it('use no CPU (tulios/kafkajs#1704)', async () => {
    const local = await stack()
    const cpuOfTwoSeconds = async () => {
      const before = process.cpuUsage()
      await new Promise((resolve) => setTimeout(resolve, 2_000))
      const {user, system} = process.cpuUsage(before)
      return (user + system) / 1000
    }

    const without = await cpuOfTwoSeconds()
    const connected = await withCluster(plaintext(local), async (cluster) => {
      await listTopics(cluster)
      return cpuOfTwoSeconds()
    })

    // Stock kafkajs takes about 90 ms more, a wake-up every millisecond.
    expect(connected - without).toBeLessThan(60)
  })
})

it('a connection that is closed may be given up any number of times, without a warning of a leak', async () => {
  const socket = socketFactory({})({host: '127.0.0.1', port: 1, ssl: null, onConnect() {}})
  await new Promise((resolve) => socket.once('close', resolve))
  const before = socket.listenerCount('connect')

  for (let i = 0; i < 20; i++) socket.unref()

  expect(socket.listenerCount('connect')).toBe(before)
})

it('a connection that swallows an answer is given up for a new one', async () => {
  const local = await stack()

  await withCluster({...plaintext(local), timeoutMs: 300}, async (cluster) => {
    await cluster.refreshMetadata()
    local.faults.add(readFaultRule({api: 'Metadata', action: 'drop', when: 'after', times: 1}))

    await expect(cluster.refreshMetadata()).rejects.toThrow('no answer within 0.3 s')
    await expect.poll(() => cluster.refreshMetadata().then(() => 'answered', String)).toBe('answered')
  })
})
