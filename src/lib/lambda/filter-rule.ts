import {type Json, JsonNumber, type Leaf} from './json.js'

/** A filter pattern that Lambda would refuse; the message says what is wrong and where. */
export class FilterError extends Error {
  override readonly name = 'FilterError'
}

type Test = (leaf: Leaf) => boolean

/** The list of alternatives of one field: it matches when any does. */
export type Rule = {
  tests: readonly Test[]
  /** Whether a missing field is one of the alternatives. */
  absent: boolean
}

/** Numeric operators work on numbers of this range: docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html */
const NUMERIC_LIMIT = 5e9

/** Compiles the list of a field; `path` is for messages. Throws FilterError. */
export function compileRule(alternatives: readonly Json[], path: string): Rule {
  if (alternatives.length === 0) throw new FilterError(`"${path}" is an empty list`)
  const tests: Test[] = []
  let absent = false
  for (const [index, alternative] of alternatives.entries()) {
    const place = `${path}[${index}]`
    if (!(alternative instanceof Map)) {
      tests.push(equals(leafOf(alternative, place)))
      continue
    }
    const [name, operand] = onlyMember(alternative, place)
    if (name === 'exists' && typeof operand !== 'boolean') throw new FilterError(`"exists" takes true or false at "${place}"`)
    if (name === 'exists' && operand === false) absent = true
    else tests.push(compileOperator(name, operand, place))
  }
  return {tests, absent}
}

function leafOf(value: Json, place: string): Leaf {
  if (!Array.isArray(value) && !(value instanceof Map)) return value
  throw new FilterError(`a list inside a list is not allowed at "${place}"`)
}

function onlyMember(object: Map<string, Json>, place: string): [string, Json] {
  const [member, ...others] = object
  if (member && others.length === 0) return member
  throw new FilterError(`one operator is expected at "${place}", not ${object.size}`)
}

/** Numbers by their text: "300, 300.0, and 3.0e2 are not considered equal" (…/lambda/latest/dg/invocation-eventfiltering.html). */
function equals(expected: Leaf): Test {
  if (!(expected instanceof JsonNumber)) return (leaf) => leaf === expected
  return (leaf) => leaf instanceof JsonNumber && leaf.text === expected.text
}

const onStrings =
  (test: (text: string) => boolean): Test =>
  (leaf) =>
    typeof leaf === 'string' && test(leaf)

function compileOperator(name: string, operand: Json, place: string): Test {
  switch (name) {
    case 'exists':
      return () => true
    case 'prefix':
    case 'suffix':
    case 'equals-ignore-case':
      return onStrings(textTest(name, operand, place))
    case 'numeric':
      return numericTest(operand, place)
    case 'anything-but':
      return anythingBut(operand, place)
    default:
      throw new FilterError(`Lambda's filters have no operator "${name}" at "${place}"`)
  }
}

type TextOperator = 'prefix' | 'suffix' | 'equals-ignore-case'

function textTest(operator: TextOperator, operand: Json, place: string): (text: string) => boolean {
  if (operator !== 'equals-ignore-case' && operand instanceof Map) {
    const [name, folded] = onlyMember(operand, place)
    if (name !== 'equals-ignore-case') throw new FilterError(`"${operator}" takes no "${name}" at "${place}"`)
    const expected = textOf(folded, name, place).toLowerCase()
    return operator === 'prefix'
      ? (text) => text.toLowerCase().startsWith(expected)
      : (text) => text.toLowerCase().endsWith(expected)
  }
  const expected = textOf(operand, operator, place)
  if (operator === 'prefix') return (text) => text.startsWith(expected)
  if (operator === 'suffix') return (text) => text.endsWith(expected)
  const folded = expected.toLowerCase()
  return (text) => text.toLowerCase() === folded
}

function textOf(operand: Json, operator: string, place: string): string {
  if (typeof operand === 'string') return operand
  throw new FilterError(`"${operator}" takes a string at "${place}"`)
}

/** Matches every leaf that is none of these, of whatever type. */
function anythingBut(operand: Json, place: string): Test {
  const refused = operand instanceof Map ? anyText(operand, place) : anyEqual(Array.isArray(operand) ? operand : [operand], place)
  return (leaf) => !refused(leaf)
}

function anyText(operand: Map<string, Json>, place: string): Test {
  const [name, texts] = onlyMember(operand, place)
  if (name !== 'prefix' && name !== 'suffix' && name !== 'equals-ignore-case') {
    throw new FilterError(`"anything-but" takes no "${name}" at "${place}"`)
  }
  const list = Array.isArray(texts) ? texts : [texts]
  if (list.length === 0 || list.includes('')) throw new FilterError(`"anything-but" takes no empty "${name}" at "${place}"`)
  const tests = list.map((text) => textTest(name, textOf(text, name, place), place))
  return onStrings((text) => tests.some((test) => test(text)))
}

function anyEqual(values: readonly Json[], place: string): Test {
  const strings = values.every((value) => typeof value === 'string')
  const numbers = values.every((value) => value instanceof JsonNumber)
  if (values.length === 0 || !(strings || numbers)) {
    throw new FilterError(`"anything-but" takes strings or numbers, not both, at "${place}"`)
  }
  const refused = new Set(values.map((value) => (value instanceof JsonNumber ? value.text : (value as string))))
  return strings ? onStrings((text) => refused.has(text)) : (leaf) => leaf instanceof JsonNumber && refused.has(leaf.text)
}

const COMPARE: Record<string, (left: number, right: number) => boolean> = {
  '=': (left, right) => left === right,
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
}

/** One comparison, or a range: a lower bound followed by an upper one. */
function numericTest(operand: Json, place: string): Test {
  const [operator, bound, upperOperator, upperBound, ...others] = Array.isArray(operand) ? operand : []
  const low = comparison(operator, bound, place)
  if (upperOperator === undefined) return onNumbers(low.test)
  const high = comparison(upperOperator, upperBound, place)
  const isRange = low.operator.startsWith('>') && high.operator.startsWith('<') && others.length === 0
  if (!isRange) throw new FilterError(`"numeric" takes one comparison, or ">" or ">=" and then "<" or "<=", at "${place}"`)
  if (low.bound >= high.bound) throw new FilterError(`"numeric" is a range that holds nothing at "${place}"`)
  return onNumbers((number) => low.test(number) && high.test(number))
}

function comparison(operator: Json | undefined, operand: Json | undefined, place: string) {
  const compare = typeof operator === 'string' && Object.hasOwn(COMPARE, operator) ? COMPARE[operator] : undefined
  if (typeof operator !== 'string' || !compare)
    throw new FilterError(`"numeric" takes a list like [">", 0, "<=", 5] at "${place}"`)
  if (!(operand instanceof JsonNumber)) throw new FilterError(`a number is expected after "${operator}" at "${place}"`)
  const bound = Number(operand.text)
  if (Math.abs(bound) > NUMERIC_LIMIT) throw new FilterError(`"numeric" takes numbers from -5e9 to 5e9 at "${place}"`)
  return {operator, bound, test: (number: number) => compare(number, bound)}
}

const onNumbers =
  (test: (number: number) => boolean): Test =>
  (leaf) => {
    const number = leaf instanceof JsonNumber ? Number(leaf.text) : Number.NaN
    return Math.abs(number) <= NUMERIC_LIMIT && test(number)
  }
