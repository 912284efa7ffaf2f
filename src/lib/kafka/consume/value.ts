import {isUtf8} from 'node:buffer'

import type {ByteWriter} from '../../records/byte-writer.js'
import type {WriteBytes} from '../../records/envelope-writer.js'
import {escapeUnsafe} from '../../records/json-line.js'

/** How a value is shown: as it is, as JSON on one line where it is JSON, or its bytes in hexadecimal or base64. */
export const VALUE_KINDS = ['string', 'json', 'hex', 'base64'] as const
export type ValueKind = (typeof VALUE_KINDS)[number]

/** Writes a value between other text; nothing for a tombstone. */
export function textValue(kind: ValueKind): WriteBytes {
  return (out, section, start, end) => {
    if (start < 0) return
    const text = otherText(kind, section, start, end)
    if (text === null) out.part(section, start, end)
    else out.text(text)
  }
}

/**
 * Writes a value inside of an envelope, null for a tombstone; `write` is the envelope's own way. Of these `string` and `base64` are
 * what `readEnvelope` reads.
 */
export function jsonValue(kind: ValueKind, write: WriteBytes): WriteBytes {
  return (out: ByteWriter, section, start, end) => {
    const text = start < 0 ? null : otherText(kind, section, start, end)
    if (text === null) write(out, section, start, end)
    else if (kind === 'json') out.text(text)
    else out.text(kind === 'hex' ? `"${text}"` : `{"base64":"${text}"}`)
  }
}

/** Null where the bytes are to stay as they are. */
function otherText(kind: ValueKind, section: Buffer, start: number, end: number): string | null {
  if (kind === 'string') return null
  if (kind !== 'json') return section.toString(kind, start, end)
  return jsonLine(section.subarray(start, end))
}

const BETWEEN_TOKENS = /("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g

/** The same JSON without white space between its tokens: numbers keep their digits, members their order. Null for what is no JSON. */
function jsonLine(bytes: Buffer): string | null {
  if (!isUtf8(bytes)) return null
  const text = bytes.toString()
  try {
    JSON.parse(text)
  } catch {
    return null
  }
  return escapeUnsafe(text.replace(BETWEEN_TOKENS, '$1'))
}
