import {type KafkaProducer, type Message, type Place, UnknownTopicError} from '../src/lib/kafka.ts'

type Stored = {topic: string; key: string; value: string | null; headers: Record<string, string>}

/** Topics in memory behind the producer's own interface, with a limit for a batch of a topic, and failures to order. */
export function topics({largest = 1000, fails = () => false}: {largest?: number; fails?: (message: Message) => boolean} = {}) {
  const stored: Stored[] = []
  const sizeOf = ({value}: Message) => value?.length ?? 0
  const producer: KafkaProducer = {
    partitionsOf: async () => 1,
    async send(messages) {
      const results = new Map<Message, PromiseSettledResult<Place>>()
      for (const topic of new Set(messages.map((message) => message.topic))) {
        const batch = messages.filter((message) => message.topic === topic)
        const reason = reasonFor(batch)
        for (const [offset, message] of batch.entries()) {
          if (!reason) stored.push(storedOf(message))
          const value = {topic, partition: 0, offset: BigInt(offset)}
          results.set(message, reason ? {status: 'rejected', reason} : {status: 'fulfilled', value})
        }
      }
      return messages.map((message) => results.get(message)!)
    },
    async close() {},
  }
  const reasonFor = (batch: Message[]): Error | undefined => {
    if (batch.some(fails)) return new UnknownTopicError('there is no such topic')
    const bytes = batch.reduce((sum, message) => sum + sizeOf(message), 0)
    return bytes > largest ? Object.assign(new Error('too large'), {type: 'MESSAGE_TOO_LARGE'}) : undefined
  }
  return {producer, stored}
}

const storedOf = ({topic, key, value, headers}: Message): Stored => ({
  topic,
  key: String(key),
  value: value === null ? null : String(value),
  headers: headers as Record<string, string>,
})
