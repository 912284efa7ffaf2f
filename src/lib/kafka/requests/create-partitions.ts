import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'
import type {TopicResult} from './create-topics.js'

const API = {key: 37, name: 'CreatePartitions'}

/** CreatePartitions v0-1 to the controller: `total` is the new number of partitions, not how many to add. */
export async function createPartitions(
  controller: Broker,
  name: string,
  total: number,
  {validateOnly, timeoutMs}: {validateOnly: boolean; timeoutMs: number},
): Promise<TopicResult[]> {
  const version = versionOf(controller, API, 0, 1)
  const body = new Writer()
  body.array([name], (topic) =>
    body
      .string(topic)
      .int32(total)
      .array(null, () => {}),
  )
  body.int32(timeoutMs).bool(validateOnly)
  const answer = await send(controller, {...API, version, body: body.finish(), timeoutMs: timeoutMs + 5_000}, 'start')
  return answer.array(() => ({name: answer.string(), errorCode: answer.int16(), text: answer.nullableString()}))
}
