import {compileRule, FilterError, type Rule} from './filter-rule.js'
import type {Json, Leaf} from './json.js'

/** What a pattern says of the members of an object: all of it has to hold. */
export type Fields = {
  rules: readonly {name: string; rule: Rule; path: readonly string[]}[]
  nested: readonly {name: string; fields: Fields}[]
  /** Of each list of `$or`, one has to hold. */
  alternatives: readonly (readonly Fields[])[]
}

/** Compiles an object of a pattern; `path` leads to it from the pattern's root, `$or` not counted. Throws FilterError. */
export function compileFields(pattern: Map<string, Json>, path: readonly string[]): Fields {
  if (pattern.size === 0) throw new FilterError(`"${path.join('.')}" is an empty object`)
  const rules: Fields['rules'][number][] = []
  const nested: Fields['nested'][number][] = []
  const alternatives: Fields[][] = []
  for (const [name, value] of pattern) {
    const inner = [...path, name]
    const place = inner.join('.')
    if (name === '$or') alternatives.push(branchesOf(value, place).map((branch) => compileFields(branch, path)))
    else if (Array.isArray(value)) rules.push({name, rule: compileRule(value, place), path: inner})
    else if (value instanceof Map) nested.push({name, fields: compileFields(value, inner)})
    else throw new FilterError(`"${place}" must be an object or a list`)
  }
  return {rules, nested, alternatives}
}

const OPERATORS = new Set(['exists', 'prefix', 'suffix', 'equals-ignore-case', 'numeric', 'anything-but', 'wildcard', 'cidr'])

/** The objects of a `$or`, at least two, whose members are fields (aws/event-ruler, "The $or Primitive"). Throws FilterError. */
export function branchesOf(value: Json, place: string): Map<string, Json>[] {
  const branches = Array.isArray(value) ? value.filter((branch) => branch instanceof Map) : []
  if (!Array.isArray(value) || branches.length < 2 || branches.length < value.length) {
    throw new FilterError(`"${place}" takes a list of at least two objects`)
  }
  const operator = branches.flatMap((branch) => [...branch.keys()]).find((name) => OPERATORS.has(name))
  if (operator) throw new FilterError(`"${place}" takes fields, not the operator "${operator}"`)
  return branches
}

/** Whether a record's JSON value has all the fields. */
export function jsonMatches(fields: Fields, json: Json): boolean {
  const absences = new Map<Rule, boolean>()
  const isAbsent = (rule: Rule, path: readonly string[]): boolean => {
    const absent = absences.get(rule) ?? !hasLeaf(json, path.slice(1))
    absences.set(rule, absent)
    return absent
  }
  return fieldsMatch(fields, json, isAbsent)
}

type IsAbsent = (rule: Rule, path: readonly string[]) => boolean

const NO_FIELDS = new Map<string, Json>()

/**
 * Whether one of the objects at a place of the message has all fields: two fields never match in two elements of a list (aws/event-ruler,
 * "JSON Array Matching"). Only "does not exist" looks at the whole message.
 */
function fieldsMatch(fields: Fields, place: Json | undefined, isAbsent: IsAbsent): boolean {
  const objects = objectsIn(place)
  if (objects.length === 0) return objectMatches(fields, NO_FIELDS, isAbsent)
  return objects.some((object) => objectMatches(fields, object, isAbsent))
}

function objectMatches({rules, nested, alternatives}: Fields, object: Map<string, Json>, isAbsent: IsAbsent): boolean {
  return (
    rules.every(({name, rule, path}) => {
      if (rule.absent && isAbsent(rule, path)) return true
      return someLeaf(object.get(name), (leaf) => rule.tests.some((test) => test(leaf)))
    }) &&
    nested.every(({name, fields}) => fieldsMatch(fields, object.get(name), isAbsent)) &&
    alternatives.every((branches) => branches.some((branch) => objectMatches(branch, object, isAbsent)))
  )
}

/** The object at a place, or those in the list there, however deep it is nested. */
function objectsIn(place: Json | undefined): Map<string, Json>[] {
  if (place instanceof Map) return [place]
  return Array.isArray(place) ? place.flatMap(objectsIn) : []
}

/** Whether the value at a place, or an element of the list there, is a leaf that passes the test. */
function someLeaf(place: Json | undefined, test: (leaf: Leaf) => boolean): boolean {
  if (place === undefined || place instanceof Map) return false
  return Array.isArray(place) ? place.some((element) => someLeaf(element, test)) : test(place)
}

function hasLeaf(place: Json | undefined, path: readonly string[]): boolean {
  const [name, ...rest] = path
  if (name === undefined) return someLeaf(place, () => true)
  return objectsIn(place).some((object) => hasLeaf(object.get(name), rest))
}
