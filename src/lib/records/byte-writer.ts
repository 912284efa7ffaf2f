const FIRST_BYTES = 256 * 1024

/** What is kept for the next records once they are written; a larger one, for a large record, is given back. */
const KEPT_BYTES = 4 * 1024 * 1024

/** Below this a loop is faster than the call that copies. */
const SHORT_BYTES = 24

const MINUS = 0x2d
const ZERO = 0x30

/**
 * Bytes that are written one after the other into a buffer that grows. Whoever writes byte by byte calls `reserve` first, and
 * sets `at` to where it ends.
 */
export class ByteWriter {
  bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  at = 0

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    const needed = this.at + size
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.at++] = value
  }

  all(source: Buffer): void {
    this.part(source, 0, source.length)
  }

  /** Copies `source[start, end)`. */
  part(source: Buffer, start: number, end: number): void {
    const size = end - start
    this.reserve(size)
    if (size > SHORT_BYTES) {
      source.copy(this.bytes, this.at, start, end)
      this.at += size
      return
    }
    const {bytes} = this
    let {at} = this
    while (start < end) bytes[at++] = source[start++]!
    this.at = at
  }

  text(text: string): void {
    // No character takes more than three bytes of UTF-8 for each of its UTF-16 units.
    this.reserve(text.length * 3)
    this.at += this.bytes.write(text, this.at)
  }

  /** A safe integer in decimal. */
  integer(value: number): void {
    this.reserve(17)
    const {bytes} = this
    if (value < 0) bytes[this.at++] = MINUS
    let rest = Math.abs(value)
    let at = this.at + digitsOf(rest)
    this.at = at
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 10)) bytes[--at] = ZERO + (rest % 10)
    let small = rest | 0
    do {
      const tenth = (small / 10) | 0
      bytes[--at] = ZERO + small - tenth * 10
      small = tenth
    } while (small > 0)
  }

  /** What was written, as a view: gone with the next `clear`. */
  written(): Buffer {
    return this.bytes.subarray(0, this.at)
  }

  clear(): void {
    this.at = 0
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  }
}

function digitsOf(value: number): number {
  let digits = 1
  for (let limit = 10; value >= limit; limit *= 10) digits++
  return digits
}
