import {ByteWriter} from '../../records/byte-writer.js'
import {envelopeWriter, writeJsonBytes} from '../../records/envelope-writer.js'
import {escapeUnsafe} from '../../records/json-line.js'
import type {RecordBounds} from '../../records/record.js'
import {jsonValue, textValue, type ValueKind} from './value.js'

/** How records are written, each with its end. The bounds are good for the call only. */
export type RecordFormat = {
  /** What stands before the first record. */
  head?: string
  write(out: ByteWriter, section: Buffer, bounds: RecordBounds, partition: number): void
  /**
   * The same, written into the section at `at`, before the record itself; returns where it ends. Only for what is never longer than
   * the record, and much faster: moving bytes inside of a buffer makes no object.
   */
  compact?(section: Buffer, at: number, bounds: RecordBounds): number
}

/** What a record takes at least beside its value: that much a delimiter may have in its place. */
const FRAME_BYTES = 7

/** The value and then the delimiter; only that for a tombstone. */
export function values(kind: ValueKind, delimiter: Buffer): RecordFormat {
  const writeValue = textValue(kind)
  const write: RecordFormat['write'] = (out, section, {valueStart, valueEnd}) => {
    writeValue(out, section, valueStart, valueEnd)
    out.all(delimiter)
  }
  return kind === 'string' && delimiter.length <= FRAME_BYTES ? {write, compact: compactor(delimiter)} : {write}
}

const compactor =
  (delimiter: Buffer): NonNullable<RecordFormat['compact']> =>
  (section, at, {valueStart, valueEnd}) => {
    if (valueStart >= 0) {
      section.copyWithin(at, valueStart, valueEnd)
      at += valueEnd - valueStart
    }
    for (let i = 0; i < delimiter.length; i++) section[at++] = delimiter[i]!
    return at
  }

/** The envelope on a line. With values as `string` or `base64` it is what `produce --format records` reads back. */
export function envelopes(topic: string, kind: ValueKind): RecordFormat {
  const write = kind === 'string' ? envelopeWriter(topic) : envelopeWriter(topic, jsonValue(kind, writeJsonBytes))
  return {
    write(out, section, bounds, partition) {
      write(out, section, bounds, partition)
      out.text('\n')
    },
  }
}

/** What `query` makes of the envelope's JSON, on a line. */
export function queried(format: RecordFormat, query: (value: unknown) => unknown): RecordFormat {
  return rewritten(format, (text) => `${escapeUnsafe(JSON.stringify(query(JSON.parse(text))) ?? 'null')}\n`)
}

/** The text of each record made into another one, such as what is harmless on a terminal. */
export function rewritten({head, write}: RecordFormat, rewrite: (text: string) => string): RecordFormat {
  const scratch = new ByteWriter()
  return {
    ...(head !== undefined && {head}),
    write(out, ...record) {
      scratch.clear()
      write(scratch, ...record)
      out.text(rewrite(scratch.written().toString()))
    },
  }
}
