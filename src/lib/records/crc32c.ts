import {createRequire} from 'node:module'

/** The Castagnoli polynomial, reflected. `zlib.crc32` uses another one, so it is of no use here. */
const POLYNOMIAL = 0x82f63b78

/** Table `k` (256 entries from `k * 256`) advances a byte through `k` further zero bytes. */
const TABLES = slicingTables(16)

function slicingTables(slices: number): Int32Array {
  const tables = new Int32Array(slices * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    tables[byte] = crc
  }
  for (let i = 256; i < tables.length; i++) {
    const previous = tables[i - 256]!
    tables[i] = (previous >>> 8) ^ tables[previous & 0xff]!
  }
  return tables
}

type Crc32c = (bytes: Buffer) => number

/** Shorter pieces are done before the native one has been called. */
const NATIVE_FROM_BYTES = 1024

let native: Crc32c | null | undefined

/** With the processor's own instruction, ten times as fast; an optional package, which a platform may lack. */
function loadNative(): Crc32c | null {
  try {
    return (createRequire(import.meta.url)('@node-rs/crc32') as {crc32c: Crc32c}).crc32c
  } catch {
    return null
  }
}

/**
 * CRC-32C (RFC 3720, appendix B.4) of `bytes[start, end)` as an unsigned 32-bit number: the checksum of Kafka's record
 * batches.
 */
export function crc32c(bytes: Buffer, start = 0, end = bytes.length): number {
  if (end - start >= NATIVE_FROM_BYTES) {
    if (native === undefined) native = loadNative()
    if (native !== null) return native(bytes.subarray(start, end))
  }
  return crc32cSliced(bytes, start, end)
}

/** The same sixteen bytes per step ("slicing-by-16"), which in JavaScript is about a gigabyte per second. */
export function crc32cSliced(bytes: Buffer, start = 0, end = bytes.length): number {
  const t = TABLES
  let crc = ~0
  let at = start
  for (const last = end - 16; at <= last; at += 16) {
    crc =
      t[3840 + (bytes[at]! ^ (crc & 0xff))]! ^
      t[3584 + (bytes[at + 1]! ^ ((crc >>> 8) & 0xff))]! ^
      t[3328 + (bytes[at + 2]! ^ ((crc >>> 16) & 0xff))]! ^
      t[3072 + (bytes[at + 3]! ^ (crc >>> 24))]! ^
      t[2816 + bytes[at + 4]!]! ^
      t[2560 + bytes[at + 5]!]! ^
      t[2304 + bytes[at + 6]!]! ^
      t[2048 + bytes[at + 7]!]! ^
      t[1792 + bytes[at + 8]!]! ^
      t[1536 + bytes[at + 9]!]! ^
      t[1280 + bytes[at + 10]!]! ^
      t[1024 + bytes[at + 11]!]! ^
      t[768 + bytes[at + 12]!]! ^
      t[512 + bytes[at + 13]!]! ^
      t[256 + bytes[at + 14]!]! ^
      t[bytes[at + 15]!]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!
  return ~crc >>> 0
}
