import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'
import type {TopicResult} from './create-topics.js'

const API = {key: 20, name: 'DeleteTopics'}

/** DeleteTopics v1-3 to the controller. */
export async function deleteTopics(controller: Broker, names: readonly string[], timeoutMs: number): Promise<TopicResult[]> {
  const version = versionOf(controller, API, 1, 3)
  const body = new Writer()
  body.array(names, (name) => body.string(name)).int32(timeoutMs)
  const answer = await send(controller, {...API, version, body: body.finish(), timeoutMs: timeoutMs + 5_000}, 'start')
  return answer.array(() => ({name: answer.string(), errorCode: answer.int16(), text: null}))
}
