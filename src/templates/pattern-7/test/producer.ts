import {type KafkaProducer, type Message, type Place, partitionFor} from '../src/lib/kafka.ts'

type Limits = {
  partitions?: number
  /** Bytes of the values of one request to a partition. */
  largest?: number
  /** Fails the partition that such a message is for, with all that is sent to it at once. */
  fails?(message: Message): boolean
}

/** Partitions in memory behind the producer's own interface, which store what is sent at once together or not at all. */
export function memoryProducer({partitions = 3, largest = 1000, fails = () => false}: Limits = {}) {
  const stored: (Message & Place)[] = []
  const requests: number[] = []
  const reasonFor = (batch: Message[]): Error | undefined => {
    if (batch.some(fails)) return new Error('down')
    const bytes = batch.reduce((sum, {value}) => sum + (value?.length ?? 0), 0)
    const tooLarge = Object.assign(new Error('too large'), {type: 'MESSAGE_TOO_LARGE'})
    return bytes > largest ? new Error('not sent', {cause: tooLarge}) : undefined
  }
  const producer: KafkaProducer = {
    partitionsOf: async () => partitions,
    async send(messages) {
      requests.push(messages.length)
      const partitionOf = ({key}: Message) => partitionFor(key!, partitions)
      return messages.map((message): PromiseSettledResult<Place> => {
        const partition = partitionOf(message)
        const reason = reasonFor(messages.filter((one) => partitionOf(one) === partition))
        if (reason) return {status: 'rejected', reason}
        const place = {topic: message.topic, partition, offset: BigInt(stored.length)}
        stored.push({...message, ...place})
        return {status: 'fulfilled', value: place}
      })
    },
    close: async () => {},
  }
  return {producer, stored, requests}
}
