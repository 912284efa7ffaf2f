import {once} from 'node:events'
import {connect, createServer, type Socket} from 'node:net'

import {describe, expect, it, onTestFinished} from 'vitest'

import {chaosProxy, type Direction, type Toxic} from './chaos-proxy.js'

/** A server that sends back what it gets, and the proxy in front of it. */
async function echo() {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await chaosProxy((server.address() as {port: number}).port)
  onTestFinished(async () => {
    await proxy.close()
    server.close()
  })
  const open = async (): Promise<Socket> => {
    const socket = connect(proxy.port, '127.0.0.1')
    socket.on('error', () => {})
    onTestFinished(() => void socket.destroy())
    await Promise.race([once(socket, 'connect'), once(socket, 'close').then(() => Promise.reject(new Error('refused')))])
    return socket
  }
  return {proxy, open}
}

/** Sends bytes and reads until so many came back, or the connection ended. */
async function exchange(socket: Socket, bytes: Buffer): Promise<{received: Buffer; pieces: number; ms: number; open: boolean}> {
  const started = performance.now()
  const chunks: Buffer[] = []
  let open = true
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (Buffer.concat(chunks).length >= bytes.length) resolve()
    })
    socket.once('close', () => {
      open = false
      resolve()
    })
    socket.write(bytes)
  })
  return {received: Buffer.concat(chunks), pieces: chunks.length, ms: performance.now() - started, open}
}

const BYTES = Buffer.from(Array.from({length: 50_000}, (_, i) => i % 251))

async function through(toxic: Toxic, direction?: Direction) {
  const {proxy, open} = await echo()
  proxy.add(toxic, direction)
  return exchange(await open(), BYTES)
}

describe('the chaos proxy', () => {
  it('changes no byte', async () => {
    const {open} = await echo()

    expect((await exchange(await open(), BYTES)).received.equals(BYTES)).toBe(true)
  })

  it.each<[Toxic, number]>([
    [{type: 'latency', ms: 150, jitterMs: 20}, 125],
    [{type: 'bandwidth', bytesPerSecond: 250_000}, 190],
    [{type: 'slicer', bytes: 5_000, ms: 15}, 140],
  ])('%j: later, and nothing else', async (toxic, atLeastMs) => {
    const {received, ms} = await through(toxic, 'upstream')

    expect(received.equals(BYTES)).toBe(true)
    expect(ms).toBeGreaterThan(atLeastMs)
  })

  it('limit_data: the connection ends after so many bytes', async () => {
    const {received, open} = await through({type: 'limit_data', bytes: 20_000})

    expect(open).toBe(false)
    expect(received.equals(BYTES.subarray(0, 20_000))).toBe(true)
  })

  it('timeout: nothing arrives, then the connection ends', async () => {
    const {received, open} = await through({type: 'timeout', ms: 100})

    expect(open).toBe(false)
    expect(received).toHaveLength(0)
  })

  it('reset_peer: the connection ends, whatever has arrived by then', async () => {
    const {proxy, open} = await echo()
    proxy.add({type: 'reset_peer', ms: 0})
    const socket = await open()
    const closed = new Promise((resolve) => socket.once('close', resolve))

    socket.resume().write(BYTES)

    // With or without an error: who has read all that came before a reset may be told of an orderly end.
    await closed
    expect(socket.destroyed).toBe(true)
  })

  it('slow_close: the end comes later', async () => {
    const {proxy, open} = await echo()
    proxy.add({type: 'slow_close', ms: 150}, 'upstream')
    const socket = await open()
    const started = performance.now()
    socket.end()
    socket.resume()
    await once(socket, 'close')

    expect(performance.now() - started).toBeGreaterThan(140)
  })

  it('down: connections end, new ones are refused, and it comes up again on the same port', async () => {
    const {proxy, open} = await echo()
    const before = await open()
    const up = proxy.add({type: 'down'})
    await once(before.resume(), 'close')
    await expect(open()).rejects.toThrow(/refused|ECONNREFUSED/)

    up()

    await expect
      .poll(() =>
        open()
          .then((socket) => exchange(socket, BYTES))
          .then(
            ({received}) => received.length,
            () => 0,
          ),
      )
      .toBe(50_000)
  })
})
