import {elsewhere, type Room} from '../../records/arena.js'
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
        for await (const bytesRead of regions(reader, portion, arena.input)) {
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

/** Points `portion` at one piece of the input after the other, each of whole lines. While one is taken the next is read. */
async function* regions(reader: Reader, portion: LinePortion, input: Room): AsyncGenerator<number> {
  const tail = new Tail(reader, input)
  let ahead: Promise<number> | null = null
  let offset = 0
  portion.begin()
  for (;;) {
    // An end that was read ahead may be none any more: what is appended or cut while lines are taken has to be noticed.
    const read: number = (await ahead) || (await tail.readOn())
    const consumed = reader.consumed()
    const {from, to} = tail.linesOf(read)
    const {room} = tail
    ahead = read > 0 && tail.findRoom(from) ? tail.readOn() : null
    if (to > from) {
      portion.set(room, from, to, offset)
      yield consumed
      offset += to - from
    }
    if (read === 0) return
    if (tail.length > portion.maxLineBytes) {
      portion.refuse(offset)
      yield consumed
      return
    }
    if (ahead === null) tail.makeRoom()
  }
}

/** A line whose end was not read yet, and the room that more is read to. */
class Tail {
  room: Room
  private readonly reader: Reader
  private buffer: Buffer
  private start = 0
  private end = 0
  /** Where the room behind it ends. */
  private limit: number

  constructor(reader: Reader, room: Room) {
    this.reader = reader
    this.room = room
    this.buffer = viewOf(room)
    this.limit = this.buffer.length
  }

  get length(): number {
    return this.end - this.start
  }

  /** Reads what comes next, at most half of the room: the other half is being taken. Resolves to the number of bytes, 0 at the end. */
  readOn(): Promise<number> {
    const {buffer, end, limit} = this
    const half = buffer.length >> 1
    const reading = this.reader.read(buffer.subarray(0, Math.min(end + half, limit)), end)
    reading.catch(() => {}) // whoever reads ahead learns of it when it is waited for
    return reading
  }

  /** Where in the room the lines lie that end in the bytes that were just read; at the end of the input the rest is a line. */
  linesOf(read: number): {from: number; to: number} {
    const from = this.start
    this.end += read
    const newline = read === 0 ? this.end - 1 : lastNewline(this.buffer, this.end - read, this.end)
    this.start = Math.max(from, newline + 1)
    return {from, to: this.start}
  }

  /** Whether there is room while the lines that begin at `from` are taken: behind them, or before them, where the tail then goes. */
  findRoom(from: number): boolean {
    if (this.isEnough(this.buffer.length - this.end)) this.limit = this.buffer.length
    else if (this.isEnough(from - this.length)) {
      this.moveToFront()
      this.limit = from
    } else return false
    return true
  }

  /** Makes room where only the tail is needed any more. */
  makeRoom(): void {
    if (this.isEnough(this.buffer.length - this.length)) this.moveToFront()
    else {
      this.room = elsewhere(2 * this.buffer.length)
      const line = this.buffer.subarray(this.start, this.end)
      this.buffer = viewOf(this.room)
      this.end = line.copy(this.buffer)
      this.start = 0
    }
    this.limit = this.buffer.length
  }

  private isEnough(bytes: number): boolean {
    return bytes >= this.buffer.length >> 2
  }

  private moveToFront(): void {
    this.buffer.copyWithin(0, this.start, this.end)
    this.end -= this.start
    this.start = 0
  }
}

/** The last newline in what was just read: before it there is none that is not followed by one. -1 if there is none. */
function lastNewline(buffer: Buffer, from: number, to: number): number {
  const at = buffer.lastIndexOf(NEWLINE, to - 1)
  return at < from ? -1 : at
}

const viewOf = ({bytes, start, end}: Room): Buffer => bytes.subarray(start, end)

/** Some lines that lie in a room. */
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

  /** The bytes `[from, to)` of `room` are those of the input from `offset` on. */
  set({bytes, start}: Room, from: number, to: number, offset: number): void {
    this.bytes = bytes
    this.at = start + from
    this.end = start + to
    this.shift = offset - this.at
  }

  /** The line at `offset` is too long to be held, and so what follows it is not known. */
  refuse(offset: number): void {
    this.set({bytes: this.bytes, start: 0, end: 0}, 0, 0, offset)
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
