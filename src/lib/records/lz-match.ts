/**
 * What Snappy and LZ4 have in common: both say "copy these literal bytes, then repeat `length` bytes from `offset` bytes
 * ago", and differ only in how that is written.
 */

const HASH_BITS = 14
const MINIMUM_MATCH = 4
const LARGEST_OFFSET = 65_535

/** Position + 1 at which each hash was last seen; filled anew for every block, shared because encoding is synchronous. */
const lastSeen = new Int32Array(1 << HASH_BITS)

type MatchLimits = {
  /** The last position at which a match may start. */
  lastStart: number
  /** No match reaches beyond this position. */
  end: number
}

/**
 * Finds matches in `bytes[from, limits.end)` greedily and calls `visit` for each, in order: the literals since the last
 * match are `bytes[literalStart, matchStart)`. Returns where the literals after the last match start.
 */
export function findMatches(
  bytes: Buffer,
  from: number,
  {lastStart, end}: MatchLimits,
  visit: (literalStart: number, matchStart: number, offset: number, length: number) => void,
): number {
  lastSeen.fill(0)
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let literalStart = from
  let at = from
  let misses = 0
  while (at <= lastStart) {
    const word = words.getInt32(at, true)
    const hash = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS)
    const candidate = lastSeen[hash]! - 1
    lastSeen[hash] = at + 1
    if (candidate < 0 || at - candidate > LARGEST_OFFSET || words.getInt32(candidate, true) !== word) {
      // What does not compress is skipped faster and faster.
      at += 1 + (misses++ >> 5)
      continue
    }
    let length = MINIMUM_MATCH
    while (at + length + 4 <= end && words.getInt32(candidate + length, true) === words.getInt32(at + length, true)) length += 4
    while (at + length < end && bytes[candidate + length] === bytes[at + length]) length++
    visit(literalStart, at, at - candidate, length)
    at += length
    literalStart = at
    misses = 0
  }
  return literalStart
}

/** Repeats the `length` bytes that start `offset` bytes before `at`; the two ranges may overlap. */
export function copyMatch(bytes: Buffer, at: number, offset: number, length: number): void {
  if (length > 32 && offset >= length) {
    bytes.copyWithin(at, at - offset, at - offset + length)
    return
  }
  for (let i = 0; i < length; i++) bytes[at + i] = bytes[at - offset + i]!
}

/** Copies `source[from, from + length)` to `target` at `at`. */
export function copyLiterals(source: Buffer, from: number, length: number, target: Buffer, at: number): void {
  if (length > 32) {
    source.copy(target, at, from, from + length)
    return
  }
  for (let i = 0; i < length; i++) target[at + i] = source[from + i]!
}

/** Little-endian. Buffer's own function checks each time what is known here, which takes a fifth of the time of compressing. */
export function writeUint16(value: number, target: Buffer, at: number): number {
  target[at] = value & 0xff
  target[at + 1] = value >>> 8
  return at + 2
}
