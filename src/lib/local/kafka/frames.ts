import type {Socket} from 'node:net'

import {ProtocolError} from './wire.js'

export type FrameLimits = {
  /** How long a started frame may rest without a byte. It may take as long as it progresses. */
  stallMs: number
  /** How long a connection may rest between frames. */
  idleMs: number
  /** Asked for each frame, because it grows with authentication. */
  maxBytes(): number
}

/** The smallest request: API key, version, correlation id. A bare SASL token (SaslHandshake v0) is longer, too. */
const MIN_FRAME = 8

/**
 * Splits a socket's bytes into size-prefixed frames, without the size. While the consumer works on a frame nothing is read,
 * so a client cannot queue more than the kernel's buffers hold. Throws ProtocolError for a size out of bounds.
 */
export async function* frames(socket: Socket, {stallMs, idleMs, maxBytes}: FrameLimits): AsyncGenerator<Buffer> {
  let chunks: Buffer[] = []
  let held = 0
  socket.on('timeout', () => socket.destroy())
  socket.setTimeout(idleMs)
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    held += chunk.length
    while (held >= 4) {
      if (chunks[0]!.length < 4) chunks = [Buffer.concat(chunks)]
      const size = chunks[0]!.readInt32BE(0)
      if (size < MIN_FRAME || size > maxBytes()) throw new ProtocolError(`a frame of ${size} bytes`)
      if (held < 4 + size) break
      const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      const rest = bytes.subarray(4 + size)
      chunks = rest.length > 0 ? [rest] : []
      held = rest.length
      socket.setTimeout(0)
      yield bytes.subarray(4, 4 + size)
    }
    socket.setTimeout(held > 0 ? stallMs : idleMs)
  }
}
