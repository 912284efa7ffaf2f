import {createHash, randomBytes} from 'node:crypto'
import {mkdir, rm} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import type {Identities} from '../iam-file.js'
import type {Connection, Listener} from './connection.js'
import {Faults} from './faults.js'
import {GroupCoordinator} from './groups.js'
import {syncDirectory} from './log/files.js'
import {PartitionLog} from './log.js'
import {type ApiProfile, isServerless} from './profiles.js'
import {StateLog} from './state-log.js'
import {configKeys} from './topic-config.js'

export type Topic = {
  name: string
  /** base64url of 16 bytes, as Kafka prints topic ids. */
  id: string
  replicationFactor: number
  /** Only what was set; defaults are in topic-config.ts. */
  config: Map<string, string>
  partitions: PartitionLog[]
  /** Which node leads partition 0, as an index of any size: topics begin at different ones. */
  firstLeader: number
}

export type NewTopic = {name: string; partitions: number; replicationFactor: number; config: Record<string, string>}

export type BrokerOptions = {
  name: string
  arn: string
  dir: string
  nodes: number
  profile: ApiProfile
  fsync: boolean
  /** Whom SASL knows, and what its tokens must be made for. */
  authentication: Authentication
  /** What goes wrong on purpose; shared by the clusters of a stack. */
  faults?: Faults
  log(line: string): void
}

export type Authentication = {
  identities: Identities
  region: string
  hostNames: readonly string[]
  /** How long a login lasts at most. */
  maxSessionMs?: number | undefined
}

type StateEntry =
  | {type: 'topic'; name: string; id: string; partitions: number; replicationFactor: number; config: Record<string, string>}
  | {type: 'topic-deleted'; name: string}
  | {type: 'producer-ids'; next: number}

/** Ids are handed out from blocks of this size, so that a restart never repeats one and not every id is a write. */
const PRODUCER_ID_BLOCK = 1_000

/** MSK Serverless' node ids are large and sparse (akhq#1113); a tool that counts on 1, 2, 3 should fail here first. */
const nodeIdOf = (index: number): number => 151 + 53 * index

/**
 * The state of one cluster: topics, groups, producer ids. Node runs one callback at a time, so nothing here needs a lock.
 * Sockets are server.ts's business, bytes on disk log.ts's and state-log.ts's.
 */
export class Broker {
  readonly name: string
  readonly arn: string
  readonly profile: ApiProfile
  readonly serverless: boolean
  readonly clusterId: string
  readonly topics = new Map<string, Topic>()
  readonly groups: GroupCoordinator
  readonly listeners: Listener[] = []
  /** Nodes that are dead on purpose: they lead nothing, and Metadata does not know them. */
  readonly deadNodes = new Set<number>()
  readonly authentication: Authentication
  readonly faults: Faults
  readonly log: (line: string) => void
  readonly #dir: string
  readonly #fsync: boolean
  readonly nodeIds: readonly number[]
  #state!: StateLog
  #nextProducerId = 0
  #reservedProducerIds = 0
  #changes: Promise<unknown> = Promise.resolve()

  private constructor({name, arn, dir, nodes, profile, fsync, authentication, faults, log}: BrokerOptions) {
    this.name = name
    this.arn = arn
    this.profile = profile
    this.authentication = authentication
    this.faults = faults ?? new Faults()
    this.serverless = isServerless(profile)
    this.log = log
    this.#dir = dir
    this.#fsync = fsync
    this.clusterId = createHash('sha256').update(arn).digest('base64url').slice(0, 22)
    this.nodeIds = Array.from({length: nodes}, (_, index) => nodeIdOf(index))
    this.groups = new GroupCoordinator({
      persist: (entry) => this.#state.append(entry),
      topicExists: (topic, partition) => this.topics.get(topic)?.partitions[partition] !== undefined,
      serverless: this.serverless,
    })
  }

  /** Reads the cluster's state from its directory, which is made if it is missing, and recovers its logs. */
  static async open(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options)
    await mkdir(options.dir, {recursive: true, mode: 0o700})
    const entries = new Map<string, Extract<StateEntry, {type: 'topic'}>>()
    const replay = (entry: unknown): void => broker.#replay(entry as StateEntry, entries)
    broker.#state = await StateLog.open(join(options.dir, 'state.log'), replay, () => broker.#snapshot(), {fsync: options.fsync})
    for (const entry of entries.values()) broker.topics.set(entry.name, await broker.#openTopic(entry))
    return broker
  }

  #replay(entry: StateEntry, topics: Map<string, Extract<StateEntry, {type: 'topic'}>>): void {
    if (entry.type === 'topic') topics.set(entry.name, entry)
    else if (entry.type === 'topic-deleted') {
      topics.delete(entry.name)
      // The entry that the groups wrote themselves may be missing after a crash.
      this.groups.replay({type: 'offset-topic-deleted', topic: entry.name})
    } else if (entry.type === 'producer-ids') this.#nextProducerId = this.#reservedProducerIds = entry.next
    else this.groups.replay(entry)
  }

  *#snapshot(): Iterable<object> {
    for (const topic of this.topics.values()) yield topicEntry(topic)
    yield {type: 'producer-ids', next: this.#reservedProducerIds}
    yield* this.groups.snapshot()
  }

  async #openTopic({name, id, partitions, replicationFactor, config}: Extract<StateEntry, {type: 'topic'}>): Promise<Topic> {
    const topic: Topic = {
      name,
      id,
      replicationFactor,
      config: new Map(Object.entries(config)),
      partitions: [],
      firstLeader: Buffer.from(id, 'base64url')[0]!,
    }
    topic.partitions = await this.#openLogs(topic, partitions)
    return topic
  }

  /** The logs of the topic's partitions from the first that it lacks to `count`; all of them, or none is left open. */
  async #openLogs(topic: Topic, count: number): Promise<PartitionLog[]> {
    const first = topic.partitions.length
    const opening = Array.from({length: count - first}, (_, index) => this.#openLog(topic, first + index))
    const opened = await Promise.allSettled(opening)
    const failed = opened.find((result) => result.status === 'rejected')
    const logs = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    if (!failed) {
      if (this.#fsync) await this.#syncNames(topic)
      return logs
    }
    await Promise.all(logs.map((log) => log.delete()))
    throw failed.reason
  }

  /** The names of new directories; what is in them each log syncs itself. */
  async #syncNames(topic: Topic): Promise<void> {
    const topicDir = dirname(this.#partitionDir(topic, 0))
    for (const dir of [topicDir, dirname(topicDir), this.#dir, dirname(this.#dir)]) await syncDirectory(dir)
  }

  async #openLog(topic: Topic, partition: number): Promise<PartitionLog> {
    const log = await PartitionLog.open(this.#partitionDir(topic, partition), {fsync: this.#fsync})
    const {truncatedBytes} = log.recovered
    if (truncatedBytes > 0) this.log(`recovered ${topic.name}-${partition}: cut ${truncatedBytes} bytes of an unfinished write`)
    return log
  }

  /** By id, not by name: a name may be reused, and may differ from another only in case. */
  #partitionDir = ({id}: Topic, partition: number): string =>
    join(this.#dir, 'topics', Buffer.from(id, 'base64url').toString('hex'), String(partition))

  /** Runs changes of topics one after the other, each with the check that it rests on. */
  inOrder<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(change)
    this.#changes = result.catch(() => {})
    return result
  }

  /** Resolves when the topic is on disk; rejects with the system error, and there is none. The caller has validated everything. */
  async createTopic({name, partitions, replicationFactor, config}: NewTopic): Promise<Topic> {
    const entry = {type: 'topic', name, id: randomBytes(16).toString('base64url'), partitions, replicationFactor, config} as const
    const topic = await this.#openTopic(entry)
    try {
      await this.#state.append(entry)
    } catch (error) {
      await this.#deleteLogs(topic)
      throw error
    }
    this.topics.set(name, topic)
    return topic
  }

  async addPartitions(topic: Topic, count: number): Promise<void> {
    const added = await this.#openLogs(topic, count)
    try {
      await this.#state.append({...topicEntry(topic), partitions: count})
    } catch (error) {
      await Promise.all(added.map((log) => log.delete()))
      throw error
    }
    topic.partitions.push(...added)
  }

  async setConfig(topic: Topic, config: Map<string, string>): Promise<void> {
    await this.#state.append({...topicEntry(topic), config: Object.fromEntries(config)})
    topic.config = config
  }

  async deleteTopic(topic: Topic): Promise<void> {
    await this.#state.append({type: 'topic-deleted', name: topic.name})
    this.topics.delete(topic.name)
    await this.groups.forgetTopic(topic.name)
    await this.#deleteLogs(topic)
  }

  async #deleteLogs(topic: Topic): Promise<void> {
    for (const log of topic.partitions) await log.delete()
    await rm(dirname(this.#partitionDir(topic, 0)), {recursive: true, force: true})
  }

  topicById(id: string): Topic | undefined {
    for (const topic of this.topics.values()) if (topic.id === id) return topic
    return undefined
  }

  configOf(topic: Topic, name: string): string {
    return topic.config.get(name) ?? configKeys(this.serverless).get(name)?.default ?? ''
  }

  /** Resolves when the id can never be handed out again. */
  nextProducerId(): Promise<number> {
    return this.inOrder(async () => {
      if (this.#nextProducerId === this.#reservedProducerIds) {
        await this.#state.append({type: 'producer-ids', next: this.#reservedProducerIds + PRODUCER_ID_BLOCK})
        this.#reservedProducerIds += PRODUCER_ID_BLOCK
      }
      return this.#nextProducerId++
    })
  }

  /** How many leader partitions the cluster has; MSK Serverless counts compacted ones on their own. */
  partitionCount(compacted: boolean): number {
    const topics = [...this.topics.values()].filter((topic) => this.isCompacted(topic) === compacted)
    return topics.reduce((sum, topic) => sum + topic.partitions.length, 0)
  }

  isCompacted = (topic: Topic): boolean => this.configOf(topic, 'cleanup.policy').split(',').includes('compact')

  /** Retention by time and size, and compaction, as each topic is configured. */
  async clean(now: number): Promise<void> {
    for (const topic of this.topics.values()) {
      const policy = this.configOf(topic, 'cleanup.policy').split(',')
      const [retentionMs, retentionBytes] = [this.configOf(topic, 'retention.ms'), this.configOf(topic, 'retention.bytes')].map(
        Number,
      )
      for (const log of topic.partitions) {
        try {
          if (policy.includes('delete'))
            await log.applyRetention(now, {retentionMs: retentionMs!, retentionBytes: retentionBytes!})
          if (policy.includes('compact')) await log.compact()
        } catch (error) {
          // A full disk, or a topic that is being deleted, is no reason to leave the others as they are.
          this.log(`error: cleaning ${topic.name}: ${(error as Error).message}`)
        }
      }
    }
  }

  /** Partitions of a topic are spread over the nodes, each topic beginning at another one; those of a dead node go to the next. */
  leaderOf(topic: Topic, partition: number): number {
    const first = topic.firstLeader + partition
    if (this.deadNodes.size === 0) return this.nodeIds[first % this.nodeIds.length]!
    const order = this.nodeIds.map((_, index) => this.nodeIds[(first + index) % this.nodeIds.length]!)
    return order.find((id) => !this.deadNodes.has(id)) ?? order[0]!
  }

  /** The leader first, then other nodes, real ones before such as only Metadata knows: MSK says 3 replicas whatever the node count. */
  replicasOf(topic: Topic, partition: number): number[] {
    const leader = this.leaderOf(topic, partition)
    const others = Array.from({length: Math.max(this.nodeIds.length, topic.replicationFactor)}, (_, index) => nodeIdOf(index))
    return [leader, ...others.filter((id) => id !== leader)].slice(0, topic.replicationFactor)
  }

  /** Every node's address of the kind that the connection came in by. */
  endpointsFor({listener}: Connection): {nodeId: number; host: string; port: number}[] {
    return this.listeners
      .filter(({security, nodeId}) => security === listener.security && !this.deadNodes.has(nodeId))
      .map(({nodeId, host, port, advertised}) => ({nodeId, host, port, ...advertised}))
  }

  /** The ARN of a topic or group: the cluster's with another resource type, and the name behind it. */
  topicArn = (topic: string): string => `${this.arn.replace(':cluster/', ':topic/')}/${topic}`
  groupArn = (group: string): string => `${this.arn.replace(':cluster/', ':group/')}/${group}`
  transactionalIdArn = (id: string): string => `${this.arn.replace(':cluster/', ':transactional-id/')}/${id}`

  async close(): Promise<void> {
    this.groups.close()
    await Promise.all([...this.topics.values()].flatMap(({partitions}) => partitions.map((log) => log.close())))
    await this.#state.close()
  }
}

const topicEntry = ({name, id, partitions, replicationFactor, config}: Topic): Extract<StateEntry, {type: 'topic'}> => {
  return {type: 'topic', name, id, partitions: partitions.length, replicationFactor, config: Object.fromEntries(config)}
}
