import fc from 'fast-check'

import {crc32c} from '../../src/lib/records/crc32c.js'
import {framed} from './fuzz-frames.js'

/** A change of a frame's bytes. `at` and `length` are taken modulo what is there. */
type Change = (bytes: Buffer, at: number, length: number, value: Buffer) => Buffer

/** Lengths and counts that a careless reader multiplies, adds to or allocates. */
const EDGES = [0, 1, -1, -2, 127, 128, 255, 256, 32_767, -32_768, 65_535, 1_000_000, 2 ** 31 - 1, -(2 ** 31), 2 ** 31 - 5]

const HUGE_VARINTS = ['ffffffff0f', 'ffffffff07', 'ffffffffffffffffff01', '8080808080808080808000', 'ffffffffffffffffffffffff']

const replace = (bytes: Buffer, at: number, removed: number, by: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(Math.min(bytes.length, at + removed))])

const changes: Record<string, Change> = {
  flip: (bytes, at, length) => replace(bytes, at, 1, Buffer.from([bytes[at]! ^ (1 << (length % 8))])),
  truncate: (bytes, at) => bytes.subarray(0, at),
  overwrite: (bytes, at, _, value) => replace(bytes, at, value.length, value),
  insert: (bytes, at, _, value) => replace(bytes, at, 0, value),
  remove: (bytes, at, length) => replace(bytes, at, length, Buffer.alloc(0)),
  repeat: (bytes, at, length, value) =>
    replace(bytes, at, 0, Buffer.concat(Array.from({length: value.length * 50}, () => bytes.subarray(at, at + length)))),
}

const integer = (write: (bytes: Buffer, value: number) => void, size: number) =>
  fc.oneof(fc.constantFrom(...EDGES), fc.integer()).map((value) => {
    const bytes = Buffer.alloc(size)
    write(bytes, size === 1 ? value & 0xff : size === 2 ? value & 0xffff : value)
    return bytes
  })

const value = fc.oneof(
  {weight: 4, arbitrary: integer((bytes, value) => bytes.writeInt32BE(value), 4)},
  {weight: 3, arbitrary: integer((bytes, value) => bytes.writeUInt16BE(value), 2)},
  {weight: 2, arbitrary: integer((bytes, value) => bytes.writeUInt8(value), 1)},
  {weight: 2, arbitrary: fc.constantFrom(...HUGE_VARINTS).map((hex) => Buffer.from(hex, 'hex'))},
  {weight: 2, arbitrary: fc.uint8Array({minLength: 1, maxLength: 40}).map((bytes) => Buffer.from(bytes))},
)

const change = fc.record({
  kind: fc.oneof(
    {weight: 4, arbitrary: fc.constantFrom('flip', 'overwrite')},
    {weight: 1, arbitrary: fc.constantFrom(...Object.keys(changes))},
  ),
  at: fc.nat(),
  length: fc.nat(64),
  value,
})

/** Mostly one: what is broken in many places is refused at the first. */
const someChanges = fc.oneof(
  {weight: 1, arbitrary: fc.constant([])},
  {weight: 8, arbitrary: fc.tuple(change)},
  {weight: 3, arbitrary: fc.array(change, {minLength: 2, maxLength: 5})},
)

/**
 * Frames, with their sizes, that were made from valid ones: bits flipped, numbers and varints put to their limits, bytes cut off,
 * inserted and repeated, the head of one on the tail of another, mere noise, and sizes that lie.
 */
export function mutatedFrames(valid: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const bodies = valid.map((frame) => frame.subarray(4))
  const pick = fc.nat(bodies.length - 1).map((index) => bodies[index]!)
  const body = fc.oneof(
    {weight: 20, arbitrary: pick},
    {weight: 2, arbitrary: fc.tuple(pick, pick, fc.nat(), fc.nat()).map(spliced)},
    {weight: 1, arbitrary: fc.uint8Array({minLength: 8, maxLength: 300}).map((bytes) => Buffer.from(bytes))},
  )
  const mutated = fc.tuple(body, someChanges, fc.boolean()).map(([bytes, all, resealed]) => {
    const result = all.reduce(apply, bytes)
    return resealed ? withFreshCrc(result) : result
  })
  return fc.oneof(
    {weight: 20, arbitrary: mutated.map((bytes) => framed(bytes))},
    {
      weight: 1,
      arbitrary: fc.tuple(mutated, fc.oneof(fc.constantFrom(...EDGES), fc.nat(2000))).map(([bytes, size]) => framed(bytes, size)),
    },
  )
}

function apply(bytes: Buffer, {kind, at, length, value}: {kind: string; at: number; length: number; value: Buffer}): Buffer {
  return bytes.length === 0 ? bytes : changes[kind]!(bytes, at % bytes.length, length, value)
}

const spliced = ([head, tail, headEnd, tailStart]: [Buffer, Buffer, number, number]): Buffer =>
  Buffer.concat([head.subarray(0, headEnd % head.length), tail.subarray(tailStart % tail.length)])

/** Gives the first thing that looks like a record batch the checksum of what it holds now: the changes get past that check. */
function withFreshCrc(bytes: Buffer): Buffer {
  for (let at = 0; at + 61 <= bytes.length; at++) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (bytes[at + 16] !== 2 || end < at + 61 || end > bytes.length) continue
    const sealed = Buffer.from(bytes)
    sealed.writeUInt32BE(crc32c(sealed, at + 21, end), at + 17)
    return sealed
  }
  return bytes
}
