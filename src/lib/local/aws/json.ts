import {AwsError} from './error.js'

const MAX_DEPTH = 64

/**
 * The JSON object of a request body, its objects without prototype, so that a member named `__proto__` is one among
 * others; empty for an empty body.
 *
 * @throws AwsError SerializationException
 */
export function parseJsonObject(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return Object.create(null)
  const value = parse(body)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('is not an object')
  return value as Record<string, unknown>
}

const malformed = (problem: string) => new AwsError(400, 'SerializationException', `The body ${problem}.`)

function parse(body: Buffer): unknown {
  if (depth(body) > MAX_DEPTH) throw malformed(`is nested more than ${MAX_DEPTH} deep`)
  try {
    const text = new TextDecoder('utf-8', {fatal: true}).decode(body)
    return JSON.parse(text, (_key, member) => (isPlainObject(member) ? Object.assign(Object.create(null), member) : member))
  } catch {
    throw malformed('is not JSON')
  }
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** How deep the brackets outside of strings go; right for JSON, harmless for anything else. */
function depth(body: Buffer): number {
  let open = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < body.length; at++) {
    const char = body[at]
    if (inString) {
      if (char === 0x5c /* \ */) at++
      else if (char === 0x22 /* " */) inString = false
    } else if (char === 0x22) inString = true
    else if (char === 0x5b /* [ */ || char === 0x7b /* { */) deepest = Math.max(deepest, ++open)
    else if (char === 0x5d /* ] */ || char === 0x7d /* } */) open--
  }
  return deepest
}
