import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'

/** Where a value comes from, by Kafka's number of `ConfigSource`. */
const SOURCES: Readonly<Record<number, string>> = {
  1: 'topic',
  2: 'dynamic-broker',
  3: 'dynamic-default-broker',
  4: 'static-broker',
  5: 'default',
  6: 'dynamic-broker-logger',
}

export type Config = {name: string; value: string | null; source: string; readOnly: boolean}
export type ConfigsResult = {name: string; errorCode: number; text: string | null; configs: Config[]}

const API = {key: 32, name: 'DescribeConfigs'}
const TOPIC = 2

/** DescribeConfigs v1-3 of topics: the named keys, or all. */
export async function describeTopicConfigs(
  broker: Broker,
  topics: readonly string[],
  keys: readonly string[] | null = null,
): Promise<ConfigsResult[]> {
  const version = versionOf(broker, API, 1, 3)
  const body = new Writer()
  body.array(topics, (topic) =>
    body
      .int8(TOPIC)
      .string(topic)
      .array(keys, (key) => body.string(key)),
  )
  body.bool(false) // synonyms
  if (version >= 3) body.bool(false) // documentation
  const answer = await send(broker, {...API, version, body: body.finish()}, 'start')
  return answer.array(() => {
    const errorCode = answer.int16()
    const text = answer.nullableString()
    answer.int8() // resource type
    const name = answer.string()
    const configs = answer.array(() => {
      const config = {
        name: answer.string(),
        value: answer.nullableString(),
        readOnly: answer.bool(),
        source: SOURCES[answer.int8()] ?? 'unknown',
      }
      answer.bool() // sensitive
      answer.array(() => [answer.string(), answer.nullableString(), answer.int8()]) // synonyms
      if (version >= 3) {
        answer.int8() // type
        answer.nullableString() // documentation
      }
      return config
    })
    return {name, errorCode, text, configs}
  })
}
