import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {allows, anonymous, compilePolicy, PolicyError, wildcardMatches} from '../../../../src/lib/local/kafka/authorize.js'

const CLUSTER = 'arn:aws:kafka:us-east-1:123456789012:cluster/demo/uuid-s1'
const topic = (name: string) => `arn:aws:kafka:us-east-1:123456789012:topic/demo/uuid-s1/${name}`

function evaluate(statement: unknown, action: string, resource: string): boolean {
  return allows(compilePolicy({Version: '2012-10-17', Statement: statement}).statements, action, resource)
}

const allow = (action: unknown, resource: unknown) => ({Effect: 'Allow', Action: action, Resource: resource})
const deny = (action: unknown, resource: unknown) => ({Effect: 'Deny', Action: action, Resource: resource})

/** The definition, in exponential time. */
function matchesByDefinition(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  const rest = pattern.slice(1)
  if (pattern[0] === '*') return matchesByDefinition(rest, text) || (text !== '' && matchesByDefinition(pattern, text.slice(1)))
  return text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && matchesByDefinition(rest, text.slice(1))
}

describe('wildcardMatches', () => {
  it.each([
    ['arn:aws:kafka:*:topic/demo/*', topic('orders'), true],
    ['*', '', true],
    ['*', topic('a/b:c'), true],
    [topic('order?'), topic('orders'), true],
    [topic('order?'), topic('order'), false],
    [topic('*-dead'), topic('orders-dead-dead'), true],
    [topic('orders'), topic('Orders'), false],
    [topic('orders'), topic('orders2'), false],
    ['a**b', 'ab', true],
    ['', 'a', false],
  ])('%s on %s is %s', (pattern, text, expected) => {
    expect(wildcardMatches(pattern, text)).toBe(expected)
  })

  it('agrees with the definition on every short pattern and text', () => {
    const chars = fc.constantFrom('a', 'b', ':', '/', '*', '?')
    fc.assert(
      fc.property(fc.string({unit: chars, maxLength: 8}), fc.string({unit: chars, maxLength: 8}), (pattern, text) => {
        expect(wildcardMatches(pattern, text)).toBe(matchesByDefinition(pattern, text))
      }),
      {numRuns: 5000},
    )
  })

  it('answers at once for a pattern that makes a backtracking matcher run for years', () => {
    const started = performance.now()

    expect(wildcardMatches(`${'*a'.repeat(1000)}*b`, 'a'.repeat(2000))).toBe(false)

    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe('a policy', () => {
  it('denies what no statement allows', () => {
    expect(evaluate([], 'kafka-cluster:Connect', CLUSTER)).toBe(false)
    expect(evaluate(allow('kafka-cluster:ReadData', topic('*')), 'kafka-cluster:WriteData', topic('a'))).toBe(false)
    expect(evaluate(allow('kafka-cluster:ReadData', topic('b*')), 'kafka-cluster:ReadData', topic('a'))).toBe(false)
  })

  it('lets an explicit Deny win, wherever it stands', () => {
    const statements = [allow('*', '*'), deny('kafka-cluster:WriteData', topic('secret-*'))]

    for (const order of [statements, statements.toReversed()]) {
      expect(evaluate(order, 'kafka-cluster:WriteData', topic('secret-a'))).toBe(false)
      expect(evaluate(order, 'kafka-cluster:WriteData', topic('public'))).toBe(true)
      expect(evaluate(order, 'kafka-cluster:ReadData', topic('secret-a'))).toBe(true)
    }
  })

  it('takes one statement or a list, one action or a list', () => {
    const one = allow('kafka-cluster:Connect', CLUSTER)

    expect(evaluate(one, 'kafka-cluster:Connect', CLUSTER)).toBe(true)
    expect(evaluate([allow(['kafka-cluster:Connect'], [CLUSTER])], 'kafka-cluster:Connect', CLUSTER)).toBe(true)
  })

  it('ignores the case of action names, not of resources', () => {
    expect(evaluate(allow('KAFKA-cluster:readdata', topic('a')), 'kafka-cluster:ReadData', topic('a'))).toBe(true)
    expect(evaluate(allow('kafka-cluster:ReadData', topic('A')), 'kafka-cluster:ReadData', topic('a'))).toBe(false)
  })

  it('matches actions with wildcards', () => {
    const statement = allow('kafka-cluster:*Topic', topic('*'))

    expect(evaluate(statement, 'kafka-cluster:DescribeTopic', topic('a'))).toBe(true)
    expect(evaluate(statement, 'kafka-cluster:DescribeTopicDynamicConfiguration', topic('a'))).toBe(false)
  })

  it('understands NotAction and NotResource', () => {
    const all = {Effect: 'Allow', NotAction: 'kafka-cluster:Delete*', NotResource: topic('secret')}

    expect(evaluate(all, 'kafka-cluster:ReadData', topic('a'))).toBe(true)
    expect(evaluate(all, 'kafka-cluster:DeleteTopic', topic('a'))).toBe(false)
    expect(evaluate(all, 'kafka-cluster:ReadData', topic('secret'))).toBe(false)
  })

  it.each([
    ['a condition', {Condition: {IpAddress: {'aws:SourceIp': '10.0.0.0/8'}}}, topic('a')],
    ['a policy variable', {}, `${topic('')}$\{aws:username}`],
  ])('with %s fails closed and warns', (_, part, resource) => {
    const permit = compilePolicy({Statement: {...allow('kafka-cluster:*', resource), ...part}})
    const refuse = compilePolicy({Statement: [allow('*', '*'), {...deny('kafka-cluster:*', resource), ...part}]})

    expect(allows(permit.statements, 'kafka-cluster:ReadData', topic('a'))).toBe(false)
    expect(permit.warnings).toEqual([expect.stringContaining('the statement allows nothing')])
    expect(allows(refuse.statements, 'kafka-cluster:ReadData', topic('a'))).toBe(false)
    expect(refuse.warnings).toEqual([expect.stringMatching(/^Statement\[1\]: .* the statement denies/)])
  })

  it('keeps a Deny with a condition to its own resources', () => {
    const conditional = {...deny('*', topic('a')), Condition: {Bool: {'aws:SecureTransport': 'false'}}}

    expect(evaluate([allow('*', '*'), conditional], 'kafka-cluster:ReadData', topic('b'))).toBe(true)
  })

  it.each([
    ['a string', 'Allow everything', '', 'must be an object'],
    ['null', null, '', 'must be an object'],
    ['no statement', {Version: '2012-10-17'}, 'Statement', 'is missing'],
    ['another version', {Version: '2026-01-01', Statement: []}, 'Version', 'must be "2012-10-17"'],
    ['an unknown element', {Statements: []}, '', 'has the unknown element "Statements"'],
    [
      'a lower-case effect',
      {Statement: [{...allow('*', '*'), Effect: 'allow'}]},
      'Statement[0].Effect',
      'must be "Allow" or "Deny"',
    ],
    ['a principal', {Statement: [{...allow('*', '*'), Principal: '*'}]}, 'Statement[0]', 'unknown element "Principal"'],
    ['no action', {Statement: {Effect: 'Allow', Resource: '*'}}, 'Statement', 'needs either Action or NotAction'],
    ['both actions', {Statement: {...allow('*', '*'), NotAction: '*'}}, 'Statement', 'needs either Action or NotAction'],
    ['an action without service', {Statement: allow('ReadData', '*')}, 'Statement.Action', 'must be "*" or like'],
    ['an empty list', {Statement: allow([], '*')}, 'Statement.Action', 'is empty'],
    ['a number as action', {Statement: allow(['*', 7], '*')}, 'Statement.Action[1]', 'must be "*" or like'],
    ['a resource that is no ARN', {Statement: allow('*', ['orders'])}, 'Statement.Resource[0]', 'must be "*" or an ARN'],
    ['an endless resource', {Statement: allow('*', `arn:${'*'.repeat(5000)}`)}, 'Statement.Resource', 'must be "*" or an ARN'],
  ])('with %s is refused with the place', (_, document, place, problem) => {
    const error = catchError(() => compilePolicy(document))

    expect(error).toBeInstanceOf(PolicyError)
    expect(error).toMatchObject({place, message: expect.stringContaining(problem)})
  })

  it('never throws anything else, whatever the document', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (document) => {
        const error = catchError(() => compilePolicy({Statement: document}))
        expect(error === undefined || error instanceof PolicyError).toBe(true)
      }),
    )
  })
})

it('anonymous may do everything', () => {
  expect(anonymous.allows('kafka-cluster:DeleteTopic', topic('a'))).toBe(true)
})

function catchError(work: () => unknown): unknown {
  try {
    work()
    return undefined
  } catch (error) {
    return error
  }
}
