import {promisify} from 'node:util'
import zlib from 'node:zlib'
import {chunkSize, compressedChunkSize} from './chunk-size.js'
import {RecordError} from './record-error.js'

type ZstdOptions = {chunkSize?: number; maxOutputLength?: number}
type ZstdCall = (bytes: Buffer, options: ZstdOptions, done: (error: Error | null, result: Buffer) => void) => void

/** Node has zstd from 22.15 and 23.8 on; its types here are those of Node 20. */
const native = zlib as unknown as {zstdCompress?: ZstdCall; zstdDecompress?: ZstdCall}

/** https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1 */
const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const SINGLE_SEGMENT = 0x20
const CHECKSUM = 0x04
const LARGEST_BLOCK_BYTES = 128 * 1024
const RAW_BLOCK = 0
const RLE_BLOCK = 1
const RESERVED_BLOCK = 3

/** Compresses to one frame at zstd's default level, 3, as the Java clients do. */
export async function compressZstd(bytes: Buffer): Promise<Buffer> {
  if (native.zstdCompress !== undefined)
    return promisify(native.zstdCompress)(bytes, {chunkSize: compressedChunkSize(bytes.length)})
  const wasm = await loadWasm()
  return asBuffer(wasm.compress(bytes))
}

/** Decompresses one or more frames. Throws RecordError on malformed bytes and on more than `maxBytes` of output. */
export async function decompressZstd(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let left = maxBytes
  for (const frame of readFrames(bytes, maxBytes)) {
    const part = await decompressFrame(frame, left)
    left -= part.length
    parts.push(part)
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

/**
 * `largest` bounds the size of the decompressed frame: what its header says, or what its blocks can hold. The WebAssembly
 * build allocates what the header says without asking, or 1 MiB when it says nothing (the Java clients' frames do not), and
 * stops after the first frame: so frames are taken apart here, before anything is allocated for them.
 */
type Frame = {bytes: Buffer; largest: number}

async function decompressFrame({bytes, largest}: Frame, maxBytes: number): Promise<Buffer> {
  const size = Math.max(Math.min(largest, maxBytes), 1)
  let part: Buffer
  try {
    part =
      native.zstdDecompress === undefined
        ? asBuffer((await loadWasm()).decompress(bytes, {defaultHeapSize: size}))
        : await promisify(native.zstdDecompress)(bytes, {chunkSize: chunkSize(size), maxOutputLength: size})
  } catch (error) {
    throw new RecordError(`zstd: malformed, or larger than ${size} bytes`, {cause: error})
  }
  if (part.length > maxBytes) throw tooLarge(maxBytes)
  return part
}

function readFrames(bytes: Buffer, maxBytes: number): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at < bytes.length; ) {
    const magic = readUint(bytes, at, 4)
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + readUint(bytes, at + 4, 4)
      if (at > bytes.length) throw new RecordError('zstd: a frame is cut off')
      continue
    }
    if (magic !== FRAME_MAGIC) throw new RecordError('zstd: no frame at the start')
    const {largest, end} = readFrame(bytes, at, maxBytes)
    frames.push({bytes: bytes.subarray(at, end), largest})
    at = end
  }
  if (frames.length === 0) throw new RecordError('zstd: no frame')
  return frames
}

function readFrame(bytes: Buffer, start: number, maxBytes: number): {largest: number; end: number} {
  const descriptor = readUint(bytes, start + 4, 1)
  const singleSegment = (descriptor & SINGLE_SEGMENT) !== 0
  if ((descriptor & 3) !== 0) throw new RecordError('zstd: a frame with a dictionary')
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6]!
  let at = start + (singleSegment ? 5 : 6)
  const contentSize = sizeBytes === 0 ? null : readContentSize(bytes, at, sizeBytes)
  at += sizeBytes
  const blocks = skipBlocks(bytes, at)
  const end = blocks.end + ((descriptor & CHECKSUM) === 0 ? 0 : 4)
  if (end > bytes.length) throw new RecordError('zstd: a frame is cut off')
  if (contentSize === null) return {largest: blocks.largest, end}
  if (contentSize > maxBytes) throw tooLarge(maxBytes)
  if (contentSize > blocks.largest) throw new RecordError('zstd: more output promised than there can be')
  return {largest: contentSize, end}
}

function readContentSize(bytes: Buffer, at: number, sizeBytes: number): number {
  if (sizeBytes < 8) return readUint(bytes, at, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
  return readUint(bytes, at, 4) + readUint(bytes, at + 4, 4) * 0x1_0000_0000
}

/** Where the last block of a frame ends, and how much its blocks hold at most. */
function skipBlocks(bytes: Buffer, at: number): {largest: number; end: number} {
  let largest = 0
  for (;;) {
    const header = readUint(bytes, at, 3)
    const type = (header >>> 1) & 3
    const size = header >>> 3
    if (type === RESERVED_BLOCK || size > LARGEST_BLOCK_BYTES) throw new RecordError('zstd: a malformed block')
    at += 3 + (type === RLE_BLOCK ? 1 : size)
    largest += type === RAW_BLOCK || type === RLE_BLOCK ? size : LARGEST_BLOCK_BYTES
    if ((header & 1) === 1) return {largest, end: at}
  }
}

function readUint(bytes: Buffer, at: number, size: number): number {
  if (at + size > bytes.length) throw new RecordError('zstd: a frame is cut off')
  return bytes.readUIntLE(at, size)
}

function tooLarge(maxBytes: number): RecordError {
  return new RecordError(`zstd: more output than the limit of ${maxBytes} bytes allows`)
}

type Wasm = Pick<typeof import('@bokuweb/zstd-wasm'), 'compress' | 'decompress'>

let loading: Promise<Wasm> | undefined

function loadWasm(): Promise<Wasm> {
  loading ??= import('@bokuweb/zstd-wasm').then(async (wasm) => {
    await wasm.init()
    return wasm
  })
  return loading
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
