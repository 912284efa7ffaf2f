import {copyLiterals, copyMatch, findMatches, writeUint16} from './lz-match.js'
import {RecordError} from './record-error.js'
import {scratchOf} from './scratch.js'
import {xxhash32} from './xxhash32.js'

/** https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md */
const FRAME_MAGIC = 0x184d2204
const VERSION_MASK = 0xc0
const VERSION_1 = 0x40
const INDEPENDENT_BLOCKS = 0x20
const BLOCK_CHECKSUMS = 0x10
const CONTENT_SIZE = 0x08
const CONTENT_CHECKSUM = 0x04
const DICTIONARY = 0x01

/** In the top bit of a block's size: the block is stored, not compressed. */
const STORED = 0x8000_0000
const BLOCK_BYTES = 64 * 1024
const BLOCK_BYTES_CODE = 4
const SIZE_BYTES = 4

const MINIMUM_MATCH = 4
/** A block ends with at least 5 literals, and its last match starts at least 12 bytes before the end. */
const LAST_LITERALS = 5
const LAST_MATCH_DISTANCE = 12

/** One byte of match length stands for at most 255 bytes of output. */
const LARGEST_EXPANSION = 255

/** Compresses to one frame as the Java clients write it: independent blocks of 64 KiB, no content checksum. In scratch bytes. */
export function compressLz4(bytes: Buffer): Buffer {
  const output = scratchOf(largestFrame(bytes.length))
  let at = FRAME_HEADER.copy(output)
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    const block = bytes.subarray(from, from + BLOCK_BYTES)
    const start = at + SIZE_BYTES
    at = compressBlock(block, output, start)
    const stored = at - start >= block.length
    if (stored) at = start + block.copy(output, start)
    output.writeUInt32LE(stored ? (block.length | STORED) >>> 0 : at - start, start - SIZE_BYTES)
  }
  at = output.writeUInt32LE(0, at)
  return output.subarray(0, at)
}

/** What does not compress takes a byte more per 255, before it is found better stored. */
function largestFrame(bytes: number): number {
  const blocks = Math.ceil(bytes / BLOCK_BYTES)
  return FRAME_HEADER.length + SIZE_BYTES + blocks * (SIZE_BYTES + 16 + Math.ceil(BLOCK_BYTES / 255)) + bytes
}

/**
 * Decompresses one or more LZ4 frames. Checks the checksums that are there. Throws RecordError on malformed bytes, on a
 * dictionary, and on more than `maxBytes` of output.
 */
export function decompressLz4(bytes: Buffer, maxBytes: number): Buffer {
  const output: Output = {bytes: Buffer.allocUnsafe(Math.min(maxBytes, bytes.length * 4)), length: 0, maxBytes}
  let at = 0
  do at = readFrame(bytes, at, output)
  while (at < bytes.length)
  return output.bytes.subarray(0, output.length)
}

type Output = {bytes: Buffer; length: number; readonly maxBytes: number}

type FrameHeader = {flags: number; blockBytes: number; contentSize: number | null; end: number}

const FRAME_HEADER = frameHeader()

function frameHeader(): Buffer {
  const header = Buffer.alloc(7)
  header.writeUInt32LE(FRAME_MAGIC)
  header[4] = VERSION_1 | INDEPENDENT_BLOCKS
  header[5] = BLOCK_BYTES_CODE << 4
  header[6] = headerChecksum(header.subarray(4, 6))
  return header
}

/** Of the descriptor without the magic, as the format says; only batches older than version 2 had Kafka's own mistake in it. */
function headerChecksum(descriptor: Buffer): number {
  return (xxhash32(descriptor) >>> 8) & 0xff
}

function readFrame(bytes: Buffer, start: number, output: Output): number {
  const header = readFrameHeader(bytes, start)
  const frameStart = output.length
  let at = header.end
  for (;;) {
    const size = readUint32(bytes, at)
    at += 4
    if (size === 0) break
    const end = at + (size & ~STORED)
    if (end > bytes.length) throw new RecordError('lz4: a block is cut off')
    const block = bytes.subarray(at, end)
    at = end
    if ((header.flags & BLOCK_CHECKSUMS) !== 0) {
      if (readUint32(bytes, at) !== xxhash32(block)) throw new RecordError('lz4: a block has a wrong checksum')
      at += 4
    }
    const windowStart = (header.flags & INDEPENDENT_BLOCKS) === 0 ? frameStart : output.length
    if (size >= STORED) storeBlock(block, header.blockBytes, output)
    else decompressBlock(block, header.blockBytes, windowStart, output)
  }
  const content = output.bytes.subarray(frameStart, output.length)
  if (header.contentSize !== null && header.contentSize !== content.length) throw new RecordError('lz4: not the promised size')
  if ((header.flags & CONTENT_CHECKSUM) !== 0) {
    if (readUint32(bytes, at) !== xxhash32(content)) throw new RecordError('lz4: the content has a wrong checksum')
    at += 4
  }
  return at
}

function readFrameHeader(bytes: Buffer, at: number): FrameHeader {
  if (readUint32(bytes, at) !== FRAME_MAGIC) throw new RecordError('lz4: no frame at the start')
  if (at + 7 > bytes.length) throw new RecordError('lz4: the frame header is cut off')
  const flags = bytes[at + 4]!
  if ((flags & VERSION_MASK) !== VERSION_1) throw new RecordError('lz4: unknown version of the frame')
  if ((flags & DICTIONARY) !== 0) throw new RecordError('lz4: a frame with a dictionary')
  const sized = (flags & CONTENT_SIZE) !== 0
  const end = at + (sized ? 15 : 7)
  if (end > bytes.length) throw new RecordError('lz4: the frame header is cut off')
  if (bytes[end - 1] !== headerChecksum(bytes.subarray(at + 4, end - 1))) {
    throw new RecordError('lz4: the frame header has a wrong checksum')
  }
  const blockBytesCode = (bytes[at + 5]! >>> 4) & 7
  if (blockBytesCode < BLOCK_BYTES_CODE) throw new RecordError('lz4: unknown size of blocks')
  return {
    flags,
    blockBytes: 2 ** (8 + 2 * blockBytesCode),
    contentSize: sized ? Number(bytes.readBigUInt64LE(at + 6)) : null,
    end,
  }
}

function storeBlock(block: Buffer, blockBytes: number, output: Output): void {
  if (block.length > blockBytes) throw new RecordError('lz4: a block is larger than the frame allows')
  reserve(output, block.length)
  if (block.length > output.bytes.length - output.length) throw tooLarge(output)
  block.copy(output.bytes, output.length)
  output.length += block.length
}

function decompressBlock(block: Buffer, blockBytes: number, windowStart: number, output: Output): void {
  reserve(output, Math.min(blockBytes, block.length * LARGEST_EXPANSION))
  const target = output.bytes
  const limit = Math.min(target.length, output.length + blockBytes)
  let written = output.length
  let at = 0
  for (;;) {
    if (at >= block.length) throw new RecordError('lz4: a block ends without literals')
    const token = block[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      const extended = readExtension(block, at)
      literals += extended.length
      at = extended.end
    }
    if (literals > block.length - at) throw new RecordError('lz4: literals are cut off')
    if (literals > limit - written) throw tooLarge(output)
    copyLiterals(block, at, literals, target, written)
    at += literals
    written += literals
    if (at === block.length) break
    if (at + 2 > block.length) throw new RecordError('lz4: a match is cut off')
    const offset = block[at]! | (block[at + 1]! << 8)
    at += 2
    if (offset === 0 || offset > written - windowStart) throw new RecordError('lz4: a match from before the start')
    let length = (token & 15) + MINIMUM_MATCH
    if ((token & 15) === 15) {
      const extended = readExtension(block, at)
      length += extended.length
      at = extended.end
    }
    if (length > limit - written) throw tooLarge(output)
    copyMatch(target, written, offset, length)
    written += length
  }
  output.length = written
}

/** The rest of a length whose 4 bits were full: bytes that add up, until one is not 255. */
function readExtension(block: Buffer, at: number): {length: number; end: number} {
  let length = 0
  for (;;) {
    if (at >= block.length) throw new RecordError('lz4: a length is cut off')
    const byte = block[at++]!
    length += byte
    if (byte !== 255) return {length, end: at}
  }
}

/** Makes room for `size` more bytes, as far as `maxBytes` lets it: who writes checks what there is. */
function reserve(output: Output, size: number): void {
  const wanted = Math.min(output.length + size, output.maxBytes)
  if (wanted <= output.bytes.length) return
  const grown = Buffer.allocUnsafe(Math.min(output.maxBytes, Math.max(wanted, output.bytes.length * 2)))
  output.bytes.copy(grown, 0, 0, output.length)
  output.bytes = grown
}

function tooLarge(output: Output): RecordError {
  return new RecordError(`lz4: a block is larger than its frame or the limit of ${output.maxBytes} bytes allows`)
}

/** Writes the block into `output` from `start` on; returns where it ends. */
function compressBlock(block: Buffer, output: Buffer, start: number): number {
  let written = start
  const limits = {lastStart: block.length - LAST_MATCH_DISTANCE, end: block.length - LAST_LITERALS}
  const rest = findMatches(block, 0, limits, (literalStart, matchStart, offset, length) => {
    written = writeSequence(block, literalStart, matchStart, length - MINIMUM_MATCH, output, written)
    written = writeUint16(offset, output, written)
    if (length - MINIMUM_MATCH >= 15) written = writeExtension(length - MINIMUM_MATCH - 15, output, written)
  })
  return writeSequence(block, rest, block.length, 0, output, written)
}

/** The token and the literals; what follows a match's offset is the caller's. */
function writeSequence(block: Buffer, from: number, to: number, matchCode: number, output: Buffer, at: number): number {
  const literals = to - from
  output[at++] = (Math.min(literals, 15) << 4) | Math.min(matchCode, 15)
  if (literals >= 15) at = writeExtension(literals - 15, output, at)
  copyLiterals(block, from, literals, output, at)
  return at + literals
}

function writeExtension(length: number, output: Buffer, at: number): number {
  for (; length >= 255; length -= 255) output[at++] = 255
  output[at++] = length
  return at
}

function readUint32(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw new RecordError('lz4: the frame is cut off')
  return bytes.readUInt32LE(at)
}
