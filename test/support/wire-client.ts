import {once} from 'node:events'
import {connect, type Socket} from 'node:net'
import {onTestFinished} from 'vitest'

import {decode, encode, isFlexible, Reader, Writer} from '../../src/lib/local/kafka/wire.js'

export type WireClient = {
  socket: Socket
  /** Sends one request and resolves to its decoded response; rejects when the connection closes instead. */
  request<Response>(key: number, version: number, body: object): Promise<Response>
  /** Sends bytes as they are. */
  send(bytes: Buffer): void
  /** Resolves to the next frame's bytes, without the size. */
  frame(): Promise<Buffer>
  /** Resolves when the other side has closed. */
  closed(): Promise<void>
}

/** A connection to HOST:PORT that speaks Kafka's frames and nothing more: no retries, no versions, no login. */
export async function wireClient(address: string): Promise<WireClient> {
  const [host, port] = address.split(':')
  const socket = connect(Number(port), host)
  socket.on('error', () => {})
  const closing = new Promise((resolve) => socket.once('close', resolve))
  await once(socket, 'connect')
  onTestFinished(() => void socket.destroy())
  let pending: Buffer = Buffer.alloc(0)
  let correlationId = 0

  const frame = async (): Promise<Buffer> => {
    for (;;) {
      if (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const end = 4 + pending.readInt32BE(0)
        const bytes = pending.subarray(4, end)
        pending = pending.subarray(end)
        return bytes
      }
      const data = new Promise<Buffer>((resolve) => socket.once('data', resolve))
      const chunk = await Promise.race([data, closing.then(() => undefined)])
      if (chunk === undefined) throw new Error('the connection was closed')
      pending = Buffer.concat([pending, chunk])
    }
  }

  return {
    socket,
    frame,
    async closed() {
      socket.resume()
      await closing
    },
    send: (bytes) => void socket.write(bytes),
    async request<Response>(key: number, version: number, body: object): Promise<Response> {
      socket.write(requestBytes(key, version, ++correlationId, body))
      const reader = new Reader(await frame())
      reader.int32()
      if (isFlexible(key, version) && key !== 18) reader.skip(1)
      return decode<Response>(key, 'response', version, reader)
    },
  }
}

/** A whole request frame with its size. */
export function requestBytes(key: number, version: number, correlationId: number, body: object): Buffer {
  const writer = new Writer()
  writer.int16(key)
  writer.int16(version)
  writer.int32(correlationId)
  writer.int16(4)
  writer.raw(Buffer.from('test'))
  if (isFlexible(key, version)) writer.uvarint(0)
  encode(key, 'request', version, body, writer)
  return withSize(Buffer.concat(writer.chunks()))
}

export function withSize(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(bytes.length)
  return Buffer.concat([size, bytes])
}
