import type {Broker} from './broker.js'

/** A topic that a request is about, and its partition where the request has one. */
export type RequestName = {topic: string | undefined; partition: number | undefined}

type NamedTopic = {
  name?: string | null
  topic?: string
  topicId?: string
  resourceName?: string
  partitionData?: readonly {index: number}[]
  partitions?: readonly {partition?: number; partitionIndex?: number}[] | null
  partitionIndexes?: readonly number[]
}
type Named = {
  topicData?: readonly NamedTopic[]
  resources?: readonly NamedTopic[]
  topicNames?: readonly string[]
  topics?: readonly (NamedTopic | string)[] | null
}

/** What a request of any API is about, read by the names that Kafka's message definitions have for topics and partitions. */
export function namesOf(request: object, broker: Broker): RequestName[] {
  const {topicData, topics, topicNames = [], resources} = request as Named
  const listed = [...(topicData ?? topics ?? resources ?? []), ...topicNames]
  return listed.flatMap((one): RequestName[] => {
    if (typeof one === 'string') return [{topic: one, partition: undefined}]
    const topic = one.name || one.topic || one.resourceName || (one.topicId && broker.topicById(one.topicId)?.name) || undefined
    const partitions = partitionsOf(one)
    return partitions.length > 0 ? partitions.map((partition) => ({topic, partition})) : [{topic, partition: undefined}]
  })
}

const partitionsOf = ({partitionData, partitions, partitionIndexes}: NamedTopic): number[] => [
  ...(partitionIndexes ?? []),
  ...(partitionData ?? []).map(({index}) => index),
  ...(partitions ?? []).flatMap(({partition, partitionIndex}) => partition ?? partitionIndex ?? []),
]
