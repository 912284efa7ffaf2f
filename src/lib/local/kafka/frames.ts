import type {Socket} from 'node:net'

import type {Holder} from './memory.js'
import {ProtocolError} from './wire.js'

export type FrameLimits = {
  /** How long a started frame may rest without a byte. It may take as long as it progresses. */
  stallMs: number
  /** How long a connection may rest between frames. */
  idleMs: number
  /** Asked for each frame, because it grows with authentication. */
  maxBytes(): number
  /** From where the frames come. What was taken for one is given back by whoever has done with it. */
  memory: Holder
}

/** The smallest request: API key, version, correlation id. A bare SASL token (SaslHandshake v0) is longer, too. */
const MIN_FRAME = 8

/** Of a frame that is copied: what is kept of it, such as a group member's metadata, would keep all that came with it. */
const SMALL_FRAME = 16 * 1024

/** So much must be there before memory is taken for all of a frame: a size is quickly claimed. */
const FIRST_BYTES = 64 * 1024

const NOTHING: Buffer = Buffer.alloc(0)

/**
 * Splits a socket's bytes into size-prefixed frames, without the size. While the consumer works on a frame nothing is read,
 * so a client cannot queue more than the kernel's buffers hold. Throws ProtocolError for a size out of bounds.
 */
export async function* frames(socket: Socket, {stallMs, idleMs, maxBytes, memory}: FrameLimits): AsyncGenerator<Buffer> {
  /** A frame that did not come in one piece. */
  let begun: {bytes: Buffer; filled: number; length: number} | undefined
  let size = NOTHING
  socket.on('timeout', () => socket.destroy())
  socket.setTimeout(idleMs)
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    socket.setTimeout(0)
    let rest = size.length > 0 ? Buffer.concat([size, chunk]) : chunk
    size = NOTHING
    while (rest.length > 0) {
      if (begun) {
        const copied = rest.copy(begun.bytes, begun.filled)
        begun.filled += copied
        rest = rest.subarray(copied)
        if (begun.filled < begun.bytes.length) break
        if (begun.filled < begun.length) {
          await memory.take(begun.length)
          const larger = isProduce(begun.bytes) ? memory.buffer(begun.length) : Buffer.allocUnsafe(begun.length)
          begun.bytes.copy(larger)
          begun.bytes = larger
        } else {
          yield begun.bytes
          begun = undefined
        }
      } else if (rest.length < 4) {
        size = rest
        break
      } else {
        const length = rest.readInt32BE(0)
        if (length < MIN_FRAME || length > maxBytes()) throw new ProtocolError(`a frame of ${length} bytes`)
        rest = rest.subarray(4)
        if (rest.length >= length) {
          const frame = rest.subarray(0, length)
          yield length > SMALL_FRAME ? frame : Buffer.from(frame)
          rest = rest.subarray(length)
        } else {
          begun = {bytes: Buffer.allocUnsafe(Math.min(length, FIRST_BYTES)), filled: 0, length}
        }
      }
    }
    socket.setTimeout(begun || size.length > 0 ? stallMs : idleMs)
  }
}

/** The one request of which nothing is kept once it is answered: its batches are on disk. */
const isProduce = (frame: Buffer): boolean => frame.readInt16BE(0) === 0
