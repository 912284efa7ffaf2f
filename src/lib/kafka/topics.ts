import {setTimeout as delay} from 'node:timers/promises'

import {REPLICATION_FACTOR} from '../limits.js'
import type {Broker} from './broker.js'
import {BrokerError, check} from './broker-error.js'
import {anyBroker, type Cluster, leadersOf} from './cluster.js'
import {throughElections} from './elections.js'
import {topicNotFound} from './errors.js'
import {createPartitions} from './requests/create-partitions.js'
import {type NewTopic, createTopics as sendCreateTopics, type TopicResult} from './requests/create-topics.js'
import {deleteTopics as sendDeleteTopics} from './requests/delete-topics.js'
import {type Config, describeTopicConfigs} from './requests/describe-configs.js'
import {alterTopicConfigs} from './requests/incremental-alter-configs.js'
import {EARLIEST, LATEST, listOffsets} from './requests/list-offsets.js'
import {metadata, type TopicMetadata} from './requests/metadata.js'

export type {NewTopic} from './requests/create-topics.js'

export type TopicSummary = {name: string; partitions: number; replicas: number; internal: boolean}
type PartitionDescription = {
  partition: number
  /** -1: none at the moment. */
  leader: number
  replicas: number[]
  inSyncReplicas: number[]
  /** First offset that can still be read; null while there is no leader to ask. */
  earliestOffset: number | null
  /** The next offset to be written. */
  latestOffset: number | null
}
export type TopicDescription = {
  name: string
  internal: boolean
  partitions: PartitionDescription[]
  /** Null when they may not be read. */
  configs: Config[] | null
}

const LEADER_NOT_AVAILABLE = 5

/** Every topic that may be seen, by name. Throws kafkajs' errors and BrokerError, as all functions here do. */
export async function listTopics(cluster: Cluster): Promise<TopicSummary[]> {
  const {topics} = await metadata(await anyBroker(cluster), null)
  return topics
    .filter(({errorCode}) => errorCode === 0 || errorCode === LEADER_NOT_AVAILABLE)
    .map(({name, partitions, internal}) => ({
      name,
      partitions: partitions.length,
      replicas: partitions[0]?.replicas.length ?? 0,
      internal,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * One topic's metadata, and the cluster follows its leaders from then on. Throws SkkError (not found) with the nearest name; for an
 * `unwanted` topic that does not say how to create it.
 */
export async function requireTopic(cluster: Cluster, topic: string, {unwanted = false} = {}): Promise<TopicMetadata> {
  const broker = await anyBroker(cluster)
  let found = (await metadata(broker, [topic])).topics[0]
  for (let wait = 50; found && electing(found) && wait < 1_000; wait *= 2) {
    await delay(wait)
    found = (await metadata(broker, [topic])).topics[0]
  }
  if (!found || found.errorCode === 3) throw topicNotFound(topic, await namesOf(broker), {unwanted})
  if (!electing(found)) check(found.errorCode, {api: 'Metadata', topic})
  await cluster.addTargetTopic(topic)
  return found
}

/** A topic that was only just created has no leaders for a moment. */
const electing = ({errorCode, partitions}: TopicMetadata): boolean =>
  errorCode === LEADER_NOT_AVAILABLE || partitions.some(({leader}) => leader < 0)

/** What is known about one topic. */
export async function describeTopic(cluster: Cluster, topic: string): Promise<TopicDescription> {
  const {name, internal, partitions} = await requireTopic(cluster, topic)
  const [earliest, latest, configs] = await Promise.all([
    offsetsAt(cluster, topic, partitions, EARLIEST),
    offsetsAt(cluster, topic, partitions, LATEST),
    readConfigs(await anyBroker(cluster), topic),
  ])
  return {
    name,
    internal,
    configs,
    partitions: partitions
      .map(({partition, leader, replicas, isr}) => ({
        partition,
        leader,
        replicas,
        inSyncReplicas: isr,
        earliestOffset: earliest.get(partition) ?? null,
        latestOffset: latest.get(partition) ?? null,
      }))
      .sort((a, b) => a.partition - b.partition),
  }
}

/** The topic's configuration by key; null when it may not be read. */
export async function readConfigs(
  broker: Broker,
  topic: string,
  keys: readonly string[] | null = null,
): Promise<Config[] | null> {
  const [result] = await describeTopicConfigs(broker, [topic], keys)
  if (!result || result.errorCode === 29) return null
  check(result.errorCode, {api: 'DescribeConfigs', topic}, result.text)
  return result.configs.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * Offsets of partitions by partition, from their leaders; those without a leader are left out. `timestamp` is EARLIEST,
 * LATEST or epoch milliseconds, and then the offset is -1 where no record is that late. A leader that is just being replaced is
 * waited for.
 */
export async function offsetsAt(
  cluster: Cluster,
  topic: string,
  partitions: readonly {partition: number; leader: number}[],
  timestamp: number,
  {readCommitted = false} = {},
): Promise<Map<number, number>> {
  let led = partitions
  return throughElections(
    cluster,
    () => offsetsNow(cluster, topic, led, timestamp, readCommitted),
    async () => {
      await cluster.addTargetTopic(topic)
      const leaders = leadersOf(cluster, topic)
      led = partitions.map(({partition, leader}) => ({partition, leader: leaders.get(partition) ?? leader}))
    },
  )
}

async function offsetsNow(
  cluster: Cluster,
  topic: string,
  partitions: readonly {partition: number; leader: number}[],
  timestamp: number,
  readCommitted: boolean,
): Promise<Map<number, number>> {
  const offsets = new Map<number, number>()
  await Promise.all(
    [...byLeader(partitions)].map(async ([leader, led]) => {
      const broker = await cluster.findBroker({nodeId: leader})
      const asked = led.map((partition) => ({partition, timestamp}))
      for (const {partition, errorCode, offset} of await listOffsets(broker, topic, asked, readCommitted)) {
        check(errorCode, {api: 'ListOffsets', topic, partition})
        offsets.set(partition, offset)
      }
    }),
  )
  return offsets
}

function byLeader(partitions: readonly {partition: number; leader: number}[]): Map<number, number[]> {
  const led = new Map<number, number[]>()
  for (const {partition, leader} of partitions) {
    if (leader >= 0) led.set(leader, [...(led.get(leader) ?? []), partition])
  }
  return led
}

/** How one topic fared: null is well. */
export type Outcome = {name: string; error: BrokerError | null}

export type ChangeOptions = {dryRun: boolean; timeoutMs: number}

/** MSK Serverless knows only 3; elsewhere the broker's own default. */
export const replicationFactorFor = (serverless: boolean): number => (serverless ? REPLICATION_FACTOR : -1)

/** Creates topics; with `dryRun` the controller checks them and creates none. */
export async function createTopics(
  cluster: Cluster,
  topics: readonly NewTopic[],
  {dryRun, timeoutMs}: ChangeOptions,
): Promise<Outcome[]> {
  const names = topics.map(({name}) => name)
  const results = await atController(cluster, (controller) =>
    sendCreateTopics(controller, topics, {validateOnly: dryRun, timeoutMs}),
  )
  return outcomes('CreateTopics', names, results)
}

/** Deletes topics and everything in them. */
export async function deleteTopics(cluster: Cluster, names: readonly string[], timeoutMs: number): Promise<Outcome[]> {
  const results = await atController(cluster, (controller) => sendDeleteTopics(controller, names, timeoutMs))
  return outcomes('DeleteTopics', names, results)
}

export type TopicChange = {
  /** The new total. */
  partitions?: number
  /** Null resets the key to the cluster's default. */
  configs: Readonly<Record<string, string | null>>
}

/** Where a topic that exists is not as asked, in words; only what was asked for is looked at. */
export async function compareTopic(
  cluster: Cluster,
  topic: string,
  asked: {partitions?: number; configs: Readonly<Record<string, string>>},
): Promise<{partitions: number; differences: string[]}> {
  const {partitions} = await requireTopic(cluster, topic)
  const keys = Object.keys(asked.configs)
  const configs = keys.length > 0 ? await readConfigs(await anyBroker(cluster), topic, keys) : []
  const actual = (key: string) => configs?.find(({name}) => name === key)?.value ?? 'unknown'
  const differences = keys
    .filter((key) => actual(key) !== asked.configs[key])
    .map((key) => `${key} is ${actual(key)}, not ${asked.configs[key]}`)
  if (asked.partitions !== undefined && asked.partitions !== partitions.length) {
    differences.unshift(`it has ${partitions.length} partitions, not ${asked.partitions}`)
  }
  return {partitions: partitions.length, differences}
}

/** Changes one topic: first its configuration, then its partitions, each in one request. Throws BrokerError at the first refusal. */
export async function alterTopic(
  cluster: Cluster,
  name: string,
  {partitions, configs}: TopicChange,
  {dryRun, timeoutMs}: ChangeOptions,
): Promise<void> {
  if (Object.keys(configs).length > 0) {
    const results = await alterTopicConfigs(await anyBroker(cluster), name, configs, {validateOnly: dryRun})
    throwFirst(outcomes('IncrementalAlterConfigs', [name], results))
  }
  if (partitions !== undefined) {
    const results = await atController(cluster, (controller) =>
      createPartitions(controller, name, partitions, {validateOnly: dryRun, timeoutMs}),
    )
    throwFirst(outcomes('CreatePartitions', [name], results))
  }
}

const NOT_CONTROLLER = 41
const ATTEMPTS = 3

/** Any broker first, most forward it; then the controller that the metadata names. */
async function atController(cluster: Cluster, request: (broker: Broker) => Promise<TopicResult[]>): Promise<TopicResult[]> {
  let results = await request(await anyBroker(cluster))
  for (let attempt = 1; attempt < ATTEMPTS && results.some(({errorCode}) => errorCode === NOT_CONTROLLER); attempt++) {
    await cluster.refreshMetadata()
    results = await request(await cluster.findControllerBroker())
  }
  return results
}

function outcomes(api: string, names: readonly string[], results: readonly TopicResult[]): Outcome[] {
  const byName = new Map(results.map((result) => [result.name, result]))
  return names.map((name) => {
    const {errorCode, text} = byName.get(name) ?? {errorCode: -1, text: 'the answer does not name the topic'}
    return {name, error: errorCode === 0 ? null : new BrokerError(errorCode, {api, topic: name}, text)}
  })
}

function throwFirst([outcome]: readonly Outcome[]): void {
  if (outcome?.error) throw outcome.error
}

async function namesOf(broker: Broker): Promise<string[]> {
  const {topics} = await metadata(broker, null)
  return topics.map(({name}) => name)
}
