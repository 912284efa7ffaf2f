import type {SourceRecord} from './event.js'
import {branchesOf, compileFields, type Fields, jsonMatches} from './filter-fields.js'
import {compileRule, FilterError, type Rule} from './filter-rule.js'
import {type Json, JsonError, readJson} from './json.js'

export {FilterError} from './filter-rule.js'

/** A compiled pattern of an event-source mapping's filter criteria. */
export type FilterPattern = {
  /** As it was written. */
  readonly pattern: string
  matches(message: Message): boolean
}

/** A record's value as filters see it. */
type Message =
  | {kind: 'json'; json: Json}
  | {kind: 'text'; text: string}
  /** A tombstone. */
  | {kind: 'absent'}
  /** Not UTF-8. */
  | {kind: 'binary'}

/** Of one pattern, in characters: the API model of `FilterCriteria`. */
const PATTERN_LENGTH = 4096

/** Of one mapping; 10 by request to AWS. docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html, as of 2026-11-20. */
const FILTERS = 5

/**
 * Compiles the filters of a mapping, any of which lets a record through. Throws FilterError when there are more than `maximum` or one
 * is not valid; to both AWS answers 400, to the latter `Invalid filter pattern definition.` (aws/aws-cdk#23057).
 */
export function compileFilters(patterns: readonly string[], maximum = FILTERS): FilterPattern[] {
  if (patterns.length > maximum) throw new FilterError(`${patterns.length} filters are more than ${maximum}`)
  return patterns.map(compileFilter)
}

/**
 * Compiles a pattern like `{"value": {"device": [{"prefix": "AB"}]}}`, or `{"value": [{"anything-but": ["error"]}]}` for plain
 * strings. Throws FilterError with the place of what is wrong.
 *
 * The rules are those of docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html and …/kafka-filtering.html, and of
 * …/eventbridge/latest/userguide/eb-create-pattern-operators.html, to which they refer, as of 2026-11-20. `wildcard` and `cidr`, which
 * Lambda's table does not list, are refused. Not verified: that AWS refuses them, and any key but `value`.
 */
export function compileFilter(pattern: string): FilterPattern {
  if (pattern.length > PATTERN_LENGTH)
    throw new FilterError(`the pattern has ${pattern.length} characters of at most ${PATTERN_LENGTH}`)
  const json = parsePattern(pattern)
  if (!(json instanceof Map)) throw new FilterError('the pattern is no JSON object')
  const root = compileRoot(json)
  return {pattern, matches: (message) => rootMatches(root, message)}
}

function parsePattern(pattern: string): Json {
  try {
    return readJson(pattern)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw new FilterError(`the pattern is no JSON: ${error.message} at character ${error.at + 1}`)
  }
}

/**
 * Whether any of the filters lets the record through; without filters all do. A pattern for JSON drops what is no JSON object or list,
 * a pattern for plain strings drops JSON: the table "Properly filtering Kafka messages" of …/kafka-filtering.html. Not verified: a
 * tombstone and bytes that are not UTF-8 match nothing but `{"value": [{"exists": false}]}`, which the former does.
 */
export function matches(filters: readonly FilterPattern[], record: SourceRecord): boolean {
  if (filters.length === 0) return true
  const message = messageOf(record.value)
  return filters.some((filter) => filter.matches(message))
}

const utf8 = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true})

function messageOf(value: Buffer | null): Message {
  if (!value) return {kind: 'absent'}
  let text: string
  try {
    text = utf8.decode(value)
  } catch {
    return {kind: 'binary'}
  }
  if (!/^[ \t\r\n]*[[{]/.test(text)) return {kind: 'text', text}
  try {
    return {kind: 'json', json: readJson(text)}
  } catch {
    return {kind: 'text', text}
  }
}

/** What a pattern says of a record: all of it has to hold. */
type Root = {text: Rule | undefined; json: Fields | undefined; alternatives: readonly (readonly Root[])[]}

function compileRoot(pattern: Map<string, Json>): Root {
  if (pattern.size === 0) throw new FilterError('the pattern is empty')
  const root: Root = {text: undefined, json: undefined, alternatives: []}
  for (const [name, value] of pattern) {
    if (name === '$or') root.alternatives = [branchesOf(value, '$or').map(compileRoot)]
    else if (name !== 'value') throw new FilterError(`a Kafka mapping filters on "value" only, not on "${name}"`)
    else if (Array.isArray(value)) root.text = compileRule(value, 'value')
    else if (value instanceof Map) root.json = compileFields(value, ['value'])
    else throw new FilterError('"value" must be an object or a list')
  }
  return root
}

function rootMatches(root: Root, message: Message): boolean {
  if (root.text && !textMatches(root.text, message)) return false
  if (root.json && !(message.kind === 'json' && jsonMatches(root.json, message.json))) return false
  return root.alternatives.every((branches) => branches.some((branch) => rootMatches(branch, message)))
}

function textMatches(rule: Rule, message: Message): boolean {
  if (message.kind === 'absent') return rule.absent
  return message.kind === 'text' && rule.tests.some((test) => test(message.text))
}
