import {randomUUID} from 'node:crypto'
import {readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'

import type {ClusterRecord, ClusterStore, NewCluster} from './aws/msk.js'
import {writeAtomically} from './data-dir.js'
import {type Authentication, Broker} from './kafka/broker.js'
import type {Listener} from './kafka/connection.js'
import type {Faults} from './kafka/faults.js'
import type {ApiProfile} from './kafka/profiles.js'
import {type Serving, serve} from './kafka/server.js'

export type ClusterSettings = {
  dataDir: string
  region: string
  accountId: string
  nodes: number
  profile: ApiProfile
  fsync: boolean
  tls: {key: string; cert: string} | undefined
  createDelayMs: number
  /** How long a client may rest in the middle of something. */
  stallMs: number | undefined
  authentication: Authentication
  faults: Faults
  advertise: Advertise | undefined
  log(line: string): void
}

/** The address that clients are told instead of a listener's own: that of a proxy in front of it. */
export type Advertise = (listener: Readonly<Listener>) => Promise<{host: string; port: number}>

/** A wanted port; 0 picks one. `mayMove`: take another when it is taken. */
export type Port = {wanted: number; mayMove: boolean}

export type RunningCluster = {
  record: ClusterRecord
  broker: Broker
  /** In the order of the broker's listeners. */
  servings: Serving[]
  bootstrap: string
  plaintextBootstrap: string | undefined
}

/** What is kept of a cluster in clusters.json. The port is where it listened last, and where it listens again if it can. */
type SavedCluster = Omit<ClusterRecord, 'bootstrap'> & {port: number}

/**
 * The clusters of a stack: what the MSK API lists, and the broker of each that is ACTIVE, on ports of its own.
 * Every change is in clusters.json before it is answered.
 */
export class Clusters implements ClusterStore {
  readonly #settings: ClusterSettings
  readonly #records = new Map<string, ClusterRecord>()
  readonly #running = new Map<string, RunningCluster>()
  readonly #ports = new Map<string, number>()
  #saving: Promise<void> = Promise.resolve()
  #closed = false

  constructor(settings: ClusterSettings) {
    this.#settings = settings
  }

  list(): ClusterRecord[] {
    return [...this.#records.values()]
  }

  /** The cluster with that ARN, while its broker runs. */
  running(arn: string): RunningCluster | undefined {
    return this.#running.get(arn)
  }

  /** Reads clusters.json. Those that were on their way out are gone, those on their way in go on. */
  async load(): Promise<void> {
    const text = await readFile(this.#file(), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '[]'
      throw error
    })
    for (const {port, ...saved} of JSON.parse(text) as SavedCluster[]) {
      if (saved.state === 'DELETING') await rm(this.#dir(saved.uuid), {recursive: true, force: true})
      else {
        this.#records.set(saved.arn, {...saved, bootstrap: undefined})
        this.#ports.set(saved.arn, port)
      }
    }
  }

  /** Starts every cluster that `start` has not. */
  async resume(): Promise<void> {
    for (const record of this.#records.values()) {
      if (this.#running.has(record.arn)) continue
      await this.start(record, {wanted: this.#ports.get(record.arn) ?? 0, mayMove: true}, undefined)
    }
  }

  /** The record of the cluster with that name, made now if there is none. It is not started. */
  async ensure(name: string): Promise<ClusterRecord> {
    const existing = this.list().find((record) => record.name === name)
    if (existing) return existing
    const record = this.#newRecord({name, tags: {}, vpcConfigs: []}, 'ACTIVE')
    await this.#save()
    return record
  }

  async create(input: NewCluster): Promise<ClusterRecord> {
    const record = this.#newRecord(input, 'CREATING')
    await this.#save()
    setTimeout(() => void this.#activate(record), this.#settings.createDelayMs)
    return record
  }

  async #activate(record: ClusterRecord): Promise<void> {
    if (this.#closed || record.state !== 'CREATING') return
    try {
      await this.start(record, {wanted: 0, mayMove: true}, undefined)
    } catch (error) {
      this.#settings.log(`error: cluster ${record.name}: ${(error as Error).message}`)
      record.state = 'FAILED'
    }
  }

  #newRecord({name, tags, vpcConfigs}: NewCluster, state: ClusterRecord['state']): ClusterRecord {
    const uuid = `${randomUUID()}-s1`
    const {region, accountId} = this.#settings
    const arn = `arn:aws:kafka:${region}:${accountId}:cluster/${name}/${uuid}`
    const creationTime = new Date().toISOString()
    const record: ClusterRecord = {
      arn,
      name,
      uuid,
      state,
      creationTime,
      currentVersion: CURRENT_VERSION,
      tags,
      vpcConfigs,
      bootstrap: undefined,
    }
    this.#records.set(arn, record)
    return record
  }

  /** Opens the cluster's broker and listens; node i on port + i. Rejects with EADDRINUSE when a port that may not move is taken. */
  async start(record: ClusterRecord, port: Port, plaintextPort: Port | undefined): Promise<RunningCluster> {
    const {nodes, profile, fsync, tls, authentication, faults, stallMs, advertise, log} = this.#settings
    const {name, arn, uuid} = record
    const broker = await Broker.open({name, arn, dir: this.#dir(uuid), nodes, profile, fsync, authentication, faults, log})
    const servings: Serving[] = []
    const listen = async (security: Listener['security'], wanted: Port): Promise<string> => {
      const listeners = await listenNodes(
        broker,
        {security, port: wanted, tls: security === 'iam' ? tls : undefined, stallMs, advertise},
        servings,
      )
      return listeners.map(({host, port: at, advertised}) => `${advertised?.host ?? host}:${advertised?.port ?? at}`).join(',')
    }
    try {
      const bootstrap = await listen('iam', port)
      const plaintextBootstrap = plaintextPort && (await listen('plaintext', plaintextPort))
      const running = {record, broker, servings, bootstrap, plaintextBootstrap}
      record.bootstrap = bootstrap
      record.state = 'ACTIVE'
      this.#running.set(arn, running)
      this.#ports.set(arn, servings[0]!.port)
      await this.#save()
      return running
    } catch (error) {
      await Promise.all(servings.map((serving) => serving.close()))
      await broker.close()
      throw error
    }
  }

  async delete(arn: string): Promise<void> {
    const record = this.#records.get(arn)
    if (!record) return
    record.state = 'DELETING'
    await this.#save()
    setTimeout(() => void this.#remove(record), this.#settings.createDelayMs)
  }

  async #remove(record: ClusterRecord): Promise<void> {
    if (this.#closed) return
    await this.#stop(record.arn)
    await rm(this.#dir(record.uuid), {recursive: true, force: true})
    this.#records.delete(record.arn)
    await this.#save()
  }

  async setTags(arn: string, tags: Record<string, string>): Promise<void> {
    const record = this.#records.get(arn)
    if (!record) return
    record.tags = tags
    await this.#save()
  }

  async #stop(arn: string): Promise<void> {
    const running = this.#running.get(arn)
    if (!running) return
    this.#running.delete(arn)
    await Promise.all(running.servings.map((serving) => serving.close()))
    await running.broker.close()
  }

  /** Retention and compaction of every topic; called by the stack now and then. */
  async clean(now: number): Promise<void> {
    for (const {broker} of this.#running.values()) await broker.clean(now)
  }

  /** Nobody listens for the node any more, its connections end, and others lead its partitions. */
  async killNode(nodeId: number): Promise<void> {
    for (const {broker, servings} of this.#running.values()) {
      broker.deadNodes.add(nodeId)
      await Promise.all(
        servings.filter((_, index) => broker.listeners[index]!.nodeId === nodeId).map((serving) => serving.close()),
      )
    }
  }

  /** The node listens again where it did, and leads again what it led. */
  async reviveNode(nodeId: number): Promise<void> {
    for (const {broker, servings} of this.#running.values()) {
      for (const [index, listener] of broker.listeners.entries())
        if (listener.nodeId === nodeId) servings[index] = await serve(broker, listener, limitsOf(this.#settings.stallMs))
      broker.deadNodes.delete(nodeId)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#running.keys()].map((arn) => this.#stop(arn)))
    await this.#saving
  }

  #save(): Promise<void> {
    this.#saving = this.#saving.then(() => {
      const saved: SavedCluster[] = this.list().map(({bootstrap: _, ...record}) => ({
        ...record,
        port: this.#ports.get(record.arn) ?? 0,
      }))
      return writeAtomically(this.#file(), `${JSON.stringify(saved, null, 2)}\n`)
    })
    return this.#saving
  }

  #file = (): string => join(this.#settings.dataDir, 'clusters.json')
  #dir = (uuid: string): string => join(this.#settings.dataDir, 'clusters', uuid)
}

/** MSK's versions are opaque words such as this one; nothing here ever makes a second. */
const CURRENT_VERSION = 'K2EUQ1WTGCTBG2'

type Listen = {
  security: Listener['security']
  port: Port
  tls: {key: string; cert: string} | undefined
  stallMs: number | undefined
  advertise: Advertise | undefined
}

/** Listens for every node of the cluster; its listeners join `broker.listeners`, what to close joins `servings`. */
async function listenNodes(broker: Broker, how: Listen, servings: Serving[]): Promise<Listener[]> {
  const {security, port, tls, advertise} = how
  const listeners: Listener[] = []
  for (const [index, nodeId] of broker.nodeIds.entries()) {
    const wanted = port.wanted === 0 ? 0 : port.wanted + index
    const listener: Listener = {security, nodeId, host: '127.0.0.1', port: wanted, ...(tls && {tls})}
    servings.push(await serveOrMove(broker, listener, how))
    if (advertise) listener.advertised = await advertise(listener)
    listeners.push(listener)
  }
  broker.listeners.push(...listeners)
  return listeners
}

const limitsOf = (stallMs: number | undefined) => (stallMs === undefined ? {} : {stallMs})

async function serveOrMove(broker: Broker, listener: Listener, {port, stallMs}: Listen): Promise<Serving> {
  const limits = limitsOf(stallMs)
  try {
    return await serve(broker, listener, limits)
  } catch (error) {
    if (!port.mayMove || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    listener.port = 0
    return serve(broker, listener, limits)
  }
}
