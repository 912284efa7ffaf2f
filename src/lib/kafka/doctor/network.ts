import {lookup} from 'node:dns/promises'
import {once} from 'node:events'
import net from 'node:net'
import {addAbortSignal, type Duplex} from 'node:stream'

import type {SkkError} from '../../errors.js'
import {isLoopback} from '../auth.js'
import {IN_THE_VPC, reasonOf} from '../unreachable.js'
import {connectVia, parseVia} from '../via.js'
import {addressOf, type Finding, fault, isServerlessName, type Place} from './check.js'

/** Opens another connection by the way that was found to work. */
export type Dial = () => Promise<net.Socket>

/** A socket that is destroyed when the signal comes, and whose errors are heard by whoever waits for it, or by nobody. */
function ending<T extends Duplex>(socket: T, signal: AbortSignal): T {
  socket.on('error', () => {})
  return addAbortSignal(signal, socket)
}

/** The addresses of a name, as the operating system resolves it. */
export async function resolve({host}: Place): Promise<Finding & {addresses: string[]}> {
  const found = await lookup(host, {all: true}).catch((error) => {
    throw nameFault(host, error)
  })
  const addresses = found.map(({address}) => address)
  return {addresses, detail: addresses.map((address) => `${address} (${scopeOf(address)})`).join(', ')}
}

/** The connection to the first of the addresses that answers. */
export async function connect(
  {port}: Place,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Finding & {socket: net.Socket}> {
  const sockets = addresses.map((host) => ending(net.connect({host, port}), signal))
  const connected = sockets.map((socket) => once(socket, 'connect').then(() => socket))
  const socket = await Promise.any(connected).catch(({errors}: AggregateError) => {
    throw errors[0]
  })
  for (const other of sockets) if (other !== socket) other.destroy()
  return {socket, detail: `connected to ${socket.remoteAddress}`}
}

/** The connection through the tunnel. Its failures name the tunnel. */
export async function throughTunnel({host, port, target}: Place, signal: AbortSignal): Promise<Finding & {socket: net.Socket}> {
  const via = target.via!
  const tunnel = parseVia(via)
  const socket = ending(connectVia(tunnel)(host, port), signal)
  await once(socket, 'connect').catch((error: Error) => {
    throw fault(error.message, 'Start the tunnel, or correct `--via`.', error)
  })
  return {socket, detail: tunnel.kind === 'socks5' ? `${via} connects to it` : `${via} answers`}
}

function nameFault(host: string, error: NodeJS.ErrnoException): SkkError {
  if (isServerlessName(host)) return fault(`the name "${host}" does not resolve here`, IN_THE_VPC, error)
  if (error.code === 'ENOTFOUND')
    return fault(
      `there is no name "${host}"`,
      'Check how it is written; if it is a private name, run where it resolves or pass `--via`.',
      error,
    )
  return fault(`the name server does not answer for "${host}"`, "Check this machine's network and its name servers.", error)
}

/** Why no address of a place could be connected to. `error` null: nothing came back before the deadline. */
export function connectFault(place: Place, addresses: readonly string[], error: NodeJS.ErrnoException | null): SkkError {
  const {host} = place
  const shown = addresses.filter((address) => address !== host)
  const where = `"${addressOf(place)}"${shown.length > 0 ? ` (${shown.join(', ')})` : ''}`
  if (error?.code === 'ECONNREFUSED') {
    const fix = isLoopback(host)
      ? 'Run `skk local start` if it is the local stack, otherwise check the port.'
      : 'Check the port; that of MSK for IAM is 9098.'
    return fault(`nothing listens on ${where}`, fix, error)
  }
  const cause = error === null || error.code === 'ETIMEDOUT' ? `${where} does not answer` : `${where}: ${reasonOf(error)}`
  if (isServerlessName(host)) return fault(cause, IN_THE_VPC, error)
  if (addresses.some((address) => scopeOf(address) === 'private'))
    return fault(
      cause,
      'Run inside its private network or pass `--via`, and let its security group or firewall admit you.',
      error,
    )
  return fault(cause, 'Let its security group or firewall admit this machine, or pass `--via`.', error)
}

const PRIVATE = new net.BlockList()
for (const [address, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
] as const)
  PRIVATE.addSubnet(address, prefix, 'ipv4')
PRIVATE.addSubnet('fc00::', 7, 'ipv6')
PRIVATE.addSubnet('fe80::', 10, 'ipv6')

/** Where an address means something: RFC 1918, 4193, 6598, 3927. */
export function scopeOf(address: string): 'loopback' | 'private' | 'public' {
  if (isLoopback(address)) return 'loopback'
  return PRIVATE.check(address, net.isIPv6(address) ? 'ipv6' : 'ipv4') ? 'private' : 'public'
}
