import {copyLiterals, copyMatch, findMatches, writeUint16} from './lz-match.js'
import {RecordError} from './record-error.js'
import {scratchOf} from './scratch.js'

/** `\x82SNAPPY\0`: starts the framing of snappy-java's SnappyOutputStream, which Kafka's Java clients use. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** The magic, the version of the writer and the lowest version of a reader, as 32-bit numbers. */
const XERIAL_HEADER_BYTES = 16
const XERIAL_BLOCK_BYTES = 32 * 1024
const SIZE_BYTES = 4

const LITERAL = 0
const COPY_1 = 1
const COPY_2 = 2

/** The longest copy, 64 bytes, takes 3 bytes: nothing expands more than this. */
const LARGEST_EXPANSION = 22

/** Compresses as the Java clients do: xerial framing around blocks of 32 KiB. In scratch bytes. */
export function compressSnappy(bytes: Buffer): Buffer {
  const output = scratchOf(largestFrame(bytes.length))
  let at = XERIAL_MAGIC.copy(output)
  at = output.writeInt32BE(1, at)
  at = output.writeInt32BE(1, at)
  for (let from = 0; from < bytes.length; from += XERIAL_BLOCK_BYTES) {
    const start = at + SIZE_BYTES
    at = compressBlock(bytes.subarray(from, from + XERIAL_BLOCK_BYTES), output, start)
    output.writeInt32BE(at - start, start - SIZE_BYTES)
  }
  return output.subarray(0, at)
}

/** As Snappy's own MaxCompressedLength has it for each block. */
function largestFrame(bytes: number): number {
  const blocks = Math.ceil(bytes / XERIAL_BLOCK_BYTES)
  return XERIAL_HEADER_BYTES + blocks * (SIZE_BYTES + 32 + Math.ceil(XERIAL_BLOCK_BYTES / 6)) + bytes
}

/**
 * Decompresses both what the Java clients write (xerial framing) and what librdkafka and others write (one raw block).
 * Throws RecordError on malformed bytes and on more than `maxBytes` of output.
 */
export function decompressSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return decompressBlock(bytes, maxBytes)
  const blocks: Buffer[] = []
  let left = maxBytes
  for (let at = XERIAL_HEADER_BYTES; at !== bytes.length; ) {
    if (at + 4 > bytes.length) throw new RecordError('snappy: a block length is cut off')
    const end = at + 4 + bytes.readUInt32BE(at)
    if (end > bytes.length) throw new RecordError('snappy: a block is cut off')
    const block = decompressBlock(bytes.subarray(at + 4, end), left)
    left -= block.length
    blocks.push(block)
    at = end
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks)
}

/** https://github.com/google/snappy/blob/main/format_description.txt */
function decompressBlock(bytes: Buffer, maxBytes: number): Buffer {
  const {length, start} = readUncompressedLength(bytes)
  if (length > maxBytes) throw new RecordError(`snappy: ${length} bytes of output, where ${maxBytes} are allowed`)
  if (length > (bytes.length - start) * LARGEST_EXPANSION) throw new RecordError('snappy: more output promised than there can be')
  const output = Buffer.allocUnsafe(length)
  let at = start
  let written = 0
  while (at < bytes.length) {
    const tag = bytes[at++]!
    if ((tag & 3) === LITERAL) {
      let size = tag >>> 2
      if (size >= 60) {
        const extra = size - 59
        if (at + extra > bytes.length) throw new RecordError('snappy: a literal is cut off')
        size = bytes.readUIntLE(at, extra)
        at += extra
      }
      size++
      if (size > bytes.length - at) throw new RecordError('snappy: a literal is cut off')
      if (size > length - written) throw new RecordError('snappy: more output than promised')
      copyLiterals(bytes, at, size, output, written)
      at += size
      written += size
    } else {
      const copy = tag & 3
      const offsetBytes = copy === COPY_1 ? 1 : copy === COPY_2 ? 2 : 4
      if (at + offsetBytes > bytes.length) throw new RecordError('snappy: a copy is cut off')
      const size = copy === COPY_1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
      const offset = bytes.readUIntLE(at, offsetBytes) + (copy === COPY_1 ? (tag >>> 5) << 8 : 0)
      at += offsetBytes
      if (offset === 0 || offset > written) throw new RecordError('snappy: a copy from before the start')
      if (size > length - written) throw new RecordError('snappy: more output than promised')
      copyMatch(output, written, offset, size)
      written += size
    }
  }
  if (written !== length) throw new RecordError('snappy: less output than promised')
  return output
}

function readUncompressedLength(bytes: Buffer): {length: number; start: number} {
  let length = 0
  for (let at = 0; at < 5 && at < bytes.length; at++) {
    const byte = bytes[at]!
    length += (byte & 0x7f) * 2 ** (7 * at)
    if (byte < 0x80) return {length, start: at + 1}
  }
  throw new RecordError('snappy: no length at the start')
}

/** Writes the block into `output` from `start` on; returns where it ends. */
function compressBlock(bytes: Buffer, output: Buffer, start: number): number {
  let written = writeUncompressedLength(bytes.length, output, start)
  const limits = {lastStart: bytes.length - 4, end: bytes.length}
  const rest = findMatches(bytes, 0, limits, (literalStart, matchStart, offset, length) => {
    written = writeLiteral(bytes, literalStart, matchStart, output, written)
    written = writeCopies(offset, length, output, written)
  })
  return writeLiteral(bytes, rest, bytes.length, output, written)
}

function writeUncompressedLength(length: number, output: Buffer, at: number): number {
  for (; length >= 0x80; length >>>= 7) output[at++] = (length & 0x7f) | 0x80
  output[at++] = length
  return at
}

/** A block has at most 32 KiB, so a length of two bytes is enough. */
function writeLiteral(bytes: Buffer, from: number, to: number, output: Buffer, at: number): number {
  const size = to - from
  if (size === 0) return at
  if (size <= 60) {
    output[at++] = ((size - 1) << 2) | LITERAL
  } else if (size <= 256) {
    output[at++] = (60 << 2) | LITERAL
    output[at++] = size - 1
  } else {
    output[at++] = (61 << 2) | LITERAL
    at = writeUint16(size - 1, output, at)
  }
  copyLiterals(bytes, from, size, output, at)
  return at + size
}

function writeCopies(offset: number, length: number, output: Buffer, at: number): number {
  while (length > 0) {
    // Never leave a rest of less than 4, which the short copy cannot express.
    const size = length <= 64 ? length : Math.min(64, length - 4)
    if (size >= 4 && size <= 11 && offset < 2048) {
      output[at++] = ((offset >>> 8) << 5) | ((size - 4) << 2) | COPY_1
      output[at++] = offset & 0xff
    } else {
      output[at++] = ((size - 1) << 2) | COPY_2
      at = writeUint16(offset, output, at)
    }
    length -= size
  }
  return at
}
