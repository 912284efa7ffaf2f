import type {Source} from './input.js'
import type {PlacedRecord} from './placed-record.js'
import {BadLineError, type Portion, type ReadEvents, type ReadInputs} from './portion.js'
import {openReader, type Reader} from './reader.js'

const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d

const READ_BYTES = 512 * 1024
const MAX_LINE_BYTES = 64 * 1024 * 1024

/** Reads the line `bytes[start, end)`, which has no newline, into `record`. Throws BadLineError. */
export type ParseLine = (bytes: Buffer, start: number, end: number, record: PlacedRecord) => void

/**
 * Reads inputs line by line, cut at 0x0A and nowhere else: node:readline would replace what is not UTF-8, and cut at a lone CR
 * and (Node 24) at U+2028. What follows the last newline is a line too, if it is not empty.
 */
export function linesOf(parse: ParseLine, maxLineBytes = MAX_LINE_BYTES): ReadInputs {
  return async function* readLines(inputs, events, signal) {
    const portion = new LinePortion(parse, events, maxLineBytes)
    let before = 0
    for (const source of inputs) {
      const reader = await openReader(source, signal)
      portion.source = source
      try {
        for await (const bytesRead of regions(reader, portion)) {
          portion.bytesRead = before + bytesRead
          yield portion
        }
      } finally {
        await reader.close()
      }
      before += reader.consumed()
    }
  }
}

/** Points `portion` at one piece of the input after the other, each of whole lines. */
async function* regions(reader: Reader, portion: LinePortion): AsyncGenerator<number> {
  let buffer: Buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  let used = 0
  let offset = 0
  portion.begin()
  for (;;) {
    if (used > portion.maxLineBytes) {
      portion.refuse(offset)
      yield reader.consumed()
      return
    }
    if (used === buffer.length) buffer = grown(buffer)
    const read = await reader.read(buffer, used)
    const end = read === 0 ? used : lastNewline(buffer, used, used + read) + 1
    used += read
    if (end > 0) {
      portion.set(buffer, end, offset)
      yield reader.consumed()
      buffer.copyWithin(0, end, used)
      used -= end
      offset += end
    }
    if (read === 0) return
  }
}

/** The last newline in what was just read: before it there is none that is not followed by one. -1 if there is none. */
function lastNewline(buffer: Buffer, from: number, to: number): number {
  const at = buffer.lastIndexOf(NEWLINE, to - 1)
  return at < from ? -1 : at
}

function grown(buffer: Buffer): Buffer {
  const larger = Buffer.allocUnsafeSlow(buffer.length * 2)
  buffer.copy(larger)
  return larger
}

/** The lines of `bytes[0, end)`. */
class LinePortion implements Portion {
  source!: Source
  readonly firstLine = 1
  bytesRead = 0
  readonly maxLineBytes: number
  private readonly parse: ParseLine
  private readonly events: ReadEvents
  private bytes: Buffer = Buffer.alloc(0)
  private end = 0
  private at = 0
  private lineStart = 0
  private lineEnd = 0
  private base = 0
  private sawCarriageReturn = false
  private refusal: BadLineError | null = null

  constructor(parse: ParseLine, events: ReadEvents, maxLineBytes: number) {
    this.parse = parse
    this.events = events
    this.maxLineBytes = maxLineBytes
  }

  /** Another input begins. */
  begin(): void {
    this.sawCarriageReturn = false
  }

  set(bytes: Buffer, end: number, base: number): void {
    this.bytes = bytes
    this.end = end
    this.base = base
    this.at = 0
  }

  /** The line at `base` is too long to be held, and so what follows it is not known. */
  refuse(base: number): void {
    this.set(this.bytes, 0, base)
    this.lineStart = 0
    this.lineEnd = 0
    this.refusal = new BadLineError(`the line is longer than ${this.maxLineBytes} bytes`, {ends: true})
  }

  next(record: PlacedRecord): boolean {
    const {bytes, end, at: start} = this
    if (start >= end) return this.throwRefusal()
    let at = bytes.indexOf(NEWLINE, start)
    if (at < 0 || at > end) at = end
    else if (!this.sawCarriageReturn && at > start && bytes[at - 1] === CARRIAGE_RETURN) this.tellCarriageReturn()
    this.lineStart = start
    this.lineEnd = at
    this.at = at + 1
    if (at - start > this.maxLineBytes) throw new BadLineError(`the line is longer than ${this.maxLineBytes} bytes`)
    this.parse(bytes, start, at, record)
    return true
  }

  offset(): number {
    return this.base + this.lineStart
  }

  raw(): Buffer {
    return this.bytes.subarray(this.lineStart, this.lineEnd)
  }

  private tellCarriageReturn(): void {
    this.sawCarriageReturn = true
    this.events.onCarriageReturn(this.source)
  }

  private throwRefusal(): false {
    const {refusal} = this
    this.refusal = null
    if (refusal) throw refusal
    return false
  }
}
