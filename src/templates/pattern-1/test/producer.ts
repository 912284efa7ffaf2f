import {type KafkaProducer, type Message, type Place, partitionFor, UnknownPartitionError} from '../src/lib/kafka.ts'

/** What the service is tested with in the place of a cluster: topics of that many partitions in memory. `fail` may refuse a message. */
export function memoryProducer(partitions = 3, fail: (message: Message) => Error | undefined = () => undefined) {
  const stored: (Message & Place)[] = []
  const store = (message: Message): PromiseSettledResult<Place> => {
    const {topic, key} = message
    const partition = message.partition ?? (key === null ? 0 : partitionFor(key, partitions))
    const error = partition < partitions ? fail(message) : new UnknownPartitionError('no such partition')
    if (error) return {status: 'rejected', reason: error}
    const offset = BigInt(stored.filter((one) => one.topic === topic && one.partition === partition).length)
    stored.push({...message, partition, offset})
    return {status: 'fulfilled', value: {topic, partition, offset}}
  }
  const producer: KafkaProducer = {
    partitionsOf: async () => partitions,
    send: async (messages) => messages.map(store),
    close: async () => {},
  }
  return {producer, stored}
}
