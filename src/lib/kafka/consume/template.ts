import {SkkError} from '../../errors.js'
import type {ByteWriter} from '../../records/byte-writer.js'
import {type RecordBounds, readHeaders} from '../../records/record.js'
import type {RecordFormat} from './format.js'
import {textValue, type ValueKind} from './value.js'

type Write = RecordFormat['write']

/** Every letter after `%`, those of kcat (format.c) and `%D`. */
const WRITERS: Readonly<Record<string, (topic: Buffer, kind: ValueKind) => Write>> = {
  t: (topic) => (out) => out.all(topic),
  p: () => (out, _section, _bounds, partition) => out.integer(partition),
  o:
    () =>
    (out, _section, {offset}) =>
      out.integer(offset),
  k:
    () =>
    (out, section, {keyStart, keyEnd}) => {
      if (keyStart >= 0) out.part(section, keyStart, keyEnd)
    },
  s: (_topic, kind) => {
    const write = textValue(kind)
    return (out, section, {valueStart, valueEnd}) => write(out, section, valueStart, valueEnd)
  },
  h: () => writeHeaders,
  T:
    () =>
    (out, _section, {timestamp}) =>
      out.integer(timestamp),
  D:
    () =>
    (out, _section, {timestamp}) =>
      out.text(isoTime(timestamp)),
  S: () => (out, _section, bounds) => out.integer(valueLength(bounds)),
  K:
    () =>
    (out, _section, {keyStart, keyEnd}) =>
      out.integer(keyStart < 0 ? -1 : keyEnd - keyStart),
  R: () => (out, _section, bounds) => {
    out.reserve(4)
    out.at = out.bytes.writeInt32BE(valueLength(bounds), out.at)
  },
}

/**
 * How records are written after a template of kcat's: `%t` topic, `%p` partition, `%o` offset, `%k` key, `%s` value, `%h` headers,
 * `%T` time in milliseconds, `%D` in ISO 8601, `%S` and `%K` lengths of value and key (-1 for null), `%R` the value's length in four
 * bytes, big-endian, `%%`; escapes as in `unescaped`. Nothing is added at the end. Throws SkkError (usage).
 */
export function template(text: string, topic: string, kind: ValueKind): RecordFormat {
  const name = Buffer.from(topic)
  const writers = pieces(text).map((piece): Write => {
    if (piece.literal !== undefined) {
      const bytes = unescaped(piece.literal)
      return (out) => out.all(bytes)
    }
    return WRITERS[piece.letter]!(name, kind)
  })
  return {
    write(out, section, bounds, partition) {
      for (const write of writers) write(out, section, bounds, partition)
    },
  }
}

type Piece = {literal: string; letter?: never} | {literal?: never; letter: string}

function pieces(text: string): Piece[] {
  return [...text.matchAll(/%(.?)|[^%]+/gsu)].map(([whole, letter]): Piece => {
    if (letter === undefined) return {literal: whole}
    if (letter === '%') return {literal: '%'}
    if (Object.hasOwn(WRITERS, letter)) return {letter}
    throw new SkkError(letter === '' ? 'the template ends with "%"' : `the template has "%${letter}"`, {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Write %t %p %o %k %s %h %T %D %S %K or %R, and %% for the sign itself.',
    })
  })
}

const ESCAPED: Readonly<Record<string, string>> = {t: '\t', n: '\n', r: '\r', '0': '\0'}

/** The bytes of a text with `\t`, `\n`, `\r`, `\0` and `\xHH`; any other character behind a backslash is itself. */
export function unescaped(text: string): Buffer {
  const parts = [...text.matchAll(/\\x([0-9a-fA-F]{1,2})|\\(.)|\\|[^\\]+/gsu)]
  return Buffer.concat(
    parts.map(([whole, hex, character]) => {
      if (hex !== undefined) return Buffer.from([Number.parseInt(hex, 16)])
      return Buffer.from(character === undefined ? whole : (ESCAPED[character] ?? character))
    }),
  )
}

const valueLength = ({valueStart, valueEnd}: RecordBounds): number => (valueStart < 0 ? -1 : valueEnd - valueStart)

/** ISO 8601, or the number where JavaScript's dates end. */
export function isoTime(timestamp: number): string {
  const date = new Date(timestamp)
  return Number.isNaN(date.getTime()) ? String(timestamp) : date.toISOString()
}

/** `name=value,name=value`, NULL for null, as kcat does. */
function writeHeaders(out: ByteWriter, section: Buffer, bounds: RecordBounds): void {
  let separator = ''
  for (const {key, value} of readHeaders(section, bounds)) {
    out.text(separator)
    out.all(key)
    out.text('=')
    if (value) out.all(value)
    else out.text('NULL')
    separator = ','
  }
}
