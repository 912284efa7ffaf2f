import net, {type AddressInfo} from 'node:net'

import {describe, expect, it, onTestFinished} from 'vitest'

import {withCluster} from '../../../../src/lib/kafka/client.js'
import {fetchSpans} from '../../../../src/lib/kafka/consume/fetch-loop.js'
import type {Connect} from '../../../../src/lib/kafka/socket.js'
import {createTopics} from '../../../../src/lib/kafka/topics.js'
import {stack} from '../../../support/stack.js'
import {iam, plaintext, work} from '../cluster-fixture.js'
import {produceText, recordsOf, TOPIC} from '../records-fixture.js'

const SASL_AUTHENTICATE = 36
const SESSION_MS = 3_000

/**
 * A way to the brokers on which each login is good for 3 s: the answer to SaslAuthenticate says so in its last eight bytes. kafkajs logs
 * in again from 10 s before the end, so before each request.
 */
async function shortSessions(): Promise<{connect: Connect; logins: number[]}> {
  const logins: number[] = []
  const server = net.createServer((client) => {
    const connection = logins.push(0) - 1
    const waiting = new Set<number>()
    client.once('data', (first) => {
      const end = first.indexOf('\n')
      const [host, port] = first.subarray(0, end).toString().split(' ')
      const broker = net.connect(Number(port), host)
      for (const [socket, other] of [
        [client, broker],
        [broker, client],
      ] as const)
        socket.on('error', () => {}).once('close', () => other.destroy())
      const toBroker = frames((frame) => {
        if (frame.readInt16BE(4) === SASL_AUTHENTICATE) waiting.add(frame.readInt32BE(8))
        broker.write(frame)
      })
      client.on('data', toBroker)
      if (end + 1 < first.length) toBroker(first.subarray(end + 1))
      broker.on(
        'data',
        frames((frame) => {
          if (waiting.delete(frame.readInt32BE(4))) {
            logins[connection]!++
            frame.writeBigInt64BE(BigInt(SESSION_MS), frame.length - 8)
          }
          client.write(frame)
        }),
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const connect: Connect = (host, port) => {
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write(`${host} ${port}\n`)
    return socket
  }
  return {connect, logins}
}

/** Calls `take` with each whole frame, its length included. */
function frames(take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let buffered = Buffer.alloc(0)
  return (chunk) => {
    buffered = Buffer.concat([buffered, chunk])
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
      const size = 4 + buffered.readInt32BE(0)
      take(buffered.subarray(0, size))
      buffered = buffered.subarray(size)
    }
  }
}

describe('reading over many short sessions', () => {
  it('logs in again on the same connection, with credentials that are asked for again, and loses nothing', async () => {
    const local = await stack()
    await work(plaintext(local), (cluster) =>
      createTopics(cluster, [{name: TOPIC, partitions: 1, replicationFactor: 3, configs: {}}], {dryRun: false, timeoutMs: 5_000}),
    )
    const way = await shortSessions()
    let asked = 0
    const credentials = async () => {
      asked++
      // What the SDK hands out is renewed when it ends within five minutes.
      return {accessKeyId: 'test', secretAccessKey: 'test', expiration: new Date(Date.now() + 300_000 + asked)}
    }
    const stop = new AbortController()
    const values: string[] = []
    const expected = Array.from({length: 30}, (_, i) => String(i))

    await work(plaintext(local), (producing) =>
      withCluster(
        {...iam(local), credentials},
        async (cluster) => {
          await cluster.addTargetTopic(TOPIC)
          const reading = fetchSpans(cluster, [{partition: 0, position: 0, end: null}], {
            topic: TOPIC,
            readCommitted: true,
            timeoutMs: 10_000,
            signal: stop.signal,
            onBatch: async (batch) => {
              values.push(...recordsOf(batch).map(({value}) => value!.toString()))
              if (values.length === expected.length) stop.abort()
              return true
            },
          })
          for (const value of expected) await produceText(producing, `${value}\n`)
          await reading
        },
        way.connect,
      ),
    )

    expect(values).toEqual(expected)
    expect(Math.max(...way.logins)).toBeGreaterThan(10)
    // The last one may have been on its way.
    expect(asked).toBeGreaterThanOrEqual(way.logins.reduce((sum, logins) => sum + logins, 0))
    expect(way.logins.length).toBeLessThanOrEqual(3)
  }, 60_000)
})
