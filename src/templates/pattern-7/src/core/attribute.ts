/** An attribute as a stream has it: one member, whose name is its type. What it really is, is looked at when it is read. */
export type AttributeValue = unknown
export type Item = Record<string, AttributeValue>

/** With the types of DynamoDB, as its API has them, or as plain JSON, in which a set is a list and bytes are a text in base64. */
export type Format = 'typed' | 'plain'

/** The record itself is at fault and will always be: it is put aside, and the stream goes on. */
export class PoisonError extends Error {
  override readonly name = 'PoisonError'
}

/** DynamoDB nests 32 levels deep. */
const DEEPEST = 64
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/**
 * An item as JSON, the same text for the same item: members and sets are sorted, numbers keep all their digits. Throws PoisonError,
 * which names the attribute and quotes no value.
 */
export function itemText(item: unknown, format: Format): string {
  return mapText(item, format, 'the item', 0)
}

type Kinds = Record<string, (value: unknown, format: Format, at: string, depth: number) => string>

/** The value of each type as JSON; what is around it is the format's. */
const KINDS: Kinds = {
  S: (value, _, at) => JSON.stringify(textOf(value, at)),
  N: (value, format, at) => numberText(value, format, at),
  B: (value, _, at) => JSON.stringify(base64Of(value, at)),
  BOOL: (value, _, at) => (typeof value === 'boolean' ? String(value) : wrong(at)),
  NULL: (value, format, at) => (value === true ? (format === 'typed' ? 'true' : 'null') : wrong(at)),
  M: mapText,
  L: (value, format, at, depth) => listText(value, at, (one, index) => valueText(one, format, `${at}[${index}]`, depth)),
  SS: (value, _, at) => listText(sorted(value, at), at, (one) => JSON.stringify(textOf(one, at))),
  NS: (value, format, at) => listText(sorted(value, at, byNumber), at, (one) => numberText(one, format, at)),
  BS: (value, _, at) => listText(sorted(value, at), at, (one) => JSON.stringify(base64Of(one, at))),
}

function valueText(value: AttributeValue, format: Format, at: string, depth: number): string {
  const [[type, inner] = ['', undefined], ...others] = isObject(value) ? Object.entries(value) : []
  if (others.length > 0 || !Object.hasOwn(KINDS, type)) return wrong(at)
  if (depth > DEEPEST) throw new PoisonError(`${at} is nested too deeply`)
  const text = KINDS[type]!(inner, format, at, depth + 1)
  return format === 'typed' ? `{"${type}":${text}}` : text
}

function mapText(map: unknown, format: Format, at: string, depth: number): string {
  if (!isObject(map)) return wrong(at)
  const names = Object.keys(map).sort()
  const members = names.map((name) => `${JSON.stringify(name)}:${valueText(map[name], format, `${at}.${name}`, depth)}`)
  return `{${members.join(',')}}`
}

function listText(list: unknown, at: string, textFor: (one: unknown, index: number) => string): string {
  return Array.isArray(list) ? `[${list.map(textFor).join(',')}]` : wrong(at)
}

/** DynamoDB has 38 digits, JavaScript 15: a number is never one in here. */
function numberText(value: unknown, format: Format, at: string): string {
  if (typeof value !== 'string' || !NUMBER.test(value)) return wrong(at)
  return format === 'typed' ? `"${value}"` : value
}

const textOf = (value: unknown, at: string): string => (typeof value === 'string' ? value : wrong(at))

const base64Of = (value: unknown, at: string): string => (typeof value === 'string' && BASE64.test(value) ? value : wrong(at))

/** A set has no order of its own. */
const sorted = (set: unknown, at: string, by?: (a: string, b: string) => number): string[] =>
  Array.isArray(set) ? set.map((one) => textOf(one, at)).sort(by) : wrong(at)

/** Numbers that are one to JavaScript have an order all the same, though any. */
const byNumber = (a: string, b: string): number => Number(a) - Number(b) || (a < b ? -1 : 1)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function wrong(at: string): never {
  throw new PoisonError(`${at} is no value of DynamoDB`)
}
