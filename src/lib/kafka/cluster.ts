import type {Broker} from './broker.js'
import type {Metadata} from './requests/metadata.js'

/** The parts of kafkajs 2.2.4's internal `Cluster` that we use; client.ts checks the version. */
export type Cluster = {
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  findBroker(node: {nodeId: string | number}): Promise<Broker>
  findControllerBroker(): Promise<Broker>
  findGroupCoordinator(group: {groupId: string}): Promise<Broker>
  findTopicPartitionMetadata(topic: string): {partitionId: number; leader: number}[]
  removeBroker(address: {host: string; port: number}): void
  brokerPool: {
    /** Of the last metadata, by node id. */
    brokers: Record<string, {isConnected(): boolean}>
    /** The one of the addresses that it connected to first. */
    seedBroker?: Broker
    findConnectedBroker(): Promise<Broker>
    createBroker(options: object): Broker
  }
}

/**
 * Makes the cluster's own look at metadata ours: kafkajs' throws on the first topic or partition with an error, and reads
 * "no topics" as all topics. `ask` gets it.
 */
export function withTolerantMetadata(
  cluster: Cluster,
  ask: (broker: Broker, topics: readonly string[]) => Promise<Metadata>,
): Cluster {
  const {createBroker} = cluster.brokerPool
  cluster.brokerPool.createBroker = (options) => {
    const broker = createBroker(options)
    return Object.assign(broker, {
      metadata: async (topics: readonly string[]) => inKafkajsTerms(await ask(broker, topics)),
    })
  }
  return cluster
}

const inKafkajsTerms = ({brokers, clusterId, controllerId, topics}: Metadata): object => ({
  brokers,
  clusterId,
  controllerId,
  topicMetadata: topics.map(({name, errorCode, internal, partitions}) => ({
    topic: name,
    topicErrorCode: errorCode,
    isInternal: internal,
    partitionMetadata: partitions.map(({errorCode, partition, ...rest}) => ({
      partitionErrorCode: errorCode,
      partitionId: partition,
      ...rest,
    })),
  })),
})

/** A broker that is connected already, or the first that lets itself be connected. */
export const anyBroker = (cluster: Cluster): Promise<Broker> => cluster.brokerPool.findConnectedBroker()

/** The node that leads each partition of a topic, as of the last metadata; -1 for none. Throws kafkajs' error when none was loaded yet. */
export const leadersOf = (cluster: Cluster, topic: string): Map<number, number> =>
  new Map(cluster.findTopicPartitionMetadata(topic).map(({partitionId, leader}) => [partitionId, leader]))

/** The leader of one partition, as of the last metadata. Throws kafkajs' errors when it is unknown or cannot be reached. */
export async function leaderOf(cluster: Cluster, topic: string, partition: number): Promise<Broker> {
  const found = cluster.findTopicPartitionMetadata(topic).find(({partitionId}) => partitionId === partition)
  return cluster.findBroker({nodeId: found?.leader ?? -1})
}
