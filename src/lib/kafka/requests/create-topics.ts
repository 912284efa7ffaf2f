import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'

export type NewTopic = {name: string; partitions: number; replicationFactor: number; configs: Readonly<Record<string, string>>}
export type TopicResult = {name: string; errorCode: number; text: string | null}

const API = {key: 19, name: 'CreateTopics'}

/** CreateTopics v2-4 to the controller. A replication factor of -1, the broker's own default, needs v4 (KIP-464), which kafkajs does not speak. */
export async function createTopics(
  controller: Broker,
  topics: readonly NewTopic[],
  {validateOnly, timeoutMs}: {validateOnly: boolean; timeoutMs: number},
): Promise<TopicResult[]> {
  const version = versionOf(controller, API, topics.some(({replicationFactor}) => replicationFactor === -1) ? 4 : 2, 4)
  const body = new Writer()
  body.array(topics, ({name, partitions, replicationFactor, configs}) =>
    body
      .string(name)
      .int32(partitions)
      .int16(replicationFactor)
      .array([], () => {}) // assignments
      .array(Object.entries(configs), ([key, value]) => body.string(key).string(value)),
  )
  body.int32(timeoutMs).bool(validateOnly)
  const answer = await send(controller, {...API, version, body: body.finish(), timeoutMs: timeoutMs + 5_000}, 'start')
  return answer.array(() => ({name: answer.string(), errorCode: answer.int16(), text: answer.nullableString()}))
}
