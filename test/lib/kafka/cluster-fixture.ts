import net from 'node:net'
import {onTestFinished} from 'vitest'

import {withCluster} from '../../../src/lib/kafka/client.js'
import type {Cluster} from '../../../src/lib/kafka/cluster.js'
import type {Connect} from '../../../src/lib/kafka/socket.js'
import type {KafkaTarget} from '../../../src/lib/kafka/target.js'
import type {Local} from '../../../src/lib/local/index.js'

/** The plaintext side of a stack. */
export const plaintext = (local: Pick<Local, 'plaintextBootstrap'>): KafkaTarget => ({
  bootstrap: local.plaintextBootstrap!.split(','),
  auth: 'none',
  tls: false,
  credentials: async () => {
    throw new Error('no credentials are needed here')
  },
  timeoutMs: 10_000,
  describe: 'local',
})

/** Its IAM side, as the access key of the stack. */
export const iam = (local: Pick<Local, 'bootstrap' | 'region' | 'clusterArn'>): KafkaTarget => ({
  ...plaintext({plaintextBootstrap: local.bootstrap}),
  auth: 'iam',
  region: local.region,
  clusterArn: local.clusterArn,
  credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'test'}),
})

export const work = <T>(target: KafkaTarget, task: (cluster: Cluster) => Promise<T>, connect?: Connect): Promise<T> =>
  withCluster(target, task, connect)

const PRODUCE = 0

/** What happens to the next Produce requests, one each; after them all is well. */
type Fault =
  /** The request never arrives, the connection ends. */
  | 'lose-request'
  /** It is stored, its answer gets lost with the connection. */
  | 'lose-answer'
  /** It is stored, and nothing more comes over this connection. */
  | 'swallow-answer'

export type Chaos = {
  connect: Connect
  faults: Fault[]
  /** While true, every connection ends at once, and open ones too. */
  down: boolean
  /** Requests seen, by API key. */
  seen: Map<number, number>
  /** All connections end, and new ones are refused until so many milliseconds have passed; for good without them. */
  bringDown(forMs?: number): void
  /** Called when a fault has happened. */
  onFault(): void
}

/** A way to the brokers that loses what it is told to. It knows requests by their frames. */
export async function chaos(): Promise<Chaos> {
  const open = new Set<net.Socket>()
  const state: Chaos = {
    faults: [],
    down: false,
    seen: new Map(),
    connect: (host, port) => {
      const {port: proxied} = server.address() as net.AddressInfo
      const socket = net.connect(proxied, '127.0.0.1')
      socket.write(`${host} ${port}\n`)
      return socket
    },
    bringDown(forMs) {
      state.down = true
      for (const socket of open) socket.destroy()
      if (forMs === undefined) return
      setTimeout(() => {
        state.down = false
      }, forMs)
    },
    onFault() {},
  }
  const server = net.createServer((client) => {
    open.add(client)
    client.on('error', () => {}).once('close', () => open.delete(client))
    client.once('data', (first) => {
      if (state.down) {
        client.destroy()
        return
      }
      const end = first.indexOf('\n')
      const [host, port] = first.subarray(0, end).toString().split(' ')
      const broker = net.connect(Number(port), host)
      broker.on('error', () => client.destroy()).once('close', () => client.destroy())
      client.once('close', () => broker.destroy())
      relay(client, broker, first.subarray(end + 1), state)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return state
}

function relay(client: net.Socket, broker: net.Socket, first: Buffer, state: Chaos): void {
  let buffered = Buffer.alloc(0)
  let muted = false
  const take = (chunk: Buffer): void => {
    buffered = Buffer.concat([buffered, chunk])
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
      const frame = buffered.subarray(0, 4 + buffered.readInt32BE(0))
      buffered = buffered.subarray(frame.length)
      const key = frame.readInt16BE(4)
      state.seen.set(key, (state.seen.get(key) ?? 0) + 1)
      const fault = key === PRODUCE ? state.faults.shift() : undefined
      if (fault === 'lose-request') {
        client.destroy()
        state.onFault()
        return
      }
      if (fault === 'lose-answer') {
        broker.once('data', () => {
          client.destroy()
          state.onFault()
        })
      }
      if (fault !== undefined) muted = true
      broker.write(frame)
    }
  }
  client.on('data', take)
  broker.on('data', (chunk) => {
    if (!muted) client.write(chunk)
  })
  if (first.length > 0) take(first)
}
