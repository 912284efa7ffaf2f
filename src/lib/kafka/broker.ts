import type {Socket} from 'node:net'

import {SkkError} from '../errors.js'
import type {InPlace} from './overrides/request-in-place.js'
import {Reader} from './wire.js'

/** The parts of kafkajs 2.2.4's internal `Broker` that we use; client.ts checks the version. */
export type Broker = {
  nodeId: string | number | null
  versions: Record<number, {minVersion: number; maxVersion: number}> | null
  connectionPool: Connection & {
    host: string
    port: number
    /** One of two, once it is connected: by itself the pool sends Fetch over the second, and all else over the first. */
    getConnection(index: number): Promise<Connection>
    pool: {socket?: Socket}[]
  }
}

export type Connection = {
  send(protocol: {request: object; response: object; requestTimeout?: number; logResponseError?: boolean}): Promise<Buffer>
}

/** One request of the Kafka protocol in a version below "flexible". `key` and `name` as on kafka.apache.org/protocol. */
export type Request = {
  key: number
  name: string
  version: number
  body: Buffer
  /** How long the broker may take. */
  timeoutMs?: number
}

/**
 * Sends one request over the broker's connection (kafkajs connects, authenticates and re-authenticates it as needed) and
 * returns a reader of the answer's body. `throttle` says where that API carries its throttle time (a number: so many bytes from
 * the start), which the connection then obeys (KIP-219); at the start it is skipped.
 */
export async function send(
  broker: Broker,
  {key, name, version, body, timeoutMs}: Request,
  throttle: 'start' | 'end' | number,
): Promise<Reader> {
  // kafkajs copies `buffer`, and looks at `buf` to tell an encoder from anything else.
  const encode = async () => ({buf: body, buffer: body})
  const answer = await exchange(
    broker.connectionPool,
    {key, name, version, ...(timeoutMs !== undefined && {timeoutMs})},
    encode,
    throttle,
  )
  return new Reader(throttle === 'start' ? answer.subarray(4) : answer)
}

/**
 * The same for a body that is written only when the connection is ready, and not copied; its throttle time is at the end. It goes over
 * `connection` 0 or 1: Kafka begins with a request only when it has answered the one before it on the same connection.
 */
export async function sendInPlace(
  broker: Broker,
  {connection, encode, ...request}: Omit<Request, 'body'> & {connection: number; encode(): InPlace},
): Promise<Reader> {
  const answer = await exchange(
    await broker.connectionPool.getConnection(connection),
    request,
    async () => {
      const inPlace = encode()
      const body = inPlace.bytes.subarray(inPlace.start, inPlace.end)
      return {buf: body, buffer: body, inPlace}
    },
    'end',
  )
  return new Reader(answer)
}

function exchange(
  over: Connection,
  {key, name, version, timeoutMs}: Omit<Request, 'body'>,
  encode: () => Promise<object>,
  throttle: 'start' | 'end' | number,
): Promise<Buffer> {
  const throttleAt = (size: number): number => (throttle === 'start' ? 0 : throttle === 'end' ? size - 4 : throttle)
  return over.send({
    request: {apiKey: key, apiVersion: version, apiName: name, encode},
    response: {
      decode: async (payload: Buffer) => ({
        payload,
        clientSideThrottleTime: payload.readInt32BE(throttleAt(payload.length)),
      }),
      parse: async ({payload}: {payload: Buffer}) => payload,
    },
    logResponseError: false,
    ...(timeoutMs !== undefined && {requestTimeout: timeoutMs}),
  })
}

/** The highest version from `min` to `max` of API `key` that the broker speaks. Throws SkkError when there is none. */
export function versionOf(broker: Broker, {key, name}: Pick<Request, 'key' | 'name'>, min: number, max: number): number {
  const range = broker.versions?.[key]
  if (range && range.maxVersion >= min && range.minVersion <= max) return Math.min(max, range.maxVersion)
  throw new SkkError(`the broker ${broker.connectionPool.host}:${broker.connectionPool.port} does not know ${name}`, {
    code: 'UNSUPPORTED',
    exit: 'unavailable',
    retryable: false,
  })
}

/** Ends the connections of a broker that has stopped answering, so that the next request opens new ones. */
export function dropConnections(broker: Broker): void {
  for (const {socket} of broker.connectionPool.pool)
    socket?.destroy(Object.assign(new Error('no answer in time'), {code: 'ETIMEDOUT'}))
}
