/**
 * How much zlib should put out at once when about `expected` bytes come out. Every chunk is a round trip to the thread
 * pool, and with the default of 16 KiB these cost more than the decompression.
 */
export function chunkSize(expected: number): number {
  return Math.min(Math.max(expected, 1024), 1024 * 1024)
}
