const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d

/** One line of an input, without its newline and otherwise untouched. */
export type Line = {
  /** A view of what was read. */
  bytes: Buffer
  /** Counted from 1. */
  number: number
  /** Of its first byte in the input. */
  offset: number
}

/** A line that is longer than may be held in memory. */
export class LineTooLongError extends Error {
  override readonly name = 'LineTooLongError'
  readonly line: number
  readonly offset: number
  /** Set by who knows it. */
  source = ''

  constructor(line: number, offset: number, maxBytes: number) {
    super(`the line is longer than ${maxBytes} bytes`)
    this.line = line
    this.offset = offset
  }
}

/**
 * Cuts a stream of bytes at 0x0A and nowhere else: node:readline would replace what is not UTF-8, and cut at a lone CR and
 * (Node 24) at U+2028. What follows the last newline is a line too, if it is not empty.
 */
export class LineSplitter {
  /** Whether a line has ended in CR LF; the CR stays part of the line. */
  sawCarriageReturn = false
  private readonly maxBytes: number
  private pieces: Buffer[] = []
  private pieceBytes = 0
  private number = 1
  private offset = 0

  constructor(maxBytes = 64 * 1024 * 1024) {
    this.maxBytes = maxBytes
  }

  /** The lines that end in `chunk`. Throws LineTooLongError; the lines before it were returned or are lost. */
  push(chunk: Buffer): Line[] {
    const lines: Line[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      lines.push(this.take(chunk.subarray(start, end), 1))
      start = end + 1
    }
    if (start < chunk.length) this.keep(chunk.subarray(start))
    return lines
  }

  /** The last line, when the input does not end in a newline. */
  end(): Line[] {
    return this.pieceBytes > 0 ? [this.take(Buffer.alloc(0), 0)] : []
  }

  private keep(piece: Buffer): void {
    this.pieces.push(piece)
    this.pieceBytes += piece.length
    if (this.pieceBytes > this.maxBytes) throw new LineTooLongError(this.number, this.offset, this.maxBytes)
  }

  private take(last: Buffer, newlineBytes: number): Line {
    const bytes = this.pieces.length === 0 ? last : Buffer.concat([...this.pieces, last])
    if (bytes.length > this.maxBytes) throw new LineTooLongError(this.number, this.offset, this.maxBytes)
    const line = {bytes, number: this.number, offset: this.offset}
    if (newlineBytes === 1 && bytes.at(-1) === CARRIAGE_RETURN) this.sawCarriageReturn = true
    this.pieces = []
    this.pieceBytes = 0
    this.number++
    this.offset += bytes.length + newlineBytes
    return line
  }
}
