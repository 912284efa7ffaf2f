import jmespath from 'jmespath'

import {type Incoming, PoisonError} from './incoming.ts'
import {parsedJson} from './json.ts'

/** The key of a message; null is none. */
export type KeyOf = (message: Incoming) => Buffer | null

/**
 * What KEY_FROM says: `auto` is the group where the broker has groups, `json:` is followed by a JMESPath. A message without what is
 * asked for has no key. Undefined when it says nothing that there is.
 */
export function keyOf(from: string): KeyOf | undefined {
  const [kind, argument] = from.split(/:(.*)/s, 2) as [string, string | undefined]
  if (argument === undefined) return PLAIN.get(kind)
  if (kind === 'attribute' && argument !== '') return ({attributes}) => bytesOf(ownText(attributes, argument))
  if (kind === 'json' && isPath(argument)) return ({value}) => keyInJson(value, argument)
  return undefined
}

const PLAIN = new Map<string, KeyOf>([
  ['auto', ({group}) => bytesOf(group)],
  ['none', () => null],
  ['group', ({group}) => bytesOf(group)],
  ['message-id', ({id}) => bytesOf(id)],
])

const ownText = (attributes: Incoming['attributes'], name: string) =>
  Object.hasOwn(attributes, name) ? attributes[name] : undefined

const bytesOf = (text: Buffer | string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text))

function isPath(text: string): boolean {
  try {
    jmespath.search({}, text)
    return true
  } catch {
    return false
  }
}

function keyInJson(value: Buffer | null, path: string): Buffer | null {
  if (value === null) return null
  const parsed = parsedJson(value)
  if (parsed === undefined) throw new PoisonError('the message is not JSON, which its key is in')
  const found: unknown = jmespath.search(parsed, path)
  if (found === null || found === undefined) return null
  if (typeof found === 'object') throw new PoisonError('what the message has as its key is no text')
  return Buffer.from(String(found))
}
