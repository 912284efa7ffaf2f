import type {KAFKA_ACTIONS} from '../../limits.js'

/** An action of the service prefix `kafka-cluster`, without the prefix. */
export type KafkaAction = keyof typeof KAFKA_ACTIONS

export type Principal = {
  arn: string
  accessKeyId: string | null
  /** `action` with its service prefix, such as `kafka-cluster:WriteData`; `resource` an ARN or `*`. */
  allows(action: string, resource: string): boolean
}

/** Who a plaintext connection is: it may do everything. */
export const anonymous: Principal = {arn: 'anonymous', accessKeyId: null, allows: () => true}

export type Statement = {
  effect: 'Allow' | 'Deny'
  actionApplies(action: string): boolean
  resourceApplies(resource: string): boolean
}

/** A policy that cannot be read: `place` is where, such as `Statement[1].Effect`. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
  readonly place: string

  constructor(place: string, problem: string) {
    super(problem)
    this.place = place
  }
}

/**
 * Whether `text` matches `pattern`, where `*` stands for any run of characters (`:` and `/` too) and `?` for one.
 * Only the last `*` is ever tried again, so the time is at most pattern × text, whatever the pattern.
 */
export function wildcardMatches(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let resumeAt = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      resumeAt = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++resumeAt
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** IAM's evaluation of one identity's policies: default deny, an explicit Deny wins over every Allow. */
export function allows(statements: readonly Statement[], action: string, resource: string): boolean {
  const applying = statements.filter((statement) => statement.actionApplies(action) && statement.resourceApplies(resource))
  return applying.length > 0 && applying.every((statement) => statement.effect === 'Allow')
}

/**
 * Reads an identity policy document (IAM's JSON policy grammar). What is not evaluated here, conditions and policy
 * variables, fails closed and is told in `warnings`: an Allow that has one never applies, a Deny always does.
 *
 * @throws PolicyError for a document that AWS would refuse as well
 */
export function compilePolicy(document: unknown): {statements: Statement[]; warnings: string[]} {
  const policy = readObject(document, '', ['Version', 'Id', 'Statement'])
  const version = policy['Version']
  if (version !== undefined && version !== '2012-10-17' && version !== '2008-10-17') {
    throw new PolicyError('Version', 'must be "2012-10-17"')
  }
  if (policy['Statement'] === undefined) throw new PolicyError('Statement', 'is missing')
  const single = !Array.isArray(policy['Statement'])
  const sources: unknown[] = single ? [policy['Statement']] : (policy['Statement'] as unknown[])
  const warnings: string[] = []
  const statements = sources.flatMap((source, index) =>
    compileStatement(source, single ? 'Statement' : `Statement[${index}]`, warnings),
  )
  return {statements, warnings}
}

const STATEMENT_KEYS = ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition']

function compileStatement(source: unknown, place: string, warnings: string[]): Statement[] {
  const statement = readObject(source, place, STATEMENT_KEYS)
  const effect = statement['Effect']
  if (effect !== 'Allow' && effect !== 'Deny') throw new PolicyError(`${place}.Effect`, 'must be "Allow" or "Deny"')

  const actions = readPatterns(
    statement,
    'Action',
    place,
    /^(\*|[a-z0-9-]+:.+)$/i,
    'must be "*" or like "kafka-cluster:ReadData"',
  )
  const resources = readPatterns(statement, 'Resource', place, /^(\*|arn:.*)$/, 'must be "*" or an ARN')
  const lowerCased = actions.patterns.map((pattern) => pattern.toLowerCase())
  const actionApplies = (action: string) => anyMatches(lowerCased, action.toLowerCase()) !== actions.negated
  const resourceApplies = (resource: string) => anyMatches(resources.patterns, resource) !== resources.negated

  const variables = resources.patterns.some((pattern) => pattern.includes('${'))
  const unsupported = variables ? 'policy variables are' : hasCondition(statement) ? 'conditions are' : undefined
  if (unsupported === undefined) return [{effect, actionApplies, resourceApplies}]
  const consequence = effect === 'Allow' ? 'the statement allows nothing' : 'the statement denies whatever they say'
  warnings.push(`${place}: ${unsupported} not evaluated here, so ${consequence}`)
  return effect === 'Allow' ? [] : [{effect, actionApplies, resourceApplies: variables ? () => true : resourceApplies}]
}

function hasCondition({Condition: condition}: Record<string, unknown>): boolean {
  return condition !== undefined && !(isObject(condition) && Object.keys(condition).length === 0)
}

type Patterns = {patterns: string[]; negated: boolean}

/** The patterns of `Action` or `NotAction`, `Resource` or `NotResource`: exactly one of the two, a string or a list. */
function readPatterns(
  statement: Record<string, unknown>,
  key: 'Action' | 'Resource',
  place: string,
  form: RegExp,
  rule: string,
): Patterns {
  const negated = statement[`Not${key}`] !== undefined
  if (negated === (statement[key] !== undefined)) throw new PolicyError(place, `needs either ${key} or Not${key}`)
  const name = negated ? `Not${key}` : key
  const value = statement[name]
  const patterns: unknown[] = Array.isArray(value) ? value : [value]
  if (patterns.length === 0) throw new PolicyError(`${place}.${name}`, 'is empty')
  for (const [index, pattern] of patterns.entries()) {
    const at = Array.isArray(value) ? `${place}.${name}[${index}]` : `${place}.${name}`
    if (typeof pattern !== 'string' || pattern.length > 2048 || !form.test(pattern)) throw new PolicyError(at, rule)
  }
  return {patterns: patterns as string[], negated}
}

const anyMatches = (patterns: readonly string[], text: string) => patterns.some((pattern) => wildcardMatches(pattern, text))

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readObject(value: unknown, place: string, keys: readonly string[]): Record<string, unknown> {
  if (!isObject(value)) throw new PolicyError(place, 'must be an object')
  const unknown = Object.keys(value).find((key) => !keys.includes(key))
  if (unknown !== undefined) {
    throw new PolicyError(place, `has the unknown element "${unknown}" (known: ${keys.join(', ')})`)
  }
  return value
}
