import {createConnection, createServer, type Server, type Socket} from 'node:net'
import {setTimeout as delay} from 'node:timers/promises'

/** toxiproxy's eight toxics, by its names, https://github.com/Shopify/toxiproxy#toxics. Times in milliseconds. */
export type Toxic =
  /** Each piece arrives later, in order. */
  | {type: 'latency'; ms: number; jitterMs?: number}
  /** Connections end, and new ones are refused. */
  | {type: 'down'}
  | {type: 'bandwidth'; bytesPerSecond: number}
  /** The end of a connection arrives later. */
  | {type: 'slow_close'; ms: number}
  /** Nothing arrives, and after `ms` the connection ends; never with 0. */
  | {type: 'timeout'; ms: number}
  /** After `ms` the connection is reset. */
  | {type: 'reset_peer'; ms: number}
  /** Data comes in pieces of so many bytes, with a pause before each. */
  | {type: 'slicer'; bytes: number; ms?: number}
  /** The connection ends after so many bytes. */
  | {type: 'limit_data'; bytes: number}

/** Upstream is from the client to the server. */
export type Direction = 'upstream' | 'downstream'

export type ChaosProxy = {
  port: number
  /** Poisons one direction, for connections that are open and those to come; returns what takes it back. */
  add(toxic: Toxic, direction?: Direction): () => void
  /** Takes everything back; what was reset or refused stays so. */
  clear(): void
  close(): Promise<void>
}

type Poison = {toxic: Toxic; direction: Direction}
type Pair = {client: Socket; server: Socket}

/** Read and not yet passed on, of one direction. */
const MAX_QUEUED_BYTES = 1024 * 1024

/**
 * A TCP proxy on loopback in front of `upstreamPort` that changes no byte. `random` is a number from 0 to 1, for jitter.
 */
export async function chaosProxy(upstreamPort: number, random: () => number = Math.random): Promise<ChaosProxy> {
  const poisons = new Set<Poison>()
  const pairs = new Set<Pair>()
  let server: Server

  const accept = (client: Socket): void => {
    const pair = {client, server: createConnection({port: upstreamPort, host: '127.0.0.1', noDelay: true})}
    pairs.add(pair)
    for (const socket of [pair.client, pair.server]) socket.on('error', () => destroy(pair))
    client.once('close', () => pairs.delete(pair))
    for (const poison of poisons) strike(poison, pair)
    void pump(pair, 'upstream')
    void pump(pair, 'downstream')
  }

  async function pump(pair: Pair, direction: Direction): Promise<void> {
    const [from, to] = direction === 'upstream' ? [pair.client, pair.server] : [pair.server, pair.client]
    const active = () => [...poisons].filter((poison) => poison.direction === direction).map(({toxic}) => toxic)
    let passed = 0
    for await (const {bytes, at} of arrivals(from)) {
      for (const piece of slices(bytes, active())) {
        await pause(active(), piece.length, at, random)
        const toxics = active()
        if (toxics.some(({type}) => type === 'timeout')) continue
        const room = Math.min(...toxics.flatMap((toxic) => (toxic.type === 'limit_data' ? [toxic.bytes - passed] : [])), Infinity)
        passed += piece.length
        if (!to.write(room < piece.length ? piece.subarray(0, Math.max(0, room)) : piece)) await drained(to)
        if (room <= piece.length) destroy(pair)
      }
    }
    for (const toxic of active()) if (toxic.type === 'slow_close') await delay(toxic.ms, undefined, {ref: false})
    to.end()
  }

  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server = createServer({noDelay: true, allowHalfOpen: true}, accept)
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
  await listen(0)
  const {port} = server!.address() as {port: number}
  /** The listener closes and opens one after the other, however quickly it is taken down and up. */
  let turn = Promise.resolve()
  const isDown = () => [...poisons].some(({toxic}) => toxic.type === 'down')
  const followDown = (): void => {
    turn = turn.then(async () => {
      if (isDown() === !server.listening) return
      if (isDown()) server.close()
      else await listen(port)
    })
  }

  return {
    port,
    add(toxic, direction = 'downstream') {
      const poison = {toxic, direction}
      poisons.add(poison)
      if (toxic.type === 'down') followDown()
      for (const pair of pairs) strike(poison, pair)
      return () => {
        poisons.delete(poison)
        if (toxic.type === 'down') followDown()
      }
    },
    clear() {
      poisons.clear()
      followDown()
    },
    async close() {
      poisons.clear()
      await turn
      for (const pair of pairs) destroy(pair)
      await new Promise((resolve) => server.close(resolve))
    },
  }

  /** What a toxic does to a connection as a whole. */
  function strike(poison: Poison, pair: Pair): void {
    const {toxic} = poison
    if (toxic.type === 'down') destroy(pair)
    const ends = toxic.type === 'reset_peer' || (toxic.type === 'timeout' && toxic.ms > 0)
    if (!ends) return
    setTimeout(() => {
      if (!poisons.has(poison)) return
      if (toxic.type === 'timeout') destroy(pair)
      else for (const socket of [pair.client, pair.server]) socket.resetAndDestroy()
    }, toxic.ms).unref()
  }
}

function destroy({client, server}: Pair): void {
  client.destroy()
  server.destroy()
}

/** What a socket receives, with the time when it did; reads on while the reader waits, up to a bound. */
async function* arrivals(socket: Socket): AsyncGenerator<{bytes: Buffer; at: number}> {
  const queue: {bytes: Buffer; at: number}[] = []
  let queued = 0
  let ended = false
  let wake = (): void => {}
  socket.on('data', (bytes: Buffer) => {
    queue.push({bytes, at: performance.now()})
    queued += bytes.length
    if (queued > MAX_QUEUED_BYTES) socket.pause()
    wake()
  })
  for (const event of ['end', 'close'] as const) {
    socket.once(event, () => {
      ended = true
      wake()
    })
  }
  for (;;) {
    const next = queue.shift()
    if (next) {
      queued -= next.bytes.length
      if (queued <= MAX_QUEUED_BYTES) socket.resume()
      yield next
    } else if (ended) return
    else
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
}

function slices(bytes: Buffer, toxics: readonly Toxic[]): Buffer[] {
  const slicer = toxics.find((toxic) => toxic.type === 'slicer')
  if (!slicer) return [bytes]
  const count = Math.ceil(bytes.length / slicer.bytes)
  return Array.from({length: count}, (_, index) => bytes.subarray(index * slicer.bytes, (index + 1) * slicer.bytes))
}

async function pause(toxics: readonly Toxic[], bytes: number, at: number, random: () => number): Promise<void> {
  for (const toxic of toxics) {
    let ms = 0
    if (toxic.type === 'latency') ms = at + toxic.ms + (toxic.jitterMs ?? 0) * (2 * random() - 1) - performance.now()
    if (toxic.type === 'bandwidth') ms = (bytes / toxic.bytesPerSecond) * 1000
    if (toxic.type === 'slicer') ms = toxic.ms ?? 0
    if (ms > 0) await delay(ms, undefined, {ref: false})
  }
}

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.destroyed) return resolve()
    socket.once('drain', resolve)
    socket.once('close', () => resolve())
  })
