import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'
import type {TopicResult} from './create-topics.js'

const API = {key: 44, name: 'IncrementalAlterConfigs'}
const TOPIC = 2
const SET = 0
const DELETE = 1

/**
 * IncrementalAlterConfigs v0: sets the keys with a value, resets those with null, and leaves all others alone. kafkajs has
 * only AlterConfigs, which resets what is not named, and which MSK Serverless refuses for naming cleanup.policy.
 */
export async function alterTopicConfigs(
  broker: Broker,
  topic: string,
  changes: Readonly<Record<string, string | null>>,
  {validateOnly}: {validateOnly: boolean},
): Promise<TopicResult[]> {
  const version = versionOf(broker, API, 0, 0)
  const body = new Writer()
  body.array([topic], (name) =>
    body
      .int8(TOPIC)
      .string(name)
      .array(Object.entries(changes), ([key, value]) =>
        body
          .string(key)
          .int8(value === null ? DELETE : SET)
          .string(value),
      ),
  )
  body.bool(validateOnly)
  const answer = await send(broker, {...API, version, body: body.finish()}, 'start')
  return answer.array(() => {
    const errorCode = answer.int16()
    const text = answer.nullableString()
    answer.int8() // resource type
    return {name: answer.string(), errorCode, text}
  })
}
