import type {ByteWriter} from '../../records/byte-writer.js'
import {envelopeWriter} from '../../records/envelope-writer.js'
import type {RecordBounds} from '../../records/record.js'

/** How records are written, each with its end. The bounds are good for the call only. */
export type RecordFormat = {
  write(out: ByteWriter, section: Buffer, bounds: RecordBounds, partition: number): void
  /**
   * The same, written into the section at `at`, before the record itself; returns where it ends. Only for what is never longer than
   * the record, and much faster: moving bytes inside of a buffer makes no object.
   */
  compact?(section: Buffer, at: number, bounds: RecordBounds): number
}

const NEWLINE = 0x0a

/** The value, byte for byte; nothing for a tombstone. */
export const rawValue: RecordFormat = {
  write(out, section, {valueStart, valueEnd}) {
    if (valueStart >= 0) out.part(section, valueStart, valueEnd)
    out.byte(NEWLINE)
  },
  compact(section, at, {valueStart, valueEnd}) {
    if (valueStart >= 0) {
      section.copyWithin(at, valueStart, valueEnd)
      at += valueEnd - valueStart
    }
    section[at] = NEWLINE
    return at + 1
  },
}

/** The value as harmless text, for a terminal. */
export const shownValue = (sanitize: (text: string) => string): RecordFormat => ({
  write(out, section, {valueStart, valueEnd}) {
    if (valueStart >= 0) out.text(sanitize(section.toString('utf8', valueStart, valueEnd)))
    out.byte(NEWLINE)
  },
})

/** The envelope, which `produce --format records` reads back. */
export function envelope(topic: string): RecordFormat {
  const write = envelopeWriter(topic)
  return {
    write(out, section, bounds, partition) {
      write(out, section, bounds, partition)
      out.byte(NEWLINE)
    },
  }
}
