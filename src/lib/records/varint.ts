import {RecordError} from './record-error.js'

/** A place in bytes that reading moves on, never past `end`. */
export type Cursor = {readonly bytes: Buffer; at: number; readonly end: number}

/** Reads a zigzag-coded 32-bit number (Protocol Buffers' sint32, Kafka's varint). Throws RecordError when it does not end. */
export function readVarint(cursor: Cursor): number {
  const {bytes, end} = cursor
  let at = cursor.at
  let zigzag = 0
  for (let shift = 0; shift < 35; shift += 7) {
    if (at >= end) throw new RecordError('a varint is cut off')
    const byte = bytes[at++]!
    zigzag |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      cursor.at = at
      return (zigzag >>> 1) ^ -(zigzag & 1)
    }
  }
  throw new RecordError('a varint is longer than 5 bytes')
}

/**
 * Reads a zigzag-coded 64-bit number (Kafka's varlong). Throws RecordError when it does not end, or when its size is
 * above 2^52, where a number would no longer be exact (as milliseconds: 142,000 years).
 */
export function readVarlong(cursor: Cursor): number {
  const {bytes, end} = cursor
  let at = cursor.at
  let zigzag = 0
  for (let scale = 1; scale < 2 ** 70; scale *= 128) {
    if (at >= end) throw new RecordError('a varlong is cut off')
    const byte = bytes[at++]!
    zigzag += (byte & 0x7f) * scale
    if (byte < 0x80) {
      if (zigzag > Number.MAX_SAFE_INTEGER) throw new RecordError('a varlong is beyond 2^52')
      cursor.at = at
      return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    }
  }
  throw new RecordError('a varlong is longer than 10 bytes')
}

/** Bytes that `writeVarint(value)` takes: 1 to 5. */
export function sizeOfVarint(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  return (
    1 + (zigzag >= 0x80 ? 1 : 0) + (zigzag >= 0x4000 ? 1 : 0) + (zigzag >= 0x20_0000 ? 1 : 0) + (zigzag >= 0x1000_0000 ? 1 : 0)
  )
}

/** Writes the 32-bit `value` at `at` and returns where it ends. */
export function writeVarint(bytes: Buffer, value: number, at: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  while (zigzag >= 0x80) {
    bytes[at++] = (zigzag & 0x7f) | 0x80
    zigzag >>>= 7
  }
  bytes[at++] = zigzag
  return at
}

/** Bytes that `writeVarlong(value)` takes. Throws RecordError beyond 2^52. */
export function sizeOfVarlong(value: number): number {
  let size = 1
  for (let zigzag = zigzagLong(value); zigzag >= 0x80; zigzag = Math.floor(zigzag / 0x80)) size++
  return size
}

/** Writes `value` at `at` and returns where it ends. Throws RecordError beyond 2^52. */
export function writeVarlong(bytes: Buffer, value: number, at: number): number {
  let zigzag = zigzagLong(value)
  while (zigzag >= 0x80) {
    bytes[at++] = (zigzag % 0x80) | 0x80
    zigzag = Math.floor(zigzag / 0x80)
  }
  bytes[at++] = zigzag
  return at
}

function zigzagLong(value: number): number {
  const zigzag = value < 0 ? -2 * value - 1 : 2 * value
  if (!Number.isSafeInteger(zigzag)) throw new RecordError(`${value} does not fit an exact varlong`)
  return zigzag
}

/** Bytes of the zigzag varint of a number that is not negative. */
export function sizeOfLength(length: number): number {
  return length < 0x40 ? 1 : length < 0x2000 ? 2 : length < 0x10_0000 ? 3 : length < 0x800_0000 ? 4 : 5
}

/** Writes the zigzag varint of `length`, which is -1 or more. */
export function writeLength(bytes: Buffer, length: number, at: number): number {
  if (length < 0) {
    bytes[at] = 1
    return at + 1
  }
  let zigzag = (length << 1) >>> 0
  while (zigzag >= 0x80) {
    bytes[at++] = (zigzag & 0x7f) | 0x80
    zigzag >>>= 7
  }
  bytes[at] = zigzag
  return at + 1
}
