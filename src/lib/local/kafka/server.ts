import {createServer, type Server, type Socket} from 'node:net'
import {setImmediate as immediate} from 'node:timers/promises'
import {createServer as createTlsServer} from 'node:tls'
import {answerBareToken} from './api/36-sasl-authenticate.js'
import type {Api, Call} from './api/api.js'
import {ERROR} from './api/error-codes.js'
import {apis} from './api/index.js'
import {anonymous} from './authorize.js'
import type {Broker} from './broker.js'
import type {Connection, Listener} from './connection.js'
import {answerWithFaults} from './fault-answers.js'
import {frames} from './frames.js'
import {Memory} from './memory.js'
import {advertised, servedVersions} from './profiles.js'
import {
  decode,
  decodeRequestHeader,
  encode,
  isFlexible,
  MAX_ELEMENTS,
  ProtocolError,
  Reader,
  type RequestHeader,
  Writer,
} from './wire.js'

const byKey = new Map<number, Api>(apis.map((api) => [api.key, api]))

const API_VERSIONS = 18
/** What a client may ask before it has authenticated: ApiVersions, SaslHandshake, SaslAuthenticate. */
const OPEN_APIS: readonly number[] = [API_VERSIONS, 17, 36]

const MAX_FRAME_BEFORE_SASL = 64 * 1024
/** Kafka's `socket.request.max.bytes`. */
const MAX_FRAME = 100 * 1024 * 1024
/** How long a frame, an answer or a login may rest. It may take as long as it progresses. */
const STALL_MS = 10_000
/** How long a refused client may keep its connection. */
const REFUSED_MS = 500
/** Kafka's `connections.max.idle.ms`. */
const IDLE_MS = 600_000
/** MSK Serverless' quota of client connections; more are closed. */
const MAX_CONNECTIONS = 3_000

/** How a socket says that the client has gone in the middle of something. */
const GONE: readonly string[] = ['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE']

/** What an element of a request's arrays becomes in memory on its way to the answer. */
const ELEMENT_BYTES = 512

const MANY_ELEMENTS = 1_000

/** Of all listeners of this process. */
const sharedMemory = new Memory()

export type Serving = {port: number; close(): Promise<void>}
export type ServeOptions = {stallMs?: number; memory?: Memory}

/**
 * Listens for Kafka clients of one node on 127.0.0.1 and ::1 and answers each connection's requests in order.
 * `listener.port` 0 picks a free port and is set to it. Rejects with the system error when the port is taken.
 */
export async function serve(broker: Broker, listener: Listener, options: ServeOptions = {}): Promise<Serving> {
  const {stallMs = STALL_MS, memory = sharedMemory} = options
  const sockets = new Set<Socket>()
  const accept = (socket: Socket): void => {
    if (sockets.size >= MAX_CONNECTIONS) {
      socket.destroy()
      return
    }
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    void converse(socket, broker, listener, {stallMs, memory})
  }
  const servers = await listenOnLoopback(() => newServer(listener, accept), listener)
  return {
    port: listener.port,
    async close() {
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)))
      for (const socket of sockets) socket.destroy()
      await Promise.all(closed)
    },
  }
}

function newServer(listener: Listener, accept: (socket: Socket) => void): Server {
  if (!listener.tls) return createServer({noDelay: true}, accept)
  const server = createTlsServer({...listener.tls, handshakeTimeout: STALL_MS, noDelay: true} as object, accept)
  return server.on('tlsClientError', (_error, socket) => socket.destroy())
}

/** One server per address family, both on the same port. A machine without IPv6 gets one. */
async function listenOnLoopback(create: () => Server, listener: Listener): Promise<Server[]> {
  const wanted = listener.port
  for (let attempt = 1; ; attempt++) {
    const server = await listen(create(), wanted, '127.0.0.1')
    listener.port = portOf(server)
    try {
      return [server, await listen(create(), listener.port, '::1')]
    } catch (error) {
      const {code} = error as NodeJS.ErrnoException
      if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return [server]
      await new Promise((resolve) => server.close(resolve))
      // The free port that IPv4 gave may be somebody's on IPv6.
      if (code !== 'EADDRINUSE' || wanted !== 0 || attempt === 10) throw error
    }
  }
}

const portOf = (server: Server): number => (server.address() as {port: number}).port

const listen = (server: Server, port: number, host: string): Promise<Server> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({port, host, exclusive: true}, () => {
      server.off('error', reject)
      resolve(server)
    })
  })

async function converse(socket: Socket, broker: Broker, listener: Listener, options: Required<ServeOptions>): Promise<void> {
  const {stallMs} = options
  const closed = new AbortController()
  const connection: Connection = {
    listener,
    principal: listener.security === 'plaintext' ? anonymous : undefined,
    mechanism: undefined,
    expiresAt: Number.POSITIVE_INFINITY,
    expectsBareToken: false,
    refused: false,
    remoteAddress: `${socket.remoteAddress}:${socket.remotePort}`,
    closed: closed.signal,
    memory: options.memory.holder(() => socket.destroy()),
  }
  socket.on('close', () => {
    connection.memory.release() // first: a batch may still be on its way to the disk, so its buffer is not to be used again
    closed.abort()
  })
  socket.on('error', () => socket.destroy())
  const authenticationDeadline = setTimeout(() => connection.principal ?? socket.destroy(), stallMs)
  try {
    const limits = {
      stallMs,
      idleMs: IDLE_MS,
      maxBytes: () => (connection.principal ? MAX_FRAME : MAX_FRAME_BEFORE_SASL),
      memory: connection.memory,
    }
    for await (const frame of frames(socket, limits)) {
      const response = await answer(frame, broker, connection)
      if (response && !(await send(socket, response, stallMs))) break
      connection.memory.reuse()
      connection.memory.release()
      if (connection.refused) {
        await goodbye(socket)
        break
      }
    }
  } catch (error) {
    if (error instanceof ProtocolError) broker.log(`closed ${connection.remoteAddress}: ${error.message}`)
    else if (!GONE.includes((error as NodeJS.ErrnoException).code ?? '')) broker.log(`error: ${(error as Error).stack}`)
  } finally {
    clearTimeout(authenticationDeadline)
    socket.destroy()
    connection.memory.release()
  }
}

/**
 * A client that finds the refusal and the end of the connection together may look at the end first, and try again without ever
 * having read why (kafka-python 3.0 does). It closes by itself once it has read it; what it sends instead is not answered.
 */
function goodbye(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, REFUSED_MS)
    const settle = (): void => {
      clearTimeout(timer)
      resolve()
    }
    if (socket.destroyed) settle()
    else socket.once('close', settle).once('end', settle).resume()
  })
}

/** How much of a response is handed to the system at once: a client must take so much within the stall time. */
const SLICE_BYTES = 256 * 1024

/** Writes one response, of which nothing is needed afterwards. False when the client stopped reading, or went away. */
async function send(socket: Socket, chunks: readonly Buffer[], stallMs: number): Promise<boolean> {
  const drained = (done: () => void): unknown => socket.once('drain', done)
  const flushed = (done: () => void): unknown => socket.write(NOTHING, done)
  socket.cork()
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
      if (socket.write(chunk.subarray(at, at + SLICE_BYTES))) continue
      socket.uncork()
      if (!(await happens(socket, drained, stallMs))) return false
      socket.cork()
    }
  }
  socket.uncork()
  return socket.writableLength === 0 ? !socket.destroyed : happens(socket, flushed, stallMs)
}

const NOTHING = Buffer.alloc(0)

/** False when the socket closes before, or is closed because it takes too long. A timer of its own: the socket's is reset by whatever the client sends. */
function happens(socket: Socket, event: (done: () => void) => unknown, stallMs: number): Promise<boolean> {
  if (socket.destroyed) return Promise.resolve(false)
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer)
      socket.off('close', settle)
      resolve(!socket.destroyed)
    }
    const timer = setTimeout(() => socket.destroy(), stallMs)
    socket.once('close', settle)
    event(settle)
  })
}

/** The response to one frame in pieces for the socket, or null where Kafka sends none. Throws ProtocolError to close. */
async function answer(frame: Buffer, broker: Broker, connection: Connection): Promise<Buffer[] | null> {
  if (connection.expectsBareToken) return withSize(answerBareToken(frame, broker, connection))
  const reader = new Reader(frame)
  const header = decodeRequestHeader(reader)
  const {apiKey, apiVersion, correlationId, clientId} = header
  const served = servedVersions(broker.profile, apiKey)
  const api = byKey.get(apiKey)
  if (!served || !api) throw new ProtocolError(`unknown API ${apiKey}`)
  if (apiVersion < served[0] || apiVersion > served[1]) {
    if (apiKey === API_VERSIONS) return unsupportedApiVersions(broker, correlationId)
    throw new ProtocolError(`API ${apiKey} version ${apiVersion} is not served`)
  }
  refuseUnlessAuthenticated(connection, header)

  const {memory} = connection
  const held = memory.bytes
  await memory.take(Math.min(frame.length, MAX_ELEMENTS) * ELEMENT_BYTES)
  const request = decode<object>(apiKey, 'request', apiVersion, reader)
  memory.keep(held + reader.elements * ELEMENT_BYTES)
  if (reader.elements > MANY_ELEMENTS) await immediate() // others first: it will keep the event loop for long
  const call = callOf(header, clientId, broker, connection)
  const handled = broker.faults.any ? answerWithFaults(api, request, call) : api.handle(request, call)
  const response = await unlessClosed(handled, connection.closed)
  if (!response) return null
  const writer = responseTo(header)
  encode(apiKey, 'response', apiVersion, response, writer)
  return withSize(writer.chunks())
}

/** Null once the connection is closed: a request may be parked for half an hour, and would keep all of the connection. */
function unlessClosed<Response>(answered: Response | Promise<Response>, closed: AbortSignal): Promise<Response | null> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => resolve(null)
    closed.addEventListener('abort', giveUp, {once: true})
    Promise.resolve(answered)
      .then(resolve, reject)
      .finally(() => closed.removeEventListener('abort', giveUp))
  })
}

function refuseUnlessAuthenticated(connection: Connection, {apiKey}: RequestHeader): void {
  if (OPEN_APIS.includes(apiKey)) return
  if (!connection.principal) throw new ProtocolError(`API ${apiKey} before authentication`)
  if (Date.now() > connection.expiresAt) throw new ProtocolError('the session has expired')
}

function callOf({apiVersion}: RequestHeader, clientId: string | null, broker: Broker, connection: Connection): Call {
  const mayDo = (action: string, resource: string) => connection.principal?.allows(`kafka-cluster:${action}`, resource) ?? false
  return {
    version: apiVersion,
    clientId,
    broker,
    connection,
    maySee: mayDo,
    allows(action, resource) {
      if (mayDo(action, resource)) return true
      broker.log(`denied ${connection.principal?.arn ?? 'nobody'} kafka-cluster:${action} on ${resource}`)
      return false
    },
  }
}

/** Response header v1 has tagged fields; ApiVersions always answers with v0, so that any client can read it (KIP-511). */
function responseTo({apiKey, apiVersion, correlationId}: RequestHeader): Writer {
  const writer = new Writer()
  writer.int32(correlationId)
  if (isFlexible(apiKey, apiVersion) && apiKey !== API_VERSIONS) writer.uvarint(0)
  return writer
}

/** A client newer than we are learns the versions from a v0 body with error 35, and asks again. */
function unsupportedApiVersions(broker: Broker, correlationId: number): Buffer[] {
  const writer = new Writer()
  writer.int32(correlationId)
  encode(API_VERSIONS, 'response', 0, {errorCode: ERROR.unsupportedVersion, apiKeys: advertised(broker.profile)}, writer)
  return withSize(writer.chunks())
}

function withSize(chunks: readonly Buffer[]): Buffer[] {
  const size = Buffer.allocUnsafe(4)
  size.writeInt32BE(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  return [size, ...chunks]
}
