import net from 'node:net'

import {SkkError} from '../errors.js'
import {parseAddress, readCertificates, within} from './client.js'
import {type ApiVersion, askApiVersions} from './doctor/api-versions.js'
import {addressOf, type Check, denial, type Finding, fault, type Layer, type Place, steps} from './doctor/check.js'
import {brokerOf, Exchange, offersLogin, speaksKafka} from './doctor/exchange.js'
import {CertificateRefused, certificateFault, handshakeFault, secure, speaksTls} from './doctor/handshake.js'
import {logIn} from './doctor/login.js'
import {connect, connectFault, type Dial, resolve, throughTunnel} from './doctor/network.js'
import {metadata} from './requests/metadata.js'
import type {KafkaTarget} from './target.js'
import {parseVia, refuseAmbiguous} from './via.js'

export type {ApiVersion} from './doctor/api-versions.js'
export {type Check, steps} from './doctor/check.js'

export type Diagnosis = {
  checks: Check[]
  /** The APIs that skk uses, once for each different set of versions among the brokers. */
  apiVersions: ApiVersion[]
  /** Of the first check that failed. */
  failure: SkkError | undefined
}

type Settings = {
  /** An HTTP address whose answers tell the time, to compare with when a login is refused. */
  endpoint?: string | undefined
}

/** Looking again at what does not speak as expected must not take what is left of the time. */
const SNIFF_MS = 2_000

/**
 * Looks at every broker of the bootstrap addresses and of their metadata, layer by layer, and stops at the first that fails;
 * at most `target.timeoutMs` for each, all at once. Throws SkkError only for what is wrong with the target itself.
 */
export async function diagnose(target: KafkaTarget, settings: Settings = {}): Promise<Diagnosis> {
  if (target.via !== undefined) parseVia(target.via)
  const ca = target.tls && target.ca !== undefined ? await readCertificates(target.ca) : undefined
  const look = (address: string) => examine({...parseAddress(address), target}, ca, settings)

  const bootstrap = [...new Set(target.bootstrap)]
  const first = await Promise.all(bootstrap.map(look))
  const advertised = new Set(first.flatMap(({brokers}) => brokers.map(addressOf)))
  const rest = await Promise.all([...advertised].filter((address) => !bootstrap.includes(address)).map(look))
  const all = [...first, ...rest]
  return {
    checks: all.flatMap(({checks}) => checks),
    apiVersions: distinct(all.map(({apiVersions}) => apiVersions)).flat(),
    failure: all.find(({failure}) => failure)?.failure,
  }
}

type Examined = Omit<Diagnosis, 'failure'> & {failure: SkkError | undefined; brokers: {host: string; port: number}[]}

async function examine(place: Place, ca: string | undefined, {endpoint}: Settings): Promise<Examined> {
  const {target} = place
  const booked = steps(addressOf(place))
  const found: Pick<Examined, 'apiVersions' | 'brokers'> = {apiVersions: [], brokers: []}
  const ending = new AbortController()
  const deadline = Date.now() + target.timeoutMs
  const layer: Look = (name, work, explain) =>
    booked.step(name, () => bounded(work, explain, () => Math.max(0, deadline - Date.now())))

  try {
    const {socket, dial} = await reach(place, layer, ending.signal)
    const wire = target.tls ? await layer('tls', () => secure(place, socket, ca), tlsFault(place, dial)) : {socket}
    const exchange = new Exchange(wire.socket)
    const explain = kafkaFault(place, dial)
    if (target.auth === 'iam') await layer('sasl', () => logIn(place, exchange, endpoint), explain)
    const {served, table} = await layer('apiVersions', () => askApiVersions(place, exchange), explain)
    found.apiVersions = table
    const broker = brokerOf(exchange, place, served)
    const {brokers} = await layer('metadata', async () => described(await metadata(broker, null), target), explain)
    found.brokers = brokers
  } catch (error) {
    if (!(error instanceof SkkError)) throw error
  } finally {
    ending.abort()
  }
  return {...booked, ...found}
}

type Look = <T extends Finding>(name: Layer, work: () => Promise<T>, explain: Explain) => Promise<T>

/** What a failure of the network means in its layer; null is that nothing came before the deadline. */
type Explain = (error: NodeJS.ErrnoException | null) => SkkError | Promise<SkkError>

async function bounded<T>(work: () => Promise<T>, explain: Explain, leftMs: () => number): Promise<T> {
  try {
    return await within(leftMs(), work())
  } catch (error) {
    if (error instanceof SkkError || !isNetworkError(error)) throw error
    throw await explain(leftMs() === 0 ? null : (error as NodeJS.ErrnoException))
  }
}

const isNetworkError = (error: unknown): boolean =>
  error instanceof RangeError ||
  error instanceof CertificateRefused ||
  /^(?:E(?!RR_)[A-Z_]+|ERR_(?:SSL|TLS)_\w+)$/.test(String((error as NodeJS.ErrnoException).code))

/** A connection to the address, and how to get another one. */
async function reach(place: Place, layer: Look, signal: AbortSignal): Promise<{socket: net.Socket; dial: Dial}> {
  const {host, target} = place
  if (target.via !== undefined) {
    const open = () => throughTunnel(place, signal)
    const {socket} = await layer('tunnel', open, () =>
      fault(`the tunnel "${target.via}" does not answer`, 'Start it, or correct `--via`.'),
    )
    return {socket, dial: async () => (await open()).socket}
  }
  const noName: Explain = () => fault(`the name server does not answer for "${host}"`, "Check this machine's name servers.")
  const addresses = net.isIP(host) ? [host] : (await layer('dns', () => resolve(place), noName)).addresses
  const open = () => connect(place, addresses, signal)
  const {socket} = await layer('tcp', open, (error) => connectFault(place, addresses, error))
  return {socket, dial: async () => (await open()).socket}
}

const sniff = (question: Promise<boolean>): Promise<boolean> => within(SNIFF_MS, question).catch(() => false)

const tlsFault =
  (place: Place, dial: Dial): Explain =>
  async (error) => {
    if (error instanceof CertificateRefused) return certificateFault(place, error)
    if (error !== null && (await sniff(speaksKafka(dial))))
      return fault(`"${addressOf(place)}" speaks Kafka without TLS`, 'Use `--no-tls`, or the port that has TLS.', error)
    return handshakeFault(place, error)
  }

const kafkaFault =
  (place: Place, dial: Dial): Explain =>
  async (error) => {
    const {auth, tls, via} = place.target
    const where = `"${addressOf(place)}"`
    if (error === null)
      return fault(`${where} takes connections but does not answer`, 'Check that the port is that of a Kafka broker.')
    const foreign = error.code === 'EFRAME' || error instanceof RangeError
    if (!tls && (error.code === 'ESPEAKSTLS' || (await sniff(speaksTls(place, dial)))))
      return fault(`${where} speaks TLS, and this connection does not`, 'Use `--tls`.', error)
    if (foreign) return fault(`${where} does not speak Kafka`, 'Check that the port is that of a Kafka broker.', error)
    if (auth === 'none' && (await sniff(offersLogin(dial)))) return denial(`${where} wants a login`, 'Use `--auth iam`.', error)
    const fix = via ? `Check that the other end of "${via}" reaches a broker.` : 'Check that the port is that of a Kafka broker.'
    return fault(`${where} closed the connection`, fix, error)
  }

type Metadata = Awaited<ReturnType<typeof metadata>>

function described({brokers, controllerId, topics}: Metadata, target: KafkaTarget): Finding & Pick<Metadata, 'brokers'> {
  refuseAmbiguous(target, brokers)
  const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`
  return {brokers, detail: `${plural(brokers.length, 'broker')}, controller ${controllerId}, ${plural(topics.length, 'topic')}`}
}

/** The tables that differ in more than the broker that was asked. */
function distinct(tables: readonly ApiVersion[][]): ApiVersion[][] {
  const seen = new Map(tables.toReversed().map((table) => [JSON.stringify(table.map(({target, ...rest}) => rest)), table]))
  return [...seen.values()].reverse()
}
