import {isUtf8} from 'node:buffer'
import type {Room} from './arena.js'
import type {RecordSpans} from './batch-writer.js'
import {sizeOfLength, writeLength} from './varint.js'

const QUOTE = 0x22
const COMMA = 0x2c
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const MINUS = 0x2d
const LOWER_H = 0x68
const LOWER_K = 0x6b
const LOWER_N = 0x6e
const LOWER_O = 0x6f
const LOWER_P = 0x70
const LOWER_T = 0x74
const LOWER_U = 0x75
const LOWER_V = 0x76

/** Of a byte within a string: 0 is plain, 1 not ASCII, 2 ends the plain part. */
const CLASS = new Uint8Array(256).fill(1, 0x80).fill(2, 0, 0x20)
CLASS[QUOTE] = 2
CLASS[BACKSLASH] = 2

/** What the letter of a two-character escape stands for, 0 where there is no such escape. */
const ESCAPES = new Uint8Array(256)
for (const [letter, meaning] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  ESCAPES[letter!.charCodeAt(0)] = meaning!.charCodeAt(0)
}

/** The names of an envelope's members as they are written, by the numbers that follow. */
const NAMES = ['topic', 'partition', 'offset', 'timestamp', 'key', 'value', 'headers'].map((name) => Buffer.from(`"${name}"`))
const [TOPIC, PARTITION, OFFSET, TIMESTAMP, KEY, VALUE, HEADERS] = [0, 1, 2, 3, 4, 5, 6] as const

/** The number of headers takes no more bytes than this. */
const COUNT_BYTES = 5

/** How many numbers' digits are exact without a look: 999,999,999,999,999. */
const EXACT_DIGITS = 15

/**
 * Reads the envelopes that nearly everybody writes without making an object for any of their parts. What it does not know for
 * certain to be an envelope, or how to read, it leaves to `readEnvelope`, which reads it the long way or tells what is wrong.
 */
export class EnvelopeScanner {
  /** The partition that the last envelope named, -1 if none. */
  partition = -1
  /** Strings without their escapes, and the encoded headers, of one line: in the spare room of the caller where it is large enough. */
  private scratch: Buffer = Buffer.alloc(0)
  private own: Buffer = this.scratch
  private used = 0
  private notAscii = 0
  /** A bit for each member. */
  private seen = 0
  /** The last string: in the line, or without its escapes in `scratch`. */
  private text: Buffer = this.scratch
  private textStart = 0
  private textEnd = 0
  private integer = 0

  /**
   * Fills `record` with the envelope `bytes[start, end)`, valid until the next call; `spare` may be written to until then. False leaves
   * the record in any state.
   */
  scan(bytes: Buffer, start: number, end: number, record: RecordSpans, spare: Room): boolean {
    // Key and value without escapes, the headers as strings, and encoded: none takes more than the line.
    const longest = 3 * (end - start) + 64
    const isEnough = longest <= spare.end - spare.start
    if (!isEnough && this.own.length < longest) this.own = Buffer.allocUnsafeSlow(longest)
    this.scratch = isEnough ? spare.bytes : this.own
    this.used = isEnough ? spare.start : 0
    this.notAscii = 0
    this.seen = 0
    this.partition = -1
    record.key = null
    record.headers = null
    record.timestamp = Number.NaN
    let at = space(bytes, start)
    if (bytes[at] !== OPEN_BRACE) return false
    do {
      at = this.member(bytes, space(bytes, at + 1), end, record)
      if (at < 0) return false
      at = space(bytes, at)
    } while (bytes[at] === COMMA)
    if (bytes[at] !== CLOSE_BRACE || at >= end) return false
    at = space(bytes, at + 1)
    if (at < end || (this.seen & (1 << VALUE)) === 0) return false
    return this.notAscii === 0 || isUtf8(bytes.subarray(start, end))
  }

  /** Reads a member's name and value; where it ends, -1 where it is not understood. */
  private member(bytes: Buffer, start: number, end: number, record: RecordSpans): number {
    const member = memberAt(bytes, start)
    if (member < 0 || (this.seen & (1 << member)) !== 0) return -1
    this.seen |= 1 << member
    let at = space(bytes, start + NAMES[member]!.length)
    if (bytes[at] !== COLON) return -1
    at = space(bytes, at + 1)
    if (member === KEY || member === VALUE) return this.keyOrValue(bytes, at, end, record, member)
    if (member === HEADERS) return this.headers(bytes, at, end, record)
    if (member === TOPIC) return bytes[at] === QUOTE ? this.string(bytes, at + 1, end) : -1
    if (member === TIMESTAMP) return this.timestamp(bytes, at, end, record)
    at = this.number(bytes, at, end)
    if (at < 0 || this.integer < 0) return -1
    if (member === PARTITION) {
      if (this.integer >= 2 ** 31) return -1
      this.partition = this.integer
    }
    return at
  }

  private keyOrValue(bytes: Buffer, start: number, end: number, record: RecordSpans, member: number): number {
    const isNull = bytes[start] === LOWER_N
    if (!isNull && bytes[start] !== QUOTE) return -1
    const at = isNull ? afterNull(bytes, start) : this.string(bytes, start + 1, end)
    if (member === KEY) {
      record.key = isNull ? null : this.text
      record.keyStart = this.textStart
      record.keyEnd = this.textEnd
    } else {
      record.value = isNull ? null : this.text
      record.valueStart = this.textStart
      record.valueEnd = this.textEnd
    }
    return at
  }

  /** Encodes `[["name","value"],…]` as a record carries it. */
  private headers(bytes: Buffer, start: number, end: number, record: RecordSpans): number {
    if (bytes[start] !== OPEN_BRACKET) return -1
    let at = space(bytes, start + 1)
    if (bytes[at] === CLOSE_BRACKET) return at + 1
    // Strings with escapes are put into `scratch` too, behind the room that the headers may take at most.
    const block = this.used + COUNT_BYTES
    let written = block
    this.used = block + (end - start)
    let count = 0
    for (;;) {
      if (bytes[at] !== OPEN_BRACKET) return -1
      at = space(bytes, at + 1)
      if (bytes[at] !== QUOTE) return -1
      at = this.string(bytes, at + 1, end)
      if (at < 0) return -1
      written = this.writeText(written)
      at = space(bytes, at)
      if (bytes[at] !== COMMA) return -1
      at = space(bytes, at + 1)
      if (bytes[at] === LOWER_N) {
        at = afterNull(bytes, at)
        this.scratch[written++] = 1
      } else {
        if (bytes[at] !== QUOTE) return -1
        at = this.string(bytes, at + 1, end)
        written = this.writeText(written)
      }
      if (at < 0) return -1
      count++
      at = space(bytes, at)
      if (bytes[at] !== CLOSE_BRACKET) return -1
      at = space(bytes, at + 1)
      if (bytes[at] === CLOSE_BRACKET) break
      if (bytes[at] !== COMMA) return -1
      at = space(bytes, at + 1)
    }
    record.headers = this.scratch
    record.headersStart = block - sizeOfLength(count)
    writeLength(this.scratch, count, record.headersStart)
    record.headersEnd = written
    return at + 1
  }

  private writeText(at: number): number {
    const {scratch, text, textStart, textEnd} = this
    const start = writeLength(scratch, textEnd - textStart, at)
    for (let from = textStart, to = start; from < textEnd; from++, to++) scratch[to] = text[from]!
    return start + textEnd - textStart
  }

  /** Reads the string whose first byte is at `start`; returns where it ends, behind its quote. */
  private string(bytes: Buffer, start: number, end: number): number {
    let at = start
    let notAscii = 0
    // The byte behind a line is a newline, or else the check below finds that the string has run over the end.
    for (let kind = CLASS[bytes[at]!]!; kind < 2; kind = CLASS[bytes[++at]!]!) notAscii |= kind
    this.notAscii |= notAscii
    if (at >= end) return -1
    if (bytes[at] === BACKSLASH) return this.escaped(bytes, start, at, end)
    if (bytes[at] !== QUOTE) return -1
    this.text = bytes
    this.textStart = start
    this.textEnd = at
    return at + 1
  }

  /** The same for a string whose first escape is at `at`. */
  private escaped(bytes: Buffer, start: number, at: number, end: number): number {
    const {scratch} = this
    let written = this.used
    let seen = 0
    this.textStart = written
    for (let from = start; from < at; from++) scratch[written++] = bytes[from]!
    // What is behind the line is not looked at: it might hold no end, and there is room for the line only.
    while (at < end) {
      let byte = bytes[at]!
      if (byte === BACKSLASH) {
        const letter = bytes[at + 1]!
        at += 2
        byte = ESCAPES[letter]!
        if (byte === 0) {
          if (letter !== LOWER_U) return -1
          const unit = hexUnit(bytes, at)
          // Half of a surrogate pair: a matter for the long way.
          if (unit < 0 || (unit >= 0xd800 && unit < 0xe000)) return -1
          written = writeUtf8(scratch, unit, written)
          at += 4
          continue
        }
      } else {
        if (byte === QUOTE) break
        if (byte < 0x20) return -1
        seen |= byte
        at++
      }
      scratch[written++] = byte
    }
    this.notAscii |= seen & 0x80
    if (at >= end) return -1
    this.text = scratch
    this.textEnd = written
    this.used = written
    return at + 1
  }

  /** Reads a whole number of few digits into `integer`. */
  private number(bytes: Buffer, start: number, end: number): number {
    const negative = bytes[start] === MINUS
    const first = negative ? start + 1 : start
    let at = first
    let value = 0
    for (let byte = bytes[at]!; byte >= ZERO && byte <= NINE; byte = bytes[++at]!) value = value * 10 + byte - ZERO
    const digits = at - first
    if (at >= end || digits === 0 || digits > EXACT_DIGITS || (digits > 1 && bytes[first] === ZERO)) return -1
    // A fraction or an exponent would follow.
    if (bytes[at] !== COMMA && bytes[at] !== CLOSE_BRACE && bytes[at]! > 0x20) return -1
    this.integer = negative ? 0 - value : value
    return at
  }

  private timestamp(bytes: Buffer, start: number, end: number, record: RecordSpans): number {
    if (bytes[start] !== QUOTE) {
      const at = this.number(bytes, start, end)
      record.timestamp = this.integer + 0
      return at
    }
    const time = isoTime(bytes, start + 1)
    if (Number.isNaN(time) || bytes[start + 25] !== QUOTE || start + 25 >= end) return -1
    record.timestamp = time
    return start + 26
  }
}

/** The member whose name, quotes included, is at `at`, -1 if none's is. */
function memberAt(bytes: Buffer, at: number): number {
  const member = memberBy(bytes[at + 1]!, bytes[at + 2]!)
  if (member < 0) return -1
  const name = NAMES[member]!
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return -1
  return member
}

/** The only one whose name can begin with these two letters. */
function memberBy(first: number, second: number): number {
  switch (first) {
    case LOWER_K:
      return KEY
    case LOWER_V:
      return VALUE
    case LOWER_H:
      return HEADERS
    case LOWER_P:
      return PARTITION
    case LOWER_O:
      return OFFSET
    case LOWER_T:
      return second === LOWER_O ? TOPIC : TIMESTAMP
    default:
      return -1
  }
}

/** The next byte from `at` on that is no white space. */
function space(bytes: Buffer, at: number): number {
  for (let byte = bytes[at]!; byte <= 0x20 && (byte === 0x20 || byte === 0x09 || byte === 0x0d); byte = bytes[at]!) at++
  return at
}

function is(bytes: Buffer, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name.charCodeAt(i)) return false
  return true
}

const afterNull = (bytes: Buffer, at: number): number => (is(bytes, at, 'null') ? at + 4 : -1)

function hexUnit(bytes: Buffer, at: number): number {
  let unit = 0
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + i]! | 0x20
    const digit = byte >= ZERO && byte <= NINE ? byte - ZERO : byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1
    if (digit < 0 || bytes[at + i]! < ZERO) return -1
    unit = unit * 16 + digit
  }
  return unit
}

function writeUtf8(target: Buffer, unit: number, at: number): number {
  if (unit < 0x80) target[at++] = unit
  else if (unit < 0x800) {
    target[at++] = 0xc0 | (unit >>> 6)
    target[at++] = 0x80 | (unit & 0x3f)
  } else {
    target[at++] = 0xe0 | (unit >>> 12)
    target[at++] = 0x80 | ((unit >>> 6) & 0x3f)
    target[at++] = 0x80 | (unit & 0x3f)
  }
  return at
}

/** Epoch milliseconds of the 24 bytes `2026-11-20T10:00:00.123Z` at `at`, NaN for anything else. */
function isoTime(bytes: Buffer, at: number): number {
  if (!(bytes[at + 4] === MINUS && bytes[at + 7] === MINUS && bytes[at + 10] === 0x54 && bytes[at + 13] === COLON))
    return Number.NaN
  if (!(bytes[at + 16] === COLON && bytes[at + 19] === 0x2e && bytes[at + 23] === 0x5a)) return Number.NaN
  const year = digits(bytes, at, 4)
  const month = digits(bytes, at + 5, 2)
  const day = digits(bytes, at + 8, 2)
  const hour = digits(bytes, at + 11, 2)
  const minute = digits(bytes, at + 14, 2)
  const second = digits(bytes, at + 17, 2)
  const millisecond = digits(bytes, at + 20, 3)
  // Days that not every month has are left to the long way; NaN fails every comparison.
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= 28)) return Number.NaN
  if (!(hour <= 23 && minute <= 59 && second <= 59 && millisecond <= 999)) return Number.NaN
  return (((daysTo(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + millisecond
}

function digits(bytes: Buffer, at: number, count: number): number {
  let value = 0
  for (let i = 0; i < count; i++) {
    const byte = bytes[at + i]!
    if (!(byte >= ZERO && byte <= NINE)) return Number.NaN
    value = value * 10 + byte - ZERO
  }
  return value
}

/** Days from 1970-01-01, in the Gregorian calendar: years begin in March here, so that a leap day is their last. */
function daysTo(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}
