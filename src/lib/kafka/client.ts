import {readFile} from 'node:fs/promises'

import type {Admin, Kafka} from 'kafkajs'

import {SkkError} from '../errors.js'
import {iamSasl} from './auth.js'
import {type Broker, dropConnections} from './broker.js'
import {BrokerError} from './broker-error.js'
import {type Cluster, withTolerantMetadata} from './cluster.js'
import {explain} from './errors.js'
import {installConnectOnce} from './overrides/connect-once.js'
import {installFrameInOnePiece} from './overrides/frame-in-one-piece.js'
import {KAFKAJS_VERSION, kafkajsVersion} from './overrides/override.js'
import {installRequestInPlace} from './overrides/request-in-place.js'
import {installRequestQueueTimer} from './overrides/request-queue-timer.js'
import {metadata} from './requests/metadata.js'
import {type Attempt, type Connect, socketFactory} from './socket.js'
import type {KafkaTarget} from './target.js'
import {connectVia, parseVia, refuseAmbiguous} from './via.js'

export type {KafkaTarget} from './target.js'

/** Unreachable has to be said within 10 s, start-up and message included. */
const CONNECT_MS = 8_500

/** So many addresses have a part of that time, if there are several; kafkajs tries no more than three. */
const MOST_ADDRESSES = 3

/** A broker that does not answer leaves time to ask another one. */
const METADATA_MS = 10_000

/** Disconnecting waits for answers that are still due; not for longer than this. */
const GOODBYE_MS = 1_000

const connectMs = ({timeoutMs}: KafkaTarget): number => Math.min(CONNECT_MS, timeoutMs)

/** What is open towards one cluster. */
export type Client = {
  kafka: Kafka
  /** How the last connections went, newest last. */
  attempts: Attempt[]
  /** Destroys every socket that is still open. */
  hangUp(): void
}

let loading: Promise<typeof import('kafkajs')> | undefined

/** Loads kafkajs, once, with what we override in it. */
function loadKafkajs(): Promise<typeof import('kafkajs')> {
  loading ??= (async () => {
    const known = [installRequestInPlace(), installFrameInOnePiece(), installConnectOnce(), installRequestQueueTimer()]
    if (known.includes(false)) {
      process.emitWarning(`kafkajs is not the ${KAFKAJS_VERSION} that skk knows; it will work, but slower`)
    }
    return (await import('kafkajs')).default
  })()
  return loading
}

/** A client that has connected to nothing yet. `connect` replaces how TCP connections are opened, in tests. */
async function createClient(
  target: KafkaTarget,
  connect: Connect | undefined = target.via === undefined ? undefined : connectVia(parseVia(target.via)),
): Promise<Client> {
  const {Kafka, logLevel} = await loadKafkajs()
  const attempts: Attempt[] = []
  const sockets = new Set<{destroy(error: Error): unknown}>()
  const addresses = target.bootstrap.map(parseAddress)
  // kafkajs cuts addresses at the first colon, so an IPv6 address travels through it under another name.
  const aliases = new Map(addresses.flatMap(({host}, i) => (host.includes(':') ? [[`ipv6-${i}`, host]] : [])))
  const aliasOf = (host: string): string => [...aliases].find(([, real]) => real === host)?.[0] ?? host

  const open = socketFactory({
    ...(target.tls && target.ca !== undefined && {ca: await readCertificates(target.ca)}),
    ...(connect && {connect}),
    onAttempt: (attempt) => {
      attempts.push(attempt)
      if (attempts.length > 20) attempts.shift()
    },
  })
  const kafka = new Kafka({
    clientId: 'skk',
    brokers: addresses.map(({host, port}) => `${aliasOf(host)}:${port}`),
    ssl: target.tls,
    ...(target.auth === 'iam' && {sasl: iamSasl(target) as never}),
    connectionTimeout: connectMs(target),
    authenticationTimeout: connectMs(target),
    requestTimeout: Math.min(30_000, target.timeoutMs),
    // Two further tries in about 1 s; what has to last longer has a deadline of its own.
    retry: {retries: 2, initialRetryTime: 200, maxRetryTime: 1_000},
    logLevel: logLevel.NOTHING,
    logCreator: () => () => {},
    socketFactory: (opened) => {
      const socket = open({...opened, host: aliases.get(opened.host) ?? opened.host})
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
  })
  return {
    kafka,
    attempts,
    hangUp: () => {
      // Without an error kafkajs does not notice, and its timers keep the process alive.
      for (const socket of sockets) socket.destroy(new Error('hung up'))
    },
  }
}

/** The PEM text of `--ca`. Throws SkkError (local I/O). */
export async function readCertificates(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new SkkError(`cannot read the certificates in "${file}": ${(cause as Error).message}`, {
      code: 'CA_UNREADABLE',
      exit: 'localIo',
      hint: 'Check `--ca`.',
      cause,
    })
  }
}

/** `work` with a connected kafkajs admin. Throws SkkError for everything that a user can act on. */
export async function withAdmin<T>(target: KafkaTarget, work: (admin: Admin) => Promise<T>): Promise<T> {
  return withClient(target, async (client) => {
    const admin = client.kafka.admin({retry: {retries: 2}})
    await within(connectMs(target), admin.connect())
    return work(admin).finally(() => within(GOODBYE_MS, admin.disconnect()).catch(() => {}))
  })
}

/**
 * `work` with kafkajs' internal cluster object, connected: brokers by node id, metadata, and connections that carry requests
 * which kafkajs itself does not know. Throws SkkError for everything that a user can act on.
 */
export async function withCluster<T>(
  target: KafkaTarget,
  work: (cluster: Cluster, client: Client) => Promise<T>,
  connect?: Connect,
): Promise<T> {
  return withClient(
    target,
    async (client) => {
      const cluster = clusterOf(client.kafka, target)
      await connected(cluster, target)
      return work(cluster, client).finally(() => within(GOODBYE_MS, cluster.disconnect()).catch(() => {}))
    },
    connect,
  )
}

/** Connects to the first of the addresses that answers: one that takes the connection and hangs is given up for the next. */
async function connected(cluster: Cluster, target: KafkaTarget): Promise<void> {
  const giveUp = () => cluster.brokerPool.seedBroker && dropConnections(cluster.brokerPool.seedBroker)
  const addresses = Math.min(MOST_ADDRESSES, target.bootstrap.length)
  const timer = addresses > 1 ? setInterval(giveUp, connectMs(target) / addresses) : undefined
  await within(connectMs(target), cluster.connect()).finally(() => clearInterval(timer))
}

async function withClient<T>(target: KafkaTarget, work: (client: Client) => Promise<T>, connect?: Connect): Promise<T> {
  const client = await createClient(target, connect)
  try {
    return await work(client)
  } catch (error) {
    throw explain(error, target, client.attempts)
  } finally {
    client.hangUp()
  }
}

/** kafkajs keeps the constructor of its cluster object behind a symbol that it does not export. */
function clusterOf(kafka: Kafka, target: KafkaTarget): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({description}) => description === 'private:Kafka:createCluster')
  if (kafkajsVersion() !== KAFKAJS_VERSION || symbol === undefined) {
    throw new SkkError(`skk needs kafkajs ${KAFKAJS_VERSION} and found ${kafkajsVersion()}`, {
      code: 'KAFKAJS_VERSION',
      exit: 'localIo',
      hint: 'Install skk again, so that its own lockfile decides.',
    })
  }
  const createCluster = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol]!
  const cluster = createCluster({allowAutoTopicCreation: false, maxInFlightRequests: null, metadataMaxAge: 300_000})
  return withTolerantMetadata(cluster, async (broker, topics) => {
    const found = await inTime(broker, Math.min(METADATA_MS, target.timeoutMs), metadata(broker, topics))
    refuseAmbiguous(target, found.brokers)
    return found
  })
}

/** The outcome of `work`, or an error with code `ETIMEDOUT` after `ms`. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error(`no answer within ${ms / 1000} s`), {code: 'ETIMEDOUT'})), ms)
  })
  work.catch(() => {})
  return Promise.race([work, timeout]).finally(() => clearTimeout(timer))
}

/**
 * The outcome of a request to `broker`, or an error after `ms`. Its connections are given up then, since one that has become silent would
 * swallow the next request, too; and when anything else went wrong but what the broker itself answered.
 */
export async function inTime<T>(broker: Broker, ms: number, request: Promise<T>): Promise<T> {
  try {
    return await within(ms, request)
  } catch (error) {
    if (!(error instanceof BrokerError)) dropConnections(broker)
    throw error
  }
}

/** Host and port of `host:port` or `[address]:port`. Throws SkkError (usage). */
export function parseAddress(address: string): {host: string; port: number} {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(address) ?? []
  const host = bracketed ?? plain
  if (!host || Number(port) < 1 || Number(port) > 65_535) {
    throw new SkkError(`"${address}" is not an address of a broker`, {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Write it as HOST:PORT, such as localhost:9092.',
    })
  }
  return {host, port: Number(port)}
}
