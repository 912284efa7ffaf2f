/** JSON whose numbers keep their text: filter patterns compare "300" and "300.0" as different. */
export type Json = Leaf | Json[] | Map<string, Json>

/** What has no members. */
export type Leaf = null | boolean | string | JsonNumber

export class JsonNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Not JSON; `at` is the index of the character that is wrong. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
  readonly at: number

  constructor(at: number, expected: string) {
    super(`${expected} is expected`)
    this.at = at
  }
}

/** Deeper JSON is refused, as by the parser that AWS's own matcher uses (FasterXML/jackson-core, StreamReadConstraints). */
const MAX_DEPTH = 1000

type Reader = {readonly text: string; at: number}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const SPACE = /[ \t\r\n]*/y
const KEYWORDS: readonly [string, Leaf][] = [
  ['true', true],
  ['false', false],
  ['null', null],
]

/** The value of a JSON text, in linear time; of members with the same name, the last. Throws JsonError. */
export function readJson(text: string): Json {
  const reader = {text, at: 0}
  const value = readValue(reader, 0)
  if (next(reader) !== '') throw new JsonError(reader.at, 'the end')
  return value
}

function readValue(reader: Reader, depth: number): Json {
  if (depth > MAX_DEPTH) throw new JsonError(reader.at, 'JSON of less depth')
  const first = next(reader)
  if (first === '{') return readObject(reader, depth)
  if (first === '[') return readArray(reader, depth)
  if (first === '"') return readString(reader)
  for (const [word, value] of KEYWORDS) {
    if (!reader.text.startsWith(word, reader.at)) continue
    reader.at += word.length
    return value
  }
  const number = match(reader, NUMBER)
  if (!number) throw new JsonError(reader.at, 'a value')
  return new JsonNumber(number)
}

function readObject(reader: Reader, depth: number): Map<string, Json> {
  const members = new Map<string, Json>()
  reader.at++
  if (accept(reader, '}')) return members
  for (;;) {
    if (next(reader) !== '"') throw new JsonError(reader.at, 'a name in double quotes')
    const name = readString(reader)
    if (!accept(reader, ':')) throw new JsonError(reader.at, '":"')
    members.set(name, readValue(reader, depth + 1))
    if (accept(reader, '}')) return members
    if (!accept(reader, ',')) throw new JsonError(reader.at, '"," or "}"')
  }
}

function readArray(reader: Reader, depth: number): Json[] {
  const elements: Json[] = []
  reader.at++
  if (accept(reader, ']')) return elements
  for (;;) {
    elements.push(readValue(reader, depth + 1))
    if (accept(reader, ']')) return elements
    if (!accept(reader, ',')) throw new JsonError(reader.at, '"," or "]"')
  }
}

function readString(reader: Reader): string {
  const {text, at: start} = reader
  let end = start + 1
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
  reader.at = end + 1
  try {
    return JSON.parse(text.slice(start, end + 1)) as string
  } catch {
    throw new JsonError(start, 'a string')
  }
}

/** The next character that is no white space; empty at the end. */
function next(reader: Reader): string {
  match(reader, SPACE)
  return reader.text.charAt(reader.at)
}

function accept(reader: Reader, character: string): boolean {
  if (next(reader) !== character) return false
  reader.at++
  return true
}

function match(reader: Reader, pattern: RegExp): string {
  pattern.lastIndex = reader.at
  const found = pattern.exec(reader.text)?.[0] ?? ''
  reader.at += found.length
  return found
}
