/** A line that is no envelope. The message tells what is wrong and at which column, counted from 1. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError'
}

/** A place in a line of JSON that reading moves on. */
export type JsonLine = {readonly bytes: Buffer; at: number}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** How much of a name or value from a line an error message repeats. */
const SHOWN_LENGTH = 60

/** What JSON allows raw but a terminal or a reader of lines would act on, or nobody would see. */
const UNSAFE = /[\u007f-\u009f\u2028\u2029\ufeff]/g

/** `json` with what might end a line or control a terminal written as escapes: still the same JSON. */
export function escapeUnsafe(json: string): string {
  return json.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** `text` in double quotes for an error message, shortened. */
export function quoted(text: string): string {
  return escapeUnsafe(JSON.stringify(text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text))
}

/** An error at byte `at` of the line. */
export function errorAt({bytes}: JsonLine, at: number, what: string): EnvelopeError {
  return new EnvelopeError(`${what} at column ${bytes.toString('utf8', 0, at).length + 1}`)
}

/** The next byte that is no white space, or -1 at the end. */
export function peek(line: JsonLine): number {
  for (; line.at < line.bytes.length; line.at++) {
    const byte = line.bytes[line.at]!
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && byte !== 0x0a) return byte
  }
  return -1
}

/** Goes on behind `character` if it is what comes next. */
export function accept(line: JsonLine, character: string): boolean {
  if (peek(line) !== character.charCodeAt(0)) return false
  line.at++
  return true
}

/** Goes on behind `character`, which has to come next. */
export function expectCharacter(line: JsonLine, character: string): void {
  if (!accept(line, character)) throw unexpected(line, `"${character}"`)
}

/** An error that tells what comes next instead of `wanted`. */
export function unexpected(line: JsonLine, wanted: string): EnvelopeError {
  if (peek(line) < 0) return errorAt(line, line.at, `the line ends where ${wanted} is expected`)
  const found = line.bytes.toString('utf8', line.at, line.at + 4 * SHOWN_LENGTH)
  return errorAt(line, line.at, `expected ${wanted}, found ${quoted(String.fromCodePoint(found.codePointAt(0)!))}`)
}

/** Goes on behind `null` if that comes next. */
export function acceptNull(line: JsonLine): boolean {
  if (peek(line) !== 0x6e) return false
  if (line.bytes.toString('latin1', line.at, line.at + 4) !== 'null') throw unexpected(line, 'null')
  line.at += 4
  return true
}

/**
 * The UTF-8 bytes of the string that comes next: a view of the line if the string has no escapes. The line has to be
 * valid UTF-8. A lone surrogate, which only an escape can make, has no UTF-8 and is an error.
 */
export function readString(line: JsonLine, wanted = 'a string'): Buffer {
  if (peek(line) !== QUOTE) throw unexpected(line, wanted)
  const {bytes} = line
  const start = line.at
  let escaped = false
  let at = start + 1
  for (; bytes[at] !== QUOTE; at++) {
    if (at >= bytes.length) throw errorAt(line, start, 'a string without an end')
    if (bytes[at]! < 0x20) throw errorAt(line, at, 'a raw control character')
    if (bytes[at] === BACKSLASH) {
      escaped = true
      at++
    }
  }
  line.at = at + 1
  return escaped ? unescaped(line, start) : bytes.subarray(start + 1, at)
}

function unescaped(line: JsonLine, start: number): Buffer {
  let text: string
  try {
    text = JSON.parse(line.bytes.toString('utf8', start, line.at))
  } catch {
    throw errorAt(line, start, 'a string with an invalid escape')
  }
  if (/\p{Surrogate}/u.test(text)) throw errorAt(line, start, 'a string with half of a surrogate pair')
  return Buffer.from(text)
}

/** The whole number that comes next, from `min` to `max`. Fractions and exponents are refused, even those of whole numbers. */
export function readInteger(line: JsonLine, min: number, max: number): number {
  peek(line)
  const start = line.at
  const [token] = /^-?[0-9.eE+-]*/.exec(line.bytes.toString('latin1', start, start + 40))!
  const value = Number(token)
  if (!/^-?(0|[1-9][0-9]*)$/.test(token) || value < min || value > max) {
    throw errorAt(line, start, `expected a whole number from ${min} to ${max}`)
  }
  line.at = start + token.length
  return value + 0
}
