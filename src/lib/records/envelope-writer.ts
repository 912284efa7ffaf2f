import {isUtf8} from 'node:buffer'

import type {ByteWriter} from './byte-writer.js'
import {timestampJson} from './envelope.js'
import {escapeUnsafe} from './json-line.js'
import {type RecordBounds, readHeaders} from './record.js'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const LETTER_U = 0x75
const HEX = Buffer.from('0123456789abcdef')

/** What JSON writes behind a backslash for an ASCII character: a letter, `u` for four hexadecimal digits, 0 for nothing. */
const ESCAPES = new Uint8Array(0x80)
ESCAPES.fill(LETTER_U, 0, 0x20)
for (const [character, letter] of Object.entries({'\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r', '"': '"', '\\': '\\'}))
  ESCAPES[character.charCodeAt(0)] = letter.charCodeAt(0)
ESCAPES[0x7f] = LETTER_U

/** Of one byte as `\u00xx`. */
const LONGEST_ESCAPE = 6

// In as few pieces as may be: each is a call for each record.
const TIMESTAMP = ',"timestamp":'
const KEY = Buffer.from(',"key":')
const VALUE = Buffer.from(',"value":')
const NO_KEY_VALUE = Buffer.from(',"key":null,"value":')
const HEADERS = Buffer.from(',"headers":[')
const NO_HEADERS = Buffer.from(',"headers":[]}')
const NULL = Buffer.from('null')
const END = Buffer.from(']}')

/** Writes one JSON value of the record's bytes `[start, end)`; a start of -1 is null. */
export type WriteBytes = (out: ByteWriter, section: Buffer, start: number, end: number) => void

/**
 * Writes records of `topic` as `writeEnvelope` does, byte for byte, but from the records section of a batch and without an object
 * for each. `writeValue` may write the value in another way.
 */
export function envelopeWriter(
  topic: string,
  writeValue: WriteBytes = writeJsonBytes,
): (out: ByteWriter, section: Buffer, bounds: RecordBounds, partition: number) => void {
  const starts: Buffer[] = []
  const startOf = (partition: number): Buffer => {
    starts[partition] ??= Buffer.from(escapeUnsafe(`{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":`))
    return starts[partition]
  }
  const writeTimestamp = timestampWriter()
  return (out, section, bounds, partition) => {
    out.all(startOf(partition))
    out.integer(bounds.offset)
    writeTimestamp(out, bounds.timestamp)
    if (bounds.keyStart < 0) out.all(NO_KEY_VALUE)
    else {
      out.all(KEY)
      writeJsonBytes(out, section, bounds.keyStart, bounds.keyEnd)
      out.all(VALUE)
    }
    writeValue(out, section, bounds.valueStart, bounds.valueEnd)
    // A count of 0 is one byte, and what most records have.
    if (section[bounds.headersStart] === 0) out.all(NO_HEADERS)
    else writeHeaders(out, section, bounds)
  }
}

function writeHeaders(out: ByteWriter, section: Buffer, bounds: RecordBounds): void {
  out.all(HEADERS)
  let separator = '['
  for (const {key, value} of readHeaders(section, bounds)) {
    out.text(separator)
    writeJsonBytes(out, key, 0, key.length)
    out.text(',')
    writeJsonBytes(out, value ?? key, value ? 0 : -1, value ? value.length : -1)
    out.text(']')
    separator = ',['
  }
  out.all(END)
}

/** The member with its comma. Neighbours have their second in common, which is then formatted once. */
function timestampWriter(): (out: ByteWriter, timestamp: number) => void {
  let second = Number.NaN
  let prefix = Buffer.alloc(0)
  return (out, timestamp) => {
    const ofSecond = Math.floor(timestamp / 1000)
    if (ofSecond !== second) {
      const json = timestampJson(ofSecond * 1000)
      if (!json.startsWith('"')) {
        out.text(TIMESTAMP)
        out.integer(timestamp)
        return
      }
      second = ofSecond
      prefix = Buffer.from(`${TIMESTAMP}${json.slice(0, -'000Z"'.length)}`)
    }
    out.all(prefix)
    const milliseconds = timestamp - second * 1000
    out.reserve(5)
    const {bytes} = out
    bytes[out.at++] = 0x30 + Math.floor(milliseconds / 100)
    bytes[out.at++] = 0x30 + (Math.floor(milliseconds / 10) % 10)
    bytes[out.at++] = 0x30 + (milliseconds % 10)
    bytes[out.at++] = 0x5a
    bytes[out.at++] = QUOTE
  }
}

/**
 * Writes `source[start, end)` as the JSON string of an envelope, or as `{"base64":"…"}` when it is not UTF-8, or as null when
 * `start` is -1.
 */
export function writeJsonBytes(out: ByteWriter, source: Buffer, start: number, end: number): void {
  if (start < 0) {
    out.all(NULL)
    return
  }
  out.reserve((end - start) * LONGEST_ESCAPE + 2)
  const {bytes} = out
  let {at} = out
  bytes[at++] = QUOTE
  for (let i = start; i < end; i++) {
    const byte = source[i]!
    // What is beyond ASCII is checked as a whole first, and then written the other way.
    if (byte >= 0x80) {
      writeBeyondAscii(out, source.subarray(start, end))
      return
    }
    if (ESCAPES[byte] === 0) bytes[at++] = byte
    else at = writeEscape(bytes, byte, at)
  }
  bytes[at++] = QUOTE
  out.at = at
}

function writeBeyondAscii(out: ByteWriter, source: Buffer): void {
  if (!isUtf8(source)) {
    out.text(`{"base64":"${source.toString('base64')}"}`)
    return
  }
  const {bytes} = out
  let {at} = out
  bytes[at++] = QUOTE
  for (let i = 0; i < source.length; i++) {
    const byte = source[i]!
    const code = byte < 0x80 ? 0 : unsafeCode(source, i)
    if (code > 0) {
      at = writeCode(bytes, code, at)
      i += code < 0x800 ? 1 : 2
    } else if (byte < 0x80 && ESCAPES[byte] !== 0) at = writeEscape(bytes, byte, at)
    else bytes[at++] = byte
  }
  bytes[at++] = QUOTE
  out.at = at
}

/** The character that begins at `at`, if it is one of those that `escapeUnsafe` escapes; else 0. */
function unsafeCode(source: Buffer, at: number): number {
  const byte = source[at]!
  if (byte === 0xc2 && source[at + 1]! < 0xa0) return source[at + 1]!
  if (byte === 0xe2 && source[at + 1] === 0x80 && (source[at + 2]! & 0xfe) === 0xa8) return 0x2000 | (source[at + 2]! & 0x3f)
  return byte === 0xef && source[at + 1] === 0xbb && source[at + 2] === 0xbf ? 0xfeff : 0
}

function writeEscape(bytes: Buffer, byte: number, at: number): number {
  const letter = ESCAPES[byte]!
  if (letter === LETTER_U) return writeCode(bytes, byte, at)
  bytes[at] = BACKSLASH
  bytes[at + 1] = letter
  return at + 2
}

/** `\u` and four hexadecimal digits. */
function writeCode(bytes: Buffer, code: number, at: number): number {
  bytes[at] = BACKSLASH
  bytes[at + 1] = LETTER_U
  bytes[at + 2] = HEX[code >> 12]!
  bytes[at + 3] = HEX[(code >> 8) & 15]!
  bytes[at + 4] = HEX[(code >> 4) & 15]!
  bytes[at + 5] = HEX[code & 15]!
  return at + 6
}
