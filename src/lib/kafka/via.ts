import net from 'node:net'
import {Duplex} from 'node:stream'

import {SkkError} from '../errors.js'
import type {Connect} from './socket.js'
import type {KafkaTarget} from './target.js'
import {reasonOf} from './unreachable.js'

/** A way to brokers that cannot be reached directly. */
export type Tunnel = {
  /** `socks5`: a proxy that is told where to go, and looks names up there. `tcp`: a port that leads to all brokers. */
  kind: 'socks5' | 'tcp'
  host: string
  port: number
}

/** kafkajs gives up after 9 s; before that, the tunnel has to be named as what failed. */
const ANSWER_MS = 8_000

/** The tunnel of `socks5://HOST:PORT`, `tcp:HOST:PORT` or `tcp://HOST:PORT`. Throws SkkError (usage), which never repeats a password. */
export function parseVia(via: string): Tunnel {
  if (via.includes('@')) {
    throw new SkkError('a tunnel with a user name and a password is not supported', {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Open one on this machine that asks for none, for example with `ssh -N -D 1080 HOST`, and pass `--via socks5://localhost:1080`.',
    })
  }
  const [, scheme, ipv6, name, digits] =
    /^(socks5:\/\/|tcp:(?:\/\/)?)(?:\[([0-9a-f:.]+)\]|([^\s:[\]/?#]+)):(\d{1,5})\/?$/i.exec(via) ?? []
  const host = ipv6 ?? name
  const port = Number(digits)
  if (!scheme || !host || port < 1 || port > 65_535) {
    throw new SkkError(`"${via}" is not a tunnel`, {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Write `--via socks5://HOST:PORT` or `--via tcp:HOST:PORT`.',
    })
  }
  return {kind: scheme.toLowerCase().startsWith('socks5') ? 'socks5' : 'tcp', host, port}
}

/**
 * How connections are opened through the tunnel. They fail with code `ETUNNEL` and a message that names the tunnel, whether
 * it does not answer or cannot get any further.
 */
export function connectVia(tunnel: Tunnel): Connect {
  // It has what is used of a net.Socket, which it cannot be: a TLS socket would take its handle before the tunnel is open.
  return (host, port) => new TunnelledSocket(tunnel, host, port) as unknown as net.Socket
}

/**
 * A tcp tunnel is one port for all brokers: what is behind it can tell them apart only by the name in the TLS handshake, which
 * is never an address and has no port. Throws SkkError (usage) when it could not.
 */
export function refuseAmbiguous({via, tls}: Pick<KafkaTarget, 'via' | 'tls'>, brokers: readonly {host: string}[]): void {
  if (via === undefined || parseVia(via).kind !== 'tcp' || brokers.length < 2) return
  const names = new Set(brokers.map(({host}) => host.toLowerCase()))
  if (tls && names.size === brokers.length && !brokers.some(({host}) => net.isIP(host))) return
  const why = tls ? 'they do not have different names' : 'without TLS no connection names its broker'
  throw new SkkError(`the tunnel "${via}" cannot tell ${brokers.length} brokers apart: ${why}`, {
    code: 'TUNNEL_AMBIGUOUS',
    exit: 'usage',
    hint: 'Use a tunnel that is told where to go: `ssh -N -D 1080 HOST` and `--via socks5://localhost:1080`.',
  })
}

/** A connection through a tunnel; what is written before it is open waits. Emits `connect` as a net.Socket does. */
class TunnelledSocket extends Duplex {
  private readonly socket: net.Socket
  private readonly opened: Promise<unknown>

  constructor(tunnel: Tunnel, host: string, port: number) {
    super({allowHalfOpen: false})
    this.socket = net.connect({host: tunnel.host, port: tunnel.port})
    // Whoever waits for the socket hears of its errors; in between nobody does.
    this.socket.on('error', () => {})
    this.opened = openTunnel(this.socket, tunnel, host, port)
    this.opened.then(
      () => this.attach(),
      (error: Error) => this.destroy(error),
    )
  }

  private attach(): void {
    if (this.destroyed) return
    this.socket.on('data', (chunk) => {
      if (!this.push(chunk)) this.socket.pause()
    })
    this.socket.once('end', () => this.push(null))
    this.socket.on('error', (error) => this.destroy(error))
    this.emit('connect')
  }

  override _read(): void {
    this.opened.then(
      () => this.socket.resume(),
      () => {},
    )
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.opened.then(() => this.socket.write(chunk, callback), callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.opened.then(() => this.socket.end(() => callback()), callback)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.socket.destroy()
    callback(error)
  }

  setNoDelay(noDelay?: boolean): this {
    this.socket.setNoDelay(noDelay)
    return this
  }

  setKeepAlive(enable?: boolean, initialDelay?: number): this {
    this.socket.setKeepAlive(enable, initialDelay)
    return this
  }

  unref(): this {
    this.socket.unref()
    return this
  }
}

/** Resolves when bytes on `socket`, which is being connected to the tunnel, arrive at the broker. */
async function openTunnel(socket: net.Socket, tunnel: Tunnel, host: string, port: number): Promise<void> {
  const startedAt = Date.now()
  await settled(socket).catch((error) => {
    throw failure(`the tunnel at "${tunnel.host}:${tunnel.port}" does not answer: ${reasonOf(error)}`)
  })
  if (tunnel.kind === 'tcp') return

  const {SocksClient} = await import('socks')
  const timeout = Math.max(1, ANSWER_MS - (Date.now() - startedAt))
  try {
    if (socket.destroyed) throw new Error('Socket closed')
    const proxy = {host: tunnel.host, port: tunnel.port, type: 5 as const}
    await SocksClient.createConnection({command: 'connect', proxy, destination: {host, port}, existing_socket: socket, timeout})
  } catch (error) {
    throw failure(`the tunnel at "${tunnel.host}:${tunnel.port}" cannot reach "${host}:${port}": ${refusalOf(error as Error)}`)
  }
}

/** Resolves when the socket is connected; rejects with its error, or with `ETIMEDOUT`. */
function settled(socket: net.Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error('no answer'), {code: 'ETIMEDOUT'})), ANSWER_MS)
    const settle = (end: () => void): void => {
      clearTimeout(timer)
      socket.removeListener('error', onError).removeListener('connect', onConnect).removeListener('close', onClose)
      end()
    }
    const onError = (error: Error): void => settle(() => reject(error))
    const onConnect = (): void => settle(resolve)
    const onClose = (): void => settle(() => reject(new Error('closed')))
    socket.once('error', onError).once('connect', onConnect).once('close', onClose)
  })
}

/** What the package `socks` says, in the words of the rest. Reply codes: RFC 1928, section 6. */
function refusalOf({message}: Error): string {
  const reply = /rejected connection - (\w+)/.exec(message)?.[1]
  if (reply) return REPLIES[reply] ?? reply
  if (/timed out/.test(message)) return 'no answer'
  if (/authentication/i.test(message)) return 'it asks for a login'
  if (/invalid/i.test(message)) return 'it does not speak SOCKS5'
  return message === 'Socket closed' ? 'it closed the connection' : message
}

const REPLIES: Readonly<Record<string, string>> = {
  Failure: 'it gives no reason',
  NotAllowed: 'its rules forbid it',
  NetworkUnreachable: 'no route to network',
  HostUnreachable: 'no route to host, or no such name there',
  ConnectionRefused: 'connection refused',
  TTLExpired: 'no answer',
}

const failure = (message: string): NodeJS.ErrnoException => Object.assign(new Error(message), {code: 'ETUNNEL'})
