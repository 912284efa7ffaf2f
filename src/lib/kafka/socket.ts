import net from 'node:net'
import tls from 'node:tls'

import {Frames} from './frames.js'

const KEEP_ALIVE_MS = 60_000

/** How far a connection got before it failed. */
type Layer = 'dns' | 'tcp' | 'tunnel' | 'tls' | 'open'

/** The last attempt to reach one address, for the message that names the layer. */
export type Attempt = {
  host: string
  port: number
  address: string | null
  layer: Layer
  error: NodeJS.ErrnoException | null
  startedAt: number
}

/** Opens the TCP connection to a broker: `net.connect`, or a way through a proxy or tunnel. */
export type Connect = (host: string, port: number) => net.Socket

export type SocketOptions = {
  /** PEM certificates to trust instead of the system's. */
  ca?: string
  connect?: Connect
  onAttempt?: (attempt: Attempt) => void
}

type Opened = {host: string; port: number; ssl: unknown; onConnect: () => void}

/** kafkajs' `socketFactory`: no delay, keep-alive, TLS with the broker's name checked, frames capped. */
export function socketFactory({ca, connect, onAttempt}: SocketOptions): (opened: Opened) => net.Socket {
  return ({host, port, ssl, onConnect}) => {
    const attempt: Attempt = {
      host,
      port,
      address: net.isIP(host) ? host : null,
      layer: net.isIP(host) ? 'tcp' : 'dns',
      error: null,
      startedAt: Date.now(),
    }
    onAttempt?.(attempt)
    if (connect) attempt.layer = 'tunnel'
    const tunnel = connect?.(host, port)
    const frames = new Frames()
    const refuse = (refusal: NodeJS.ErrnoException | null): boolean => {
      if (refusal === null) return true
      attempt.error ??= refusal
      socket.destroy(refusal)
      return false
    }
    const onread = {buffer: () => frames.room(), callback: (bytes: number) => refuse(frames.took(bytes))}
    const socket = ssl ? openTls({host, port, onread}, ca, tunnel) : (tunnel ?? net.connect({host, port, onread}))
    for (const wire of [socket, tunnel]) wire?.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
    watch(socket, tunnel ?? socket, attempt, ssl ? 'tls' : 'open')
    socket.once(ssl ? 'secureConnect' : 'connect', () => {
      attempt.layer = 'open'
      onConnect()
    })
    return forgettable(inFrames(socket, frames, refuse))
  }
}

/**
 * Without a handle Node keeps `unref` for when the socket connects, and kafkajs calls it each time that it gives up on a broker, also
 * on a socket that was closed long ago: after ten times Node would warn of a leak on the user's standard error.
 */
function forgettable(socket: net.Socket): net.Socket {
  const unref = socket.unref.bind(socket)
  socket.unref = () => (socket.destroyed ? socket : unref())
  return socket
}

type Address = {host: string; port: number; onread: net.OnReadOpts}

function openTls({host, port, onread}: Address, ca: string | undefined, tunnel: net.Socket | undefined): tls.TLSSocket {
  // The types of Node 20 do not know that it takes `onread` here too.
  const options = {...(net.isIP(host) ? {} : {servername: host}), ...(ca !== undefined && {ca})}
  if (!tunnel) return tls.connect({host, port, onread, ...options} as tls.ConnectionOptions)

  // `host` is what the certificate has to name, also behind a tunnel.
  const secure = tls.connect({socket: tunnel, host, ...options})
  // A failure of the connection below reaches only its own socket, and kafkajs listens to the one above.
  tunnel.once('error', (error) => secure.destroy(error))
  return secure
}

/** `wire` is the connection below TLS: the tunnel, or the socket itself. */
function watch(socket: net.Socket, wire: net.Socket, attempt: Attempt, next: Layer): void {
  socket.on('lookup', (error, address) => {
    if (error) return
    attempt.address = address
    attempt.layer = 'tcp'
  })
  wire.once('connect', () => {
    if (wire === socket) attempt.address ??= socket.remoteAddress ?? null
    attempt.layer = next
  })
  socket.on('error', (error) => {
    attempt.error ??= error
  })
}

/** Lets kafkajs see whole frames only, of lengths that were checked: it trusts them, and a negative one crashes it. */
function inFrames(socket: net.Socket, frames: Frames, refuse: (refusal: NodeJS.ErrnoException | null) => boolean): net.Socket {
  const on = socket.on.bind(socket)
  socket.on = (event: string, listener: (...args: any[]) => void) => {
    if (event !== 'data') return on(event, listener)
    frames.onFrame = listener
    // What comes through a tunnel; the other sockets read to where the frames want it.
    return on('data', (chunk: Buffer) => refuse(frames.push(chunk)))
  }
  return socket
}
