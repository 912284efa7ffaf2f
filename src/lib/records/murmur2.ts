const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995

/**
 * MurmurHash2 as Kafka's Java clients compute it (`org.apache.kafka.common.utils.Utils.murmur2`): a signed 32-bit number,
 * of `bytes[start, end)`.
 */
export function murmur2(bytes: Buffer, start = 0, end = bytes.length): number {
  const length = end - start
  const tail = start + (length & ~3)
  let hash = SEED ^ length
  for (let at = start; at < tail; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    word = Math.imul(word, MULTIPLIER)
    word ^= word >>> 24
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER)
  }
  if (tail < end) {
    for (let at = end - 1; at >= tail; at--) hash ^= bytes[at]! << ((at - tail) * 8)
    hash = Math.imul(hash, MULTIPLIER)
  }
  hash ^= hash >>> 13
  hash = Math.imul(hash, MULTIPLIER)
  return hash ^ (hash >>> 15)
}

/** The partition, of `partitions`, to which the default partitioner of the Java clients sends the key `bytes[start, end)`. */
export function partitionForKey(bytes: Buffer, partitions: number, start = 0, end = bytes.length): number {
  return (murmur2(bytes, start, end) & 0x7fffffff) % partitions
}
