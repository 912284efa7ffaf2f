/** A hostile peer may announce any length (kafkajs alone would wait for 2 GiB of it). */
const MAX_FRAME_BYTES = 128 * 1024 * 1024

/** What is read at once where no frame is under way. */
const CHUNK_BYTES = 64 * 1024

const PREFIX_BYTES = 4
/** Of the correlation id, with which each response begins. */
const SHORTEST_BYTES = 4

/**
 * Cuts what a broker sends into response frames, each with its length before it, and hands each over whole. Of a large one all but
 * the first bytes are read to where they stay; joining chunks would copy each byte once more, and leave every chunk to the collector.
 */
export class Frames {
  /** Set before the first byte comes. */
  onFrame: (frame: Buffer) => void = () => {}
  private readonly maxBytes: number
  private readonly chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  private chunkBytes = 0
  /** The one that is under way, if its length is known. */
  private frame: Buffer | null = null
  private frameBytes = 0
  private isFirst = true

  constructor(maxBytes = MAX_FRAME_BYTES) {
    this.maxBytes = maxBytes
  }

  /** Where the next bytes belong, at least one. */
  room(): Buffer {
    return this.frame ? this.frame.subarray(this.frameBytes) : this.chunk.subarray(this.chunkBytes)
  }

  /** So many bytes have come into `room()`. Returns the error for the first length that cannot be meant, after which nothing more may come. */
  took(bytes: number): NodeJS.ErrnoException | null {
    if (this.frame === null) {
      this.chunkBytes += bytes
      return this.cut()
    }
    this.frameBytes += bytes
    if (this.frameBytes < this.frame.length) return null
    const whole = this.frame
    this.frame = null
    this.onFrame(whole)
    return null
  }

  /** The same for bytes that have come elsewhere. */
  push(bytes: Buffer): NodeJS.ErrnoException | null {
    for (let at = 0; at < bytes.length; ) {
      const copied = bytes.copy(this.room(), 0, at)
      const refusal = this.took(copied)
      if (refusal) return refusal
      at += copied
    }
    return null
  }

  /** Hands over what is whole in the chunk; of the last frame the beginning moves to where the rest of it will come. */
  private cut(): NodeJS.ErrnoException | null {
    const {chunk, chunkBytes} = this
    if (this.isFirst && chunkBytes >= 2 && chunk[0] === 0x15 && chunk[1] === 0x03)
      return failure('ESPEAKSTLS', 'this port speaks TLS')
    this.isFirst = false
    let at = 0
    while (chunkBytes - at >= PREFIX_BYTES) {
      const length = chunk.readInt32BE(at)
      if (length < SHORTEST_BYTES || length > this.maxBytes)
        return failure('EFRAME', `the peer announced a frame of ${length} bytes, so it is no Kafka broker`)
      const end = at + PREFIX_BYTES + length
      if (end > chunkBytes) {
        this.frame = Buffer.allocUnsafeSlow(PREFIX_BYTES + length)
        this.frameBytes = chunk.copy(this.frame, 0, at, chunkBytes)
        this.chunkBytes = 0
        return null
      }
      const frame = Buffer.from(chunk.subarray(at, end))
      at = end
      this.onFrame(frame)
    }
    this.chunkBytes = chunk.copy(chunk, 0, at, chunkBytes)
    return null
  }
}

function failure(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), {code})
}
