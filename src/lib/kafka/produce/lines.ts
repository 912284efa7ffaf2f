import {type Arena, elsewhere, type Room} from '../../records/arena.js'
import type {Source} from './input.js'
import type {PlacedRecord} from './placed-record.js'
import {BadLineError, type Portion, type ReadEvents, type ReadInputs} from './portion.js'
import {openReader, type Reader} from './reader.js'

const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d

const MAX_LINE_BYTES = 64 * 1024 * 1024

/**
 * Reads the line `bytes[start, end)`, which has no newline, into `record`. What it makes of it may be put into `spare`, until the next
 * line. Throws BadLineError.
 */
export type ParseLine = (bytes: Buffer, start: number, end: number, record: PlacedRecord, spare: Room) => void

/**
 * Reads inputs line by line, cut at 0x0A and nowhere else: node:readline would replace what is not UTF-8, and cut at a lone CR
 * and (Node 24) at U+2028. What follows the last newline is a line too, if it is not empty.
 */
export function linesOf(parse: ParseLine, maxLineBytes = MAX_LINE_BYTES): ReadInputs {
  return async function* readLines(inputs, events, signal, arena) {
    const portion = new LinePortion(parse, events, arena.spare, maxLineBytes)
    let before = 0
    for (const source of inputs) {
      const reader = await openReader(source, signal)
      portion.source = source
      try {
        for await (const bytesRead of regions(reader, portion, arena)) {
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
async function* regions(reader: Reader, portion: LinePortion, {input}: Arena): AsyncGenerator<number> {
  let room = input
  let buffer = viewOf(room)
  let used = 0
  let offset = 0
  portion.begin()
  for (;;) {
    if (used > portion.maxLineBytes) {
      portion.refuse(offset)
      yield reader.consumed()
      return
    }
    if (used === buffer.length) {
      room = elsewhere(2 * used)
      buffer.copy(room.bytes)
      buffer = viewOf(room)
    }
    const read = await reader.read(buffer, used)
    const end = read === 0 ? used : lastNewline(buffer, used, used + read) + 1
    used += read
    if (end > 0) {
      portion.set(room, end, offset)
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

const viewOf = ({bytes, start, end}: Room): Buffer => bytes.subarray(start, end)

/** The lines at the beginning of a room. */
class LinePortion implements Portion {
  source!: Source
  readonly firstLine = 1
  bytesRead = 0
  readonly maxLineBytes: number
  private readonly parse: ParseLine
  private readonly events: ReadEvents
  private readonly spare: Room
  private bytes: Buffer = Buffer.alloc(0)
  private end = 0
  private at = 0
  private lineStart = 0
  private lineEnd = 0
  /** What a place in `bytes` has to be moved by to be one in the input. */
  private shift = 0
  private sawCarriageReturn = false
  private refusal: BadLineError | null = null

  constructor(parse: ParseLine, events: ReadEvents, spare: Room, maxLineBytes: number) {
    this.parse = parse
    this.events = events
    this.spare = spare
    this.maxLineBytes = maxLineBytes
  }

  /** Another input begins. */
  begin(): void {
    this.sawCarriageReturn = false
  }

  /** The first `size` bytes of `room` are those of the input from `offset` on. */
  set({bytes, start}: Room, size: number, offset: number): void {
    this.bytes = bytes
    this.at = start
    this.end = start + size
    this.shift = offset - start
  }

  /** The line at `offset` is too long to be held, and so what follows it is not known. */
  refuse(offset: number): void {
    this.set({bytes: this.bytes, start: 0, end: 0}, 0, offset)
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
    this.parse(bytes, start, at, record, this.spare)
    return true
  }

  offset(): number {
    return this.shift + this.lineStart
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
