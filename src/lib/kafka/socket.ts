import net from 'node:net'
import tls from 'node:tls'

const KEEP_ALIVE_MS = 60_000

/** kafkajs would buffer whatever length a frame claims (an unauthenticated peer could ask for 2 GiB). */
const MAX_FRAME_BYTES = 128 * 1024 * 1024

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
    const socket = ssl ? openTls(host, port, ca, tunnel) : (tunnel ?? net.connect({host, port}))
    for (const wire of [socket, tunnel]) wire?.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
    watch(socket, tunnel ?? socket, attempt, ssl ? 'tls' : 'open')
    socket.once(ssl ? 'secureConnect' : 'connect', () => {
      attempt.layer = 'open'
      onConnect()
    })
    return capped(socket, attempt)
  }
}

function openTls(host: string, port: number, ca: string | undefined, tunnel: net.Socket | undefined): tls.TLSSocket {
  const options = {...(net.isIP(host) ? {} : {servername: host}), ...(ca !== undefined && {ca})}
  if (!tunnel) return tls.connect({host, port, ...options})

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

/** Lets kafkajs see a chunk only after its frame lengths were checked: it trusts them, and a negative one crashes it. */
function capped(socket: net.Socket, attempt: Attempt): net.Socket {
  const accepts = frameGuard()
  const on = socket.on.bind(socket)
  socket.on = (event: string, listener: (...args: any[]) => void) => {
    if (event !== 'data') return on(event, listener)
    return on('data', (chunk: Buffer) => {
      const refusal = accepts(chunk)
      if (refusal === null) return listener(chunk)
      attempt.error ??= refusal
      socket.destroy(refusal)
    })
  }
  return socket
}

/** Follows the length prefixes in a stream of response frames; returns the error for the first one that cannot be meant. */
export function frameGuard(maxBytes = MAX_FRAME_BYTES): (chunk: Buffer) => NodeJS.ErrnoException | null {
  let left = 0
  let prefix = Buffer.alloc(0)
  let first = true
  return (chunk) => {
    if (first && chunk.length >= 2 && chunk[0] === 0x15 && chunk[1] === 0x03) return failure('ESPEAKSTLS', 'this port speaks TLS')
    first = false
    let at = 0
    while (at < chunk.length) {
      if (left > 0) {
        const used = Math.min(left, chunk.length - at)
        left -= used
        at += used
        continue
      }
      const wanted = 4 - prefix.length
      prefix = Buffer.concat([prefix, chunk.subarray(at, at + wanted)])
      at = Math.min(chunk.length, at + wanted)
      if (prefix.length < 4) return null
      left = prefix.readInt32BE(0)
      prefix = Buffer.alloc(0)
      if (left < 4 || left > maxBytes)
        return failure('EFRAME', `the peer announced a frame of ${left} bytes, so it is no Kafka broker`)
    }
    return null
  }
}

function failure(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), {code})
}
