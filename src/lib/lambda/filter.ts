import type {SourceRecord} from './event.js'
import {branchesOf, compileFields, type Fields, jsonMatches} from './filter-fields.js'
import {compileRule, FilterError, type Rule} from './filter-rule.js'
import {type Json, JsonError, type Leaf, readJson} from './json.js'

export {FilterError} from './filter-rule.js'

/** A compiled pattern of an event-source mapping's filter criteria. */
export type FilterPattern = {
  /** As it was written. */
  readonly pattern: string
  /** `member` gives what a record has under a name of the pattern. */
  matches(member: (name: string) => Message): boolean
}

/** A member of a record, such as its value, as filters see it. */
export type Message =
  | {kind: 'json'; json: Json}
  /** A text that is no JSON, or a number. */
  | {kind: 'leaf'; leaf: Leaf}
  /** A tombstone. */
  | {kind: 'absent'}
  /** Not UTF-8. */
  | {kind: 'binary'}

/** Of one pattern, in characters: the API model of `FilterCriteria`. */
const PATTERN_LENGTH = 4096

/** All that a mapping of Kafka may filter on. */
const MAPPING_MEMBERS = ['value']

/** Of one mapping; 10 by request to AWS. docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html, as of 2026-11-20. */
const FILTERS = 5

/**
 * Compiles the filters of a mapping, any of which lets a record through. Throws FilterError when there are more than `maximum` or one
 * is not valid; to both AWS answers 400, to the latter `Invalid filter pattern definition.` (aws/aws-cdk#23057).
 */
export function compileFilters(patterns: readonly string[], maximum = FILTERS): FilterPattern[] {
  if (patterns.length > maximum) throw new FilterError(`${patterns.length} filters are more than ${maximum}`)
  return patterns.map((pattern) => compileFilter(pattern))
}

/**
 * Compiles a pattern like `{"value": {"device": [{"prefix": "AB"}]}}`, or `{"value": [{"anything-but": ["error"]}]}` for plain
 * strings. Throws FilterError with the place of what is wrong.
 *
 * The rules are those of docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html and …/kafka-filtering.html, and of
 * …/eventbridge/latest/userguide/eb-create-pattern-operators.html, to which they refer, as of 2026-11-20. `wildcard` and `cidr`, which
 * Lambda's table does not list, are refused. Not verified: that AWS refuses them, and any key but `value`. `members` are the keys that
 * are allowed where it is no mapping that filters.
 */
export function compileFilter(pattern: string, members: readonly string[] = MAPPING_MEMBERS): FilterPattern {
  if (pattern.length > PATTERN_LENGTH)
    throw new FilterError(`the pattern has ${pattern.length} characters of at most ${PATTERN_LENGTH}`)
  const json = parsePattern(pattern)
  if (!(json instanceof Map)) throw new FilterError('the pattern is no JSON object')
  const root = compileRoot(json, members)
  return {pattern, matches: (member) => rootMatches(root, member)}
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
  return filters.some((filter) => filter.matches(() => message))
}

const utf8 = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true})

/** A value or key as filters see it. */
export function messageOf(value: Buffer | null): Message {
  if (!value) return {kind: 'absent'}
  let text: string
  try {
    text = utf8.decode(value)
  } catch {
    return {kind: 'binary'}
  }
  if (!/^[ \t\r\n]*[[{]/.test(text)) return {kind: 'leaf', leaf: text}
  try {
    return {kind: 'json', json: readJson(text)}
  } catch {
    return {kind: 'leaf', leaf: text}
  }
}

/** What a pattern says of a record: all of it has to hold. */
type Root = {
  leaves: readonly {name: string; rule: Rule}[]
  json: readonly {name: string; fields: Fields}[]
  alternatives: readonly (readonly Root[])[]
}

function compileRoot(pattern: Map<string, Json>, members: readonly string[]): Root {
  if (pattern.size === 0) throw new FilterError('the pattern is empty')
  const leaves: Root['leaves'][number][] = []
  const json: Root['json'][number][] = []
  let alternatives: Root['alternatives'] = []
  for (const [name, value] of pattern) {
    if (name === '$or') alternatives = [branchesOf(value, '$or').map((branch) => compileRoot(branch, members))]
    else if (!members.includes(name)) throw unknownMember(name, members)
    else if (Array.isArray(value)) leaves.push({name, rule: compileRule(value, name)})
    else if (value instanceof Map) json.push({name, fields: compileFields(value, [name])})
    else throw new FilterError(`"${name}" must be an object or a list`)
  }
  return {leaves, json, alternatives}
}

function unknownMember(name: string, members: readonly string[]): FilterError {
  if (members === MAPPING_MEMBERS) return new FilterError(`a Kafka mapping filters on "value" only, not on "${name}"`)
  return new FilterError(`a record has ${members.map((member) => `"${member}"`).join(', ')}, and no "${name}"`)
}

function rootMatches(root: Root, member: (name: string) => Message): boolean {
  return (
    root.leaves.every(({name, rule}) => leafMatches(rule, member(name))) &&
    root.json.every(({name, fields}) => {
      const message = member(name)
      return message.kind === 'json' && jsonMatches(fields, message.json)
    }) &&
    root.alternatives.every((branches) => branches.some((branch) => rootMatches(branch, member)))
  )
}

function leafMatches(rule: Rule, message: Message): boolean {
  if (message.kind === 'absent') return rule.absent
  return message.kind === 'leaf' && rule.tests.some((test) => test(message.leaf))
}
