import net from 'node:net'
import {onTestFinished} from 'vitest'

/** The port of a server on loopback that is gone when the test ends, with its connections. */
export async function listening(server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return (server.address() as net.AddressInfo).port
}

/** A port that refuses connections. */
export async function closedPort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const {port} = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** One port in front of several TLS servers on loopback, told apart by the server name of the handshake (RFC 6066, section 3). */
export async function sniRouter(ports: Readonly<Record<string, number>>): Promise<{port: number; names: string[]}> {
  const names: string[] = []
  const server = net.createServer((client) => {
    client.once('data', (hello) => {
      const name = serverName(hello) ?? ''
      names.push(name)
      const port = ports[name]
      if (port === undefined) client.destroy()
      else join(client, net.connect(port, '127.0.0.1'), hello)
    })
  })
  return {port: await listening(server), names}
}

/** A tunnel to one place, as `ssh -L` makes it. */
export async function forwarder(to: number): Promise<number> {
  return listening(net.createServer((client) => join(client, net.connect(to, '127.0.0.1'))))
}

export type Socks5 = {
  port: number
  /** What it was asked for, as `HOST:PORT`. */
  asked: string[]
}

/**
 * A SOCKS5 proxy without login (RFC 1928) that knows `ports`, by `HOST`, and nothing else. `reply` is what it answers; -1 is silence.
 */
export async function socks5(ports: Readonly<Record<string, number>>, {reply = 0} = {}): Promise<Socks5> {
  const asked: string[] = []
  const server = net.createServer((client) => {
    client.once('data', () => {
      client.write(Buffer.from([5, 0]))
      client.once('data', (request) => {
        const {host, port} = destination(request)
        asked.push(`${host}:${port}`)
        const known = ports[host]
        const code = reply || (known === undefined ? 4 : 0)
        if (code >= 0) client.write(Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]))
        if (code === 0) join(client, net.connect(known!, '127.0.0.1'))
      })
    })
  })
  return {port: await listening(server), asked}
}

function join(client: net.Socket, target: net.Socket, first?: Buffer): void {
  if (first) target.write(first)
  client.pipe(target).pipe(client)
  target.on('error', () => client.destroy())
  client.on('close', () => target.destroy())
}

function destination(request: Buffer): {host: string; port: number} {
  const port = request.readUInt16BE(request.length - 2)
  const host = request[3] === 3 ? request.toString('utf8', 5, 5 + request[4]!) : [...request.subarray(4, 8)].join('.')
  return {host, port}
}

/** The host name of a ClientHello that arrived in one piece. */
function serverName(hello: Buffer): string | undefined {
  if (hello[0] !== 22 || hello[5] !== 1) return undefined
  let at = 43 // record header 5, handshake header 4, version 2, random 32
  at += 1 + hello[at]! // session id
  at += 2 + hello.readUInt16BE(at) // cipher suites
  at += 1 + hello[at]! // compression methods
  const end = at + 2 + hello.readUInt16BE(at)
  at += 2
  while (at < end) {
    const [type, length] = [hello.readUInt16BE(at), hello.readUInt16BE(at + 2)]
    if (type === 0) return hello.toString('utf8', at + 9, at + 9 + hello.readUInt16BE(at + 7))
    at += 4 + length
  }
  return undefined
}
