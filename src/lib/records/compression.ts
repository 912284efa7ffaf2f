import {promisify} from 'node:util'
import zlib from 'node:zlib'
import {chunkSize, compressedChunkSize} from './chunk-size.js'
import {compressLz4, decompressLz4} from './lz4.js'
import {RecordError} from './record-error.js'
import {compressSnappy, decompressSnappy} from './snappy.js'
import {compressZstd, decompressZstd} from './zstd.js'

/** The codecs of Kafka's record batches. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** What a batch may decompress to where nobody says otherwise: above the largest request that a broker takes, 100 MiB. */
export const MAX_DECOMPRESSED_BYTES = 128 * 1024 * 1024

const gzip = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gzip)
const gunzip = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gunzip)

/** Compresses the records section of a batch as Kafka's Java clients do: snappy in xerial framing, lz4 and zstd as a frame. */
export async function compress(codec: Compression, bytes: Buffer): Promise<Buffer> {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return gzip(bytes, {chunkSize: compressedChunkSize(bytes.length)})
    case 'snappy':
      return Buffer.from(compressSnappy(bytes))
    case 'lz4':
      return Buffer.from(compressLz4(bytes))
    case 'zstd':
      return compressZstd(bytes)
  }
}

/** The same for one caller at a time, there only until its next call: without a copy, of which a load would make garbage by the gigabyte. */
export async function compressForNow(codec: Compression, bytes: Buffer): Promise<Buffer> {
  if (codec === 'snappy') return compressSnappy(bytes)
  if (codec === 'lz4') return compressLz4(bytes)
  return compress(codec, bytes)
}

/**
 * Decompresses the records section of a batch; takes what any client writes (snappy also without framing, lz4 with linked
 * blocks, several frames). Allocates no more than the input can expand to, nor much more than `maxBytes`. Throws
 * RecordError on malformed bytes and on more than `maxBytes` of output.
 */
export async function decompress(codec: Compression, bytes: Buffer, maxBytes = MAX_DECOMPRESSED_BYTES): Promise<Buffer> {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return decompressGzip(bytes, maxBytes)
    case 'snappy':
      return decompressSnappy(bytes, maxBytes)
    case 'lz4':
      return decompressLz4(bytes, maxBytes)
    case 'zstd':
      return decompressZstd(bytes, maxBytes)
  }
}

async function decompressGzip(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await gunzip(bytes, {chunkSize: chunkSize(bytes.length * 4), maxOutputLength: Math.max(maxBytes, 1)})
  } catch (error) {
    throw new RecordError(`gzip: malformed, or larger than the limit of ${maxBytes} bytes allows`, {cause: error})
  }
}
