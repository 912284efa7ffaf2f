import type {Socket} from 'node:net'

import type {Broker, Connection} from '../broker.js'
import {Frames} from '../frames.js'
import {Reader, Writer} from '../wire.js'
import type {Place} from './check.js'
import type {Dial} from './network.js'

type Waiting = {resolve(body: Buffer): void; reject(error: Error): void}

/** One question at a time over a connection of our own, where kafkajs would hide which layer failed. */
export class Exchange {
  private readonly socket: Socket
  private waiting: Waiting | undefined
  private ended: Error | undefined
  private correlationId = 0

  constructor(socket: Socket) {
    this.socket = socket
    const frames = new Frames()
    frames.onFrame = (frame) => this.deliver(frame.subarray(4))
    socket.on('data', (chunk: Buffer) => {
      const refusal = frames.push(chunk)
      if (refusal) this.end(refusal)
    })
    socket.on('error', (error) => this.end(error))
    socket.on('close', () => this.end(Object.assign(new Error('closed'), {code: 'ECLOSED'})))
  }

  /**
   * The body of the answer. Rejects with the error of the connection: code `ECLOSED` when it was closed, `ESPEAKSTLS` and
   * `EFRAME` when the answer is not Kafka's.
   */
  ask(key: number, version: number, body: Buffer): Promise<Buffer> {
    const request = new Writer()
      .int16(key)
      .int16(version)
      .int32(++this.correlationId)
      .string('skk')
      .raw(body)
      .finish()
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(this.ended)
      this.waiting = {resolve, reject}
      this.socket.write(new Writer().bytes(request).finish())
    })
  }

  private deliver(frame: Buffer): void {
    if (frame.readInt32BE(0) === this.correlationId) this.waiting?.resolve(frame.subarray(4))
    else this.end(Object.assign(new Error('the answer is to another question'), {code: 'EFRAME'}))
  }

  private end(error: Error): void {
    this.ended ??= error
    this.waiting?.reject(this.ended)
    this.socket.destroy()
  }
}

type Encoder = {apiKey: number; apiVersion: number; encode(): Promise<{buffer: Buffer}>}

/** The connection as `requests/*.ts` know one. */
export function brokerOf(exchange: Exchange, {host, port}: Place, versions: Broker['versions']): Broker {
  const connection: Connection = {
    async send({request}) {
      const {apiKey, apiVersion, encode} = request as Encoder
      return exchange.ask(apiKey, apiVersion, (await encode()).buffer)
    },
  }
  return {nodeId: null, versions, connectionPool: {...connection, host, port, pool: [], getConnection: async () => connection}}
}

/** Whether the peer answers Kafka's ApiVersions in plaintext. */
export async function speaksKafka(dial: Dial): Promise<boolean> {
  return answers(dial, async (exchange) => {
    await exchange.ask(18, 0, Buffer.alloc(0))
    return true
  })
}

/** Whether the broker would take a login on this connection. */
export async function offersLogin(dial: Dial): Promise<boolean> {
  return answers(dial, async (exchange) => {
    const errorCode = new Reader(await exchange.ask(17, 1, new Writer().string('OAUTHBEARER').finish())).int16()
    return errorCode === 0 || errorCode === 33
  })
}

async function answers(dial: Dial, ask: (exchange: Exchange) => Promise<boolean>): Promise<boolean> {
  const socket = await dial()
  try {
    return await ask(new Exchange(socket))
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
