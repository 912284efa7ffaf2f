/**
 * How much zlib should put out at once when about `expected` bytes come out. Every chunk is a round trip to the thread
 * pool, and with the default of 16 KiB these cost more than the decompression.
 */
export function chunkSize(expected: number): number {
  return Math.min(Math.max(expected, 1024), 1024 * 1024)
}

const USUAL_RATIO = 8

/** The same for what compresses `size` bytes. Larger chunks would be garbage outside the heap, for which V8 collects all of it. */
export const compressedChunkSize = (size: number): number => chunkSize(Math.ceil(size / USUAL_RATIO))
