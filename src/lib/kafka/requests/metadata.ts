import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'

type PartitionMetadata = {
  errorCode: number
  partition: number
  leader: number
  leaderEpoch: number
  replicas: number[]
  isr: number[]
}
export type TopicMetadata = {errorCode: number; name: string; internal: boolean; partitions: PartitionMetadata[]}
export type Metadata = {
  brokers: {nodeId: number; host: string; port: number}[]
  clusterId: string | null
  controllerId: number
  topics: TopicMetadata[]
}

const API = {key: 3, name: 'Metadata'}

/**
 * Metadata v4-7 of the named topics, or of all that may be seen. Creates none. Errors of single topics and partitions are
 * returned as their codes; kafkajs' own metadata throws on the first.
 */
export async function metadata(broker: Broker, topics: readonly string[] | null): Promise<Metadata> {
  const version = versionOf(broker, API, 4, 7)
  const body = new Writer()
  body.array(topics, (topic) => body.string(topic)).bool(false)
  const answer = await send(broker, {...API, version, body: body.finish()}, 'start')
  return {
    brokers: answer.array(() => {
      const found = {nodeId: answer.int32(), host: answer.string(), port: answer.int32()}
      answer.nullableString() // rack
      return found
    }),
    clusterId: answer.nullableString(),
    controllerId: answer.int32(),
    topics: answer.array(() => ({
      errorCode: answer.int16(),
      name: answer.string(),
      internal: answer.bool(),
      partitions: answer.array(() => {
        const partition = {
          errorCode: answer.int16(),
          partition: answer.int32(),
          leader: answer.int32(),
          leaderEpoch: version >= 7 ? answer.int32() : -1,
          replicas: answer.array(() => answer.int32()),
          isr: answer.array(() => answer.int32()),
        }
        if (version >= 5) answer.array(() => answer.int32()) // offline replicas
        return partition
      }),
    })),
  }
}
