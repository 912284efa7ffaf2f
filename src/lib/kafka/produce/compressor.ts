import {existsSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {Worker} from 'node:worker_threads'
import zlib from 'node:zlib'

import {type Compression, compress} from '../../records/compression.js'

/** A small load is through before a second thread has started. */
const BATCHES_BEFORE_THREAD = 4
const LARGE_BATCH_BYTES = 128 * 1024

const THREAD = fileURLToPath(new URL('./compressor-thread.js', import.meta.url))

/** Whether Node itself does it in threads of its own. */
const isAsynchronous = (codec: Compression): boolean => codec === 'gzip' || (codec === 'zstd' && 'zstdCompress' in zlib)

/** `bytes` comes back, to be used again. */
type Answer = {compressed?: Uint8Array<ArrayBuffer>; error?: Error; bytes: Uint8Array<ArrayBuffer>}

type Waiting = {resolve(bytes: Buffer): void; reject(error: Error): void}

/** Compresses batches; the codecs that are our own in a second thread, so that the next records are read meanwhile. */
export class Compressor {
  private readonly codec: Compression
  private worker: Worker | null = null
  private batches = 0
  private readonly waiting: Waiting[] = []
  private readonly copies: Uint8Array<ArrayBuffer>[] = []

  constructor(codec: Compression) {
    this.codec = codec
  }

  compress(bytes: Buffer): Promise<Buffer> {
    if (!this.isForThread(bytes)) return compress(this.codec, bytes)
    this.worker ??= this.start()
    return new Promise((resolve, reject) => {
      this.waiting.push({resolve, reject})
      // A copy, which the thread owns until it has answered: the batch's own bytes are still needed here.
      const copy = this.copyOf(bytes)
      this.worker!.postMessage({bytes: copy, length: bytes.length}, [copy.buffer])
    })
  }

  /** In a buffer that has come back, if it is large enough: new ones for each would be garbage by the gigabyte. */
  private copyOf(bytes: Buffer): Uint8Array<ArrayBuffer> {
    const used = this.copies.pop()
    const copy = used && used.length >= bytes.length ? used : new Uint8Array(bytes.length)
    copy.set(bytes)
    return copy
  }

  /** Nothing is to be compressed any more. */
  async close(): Promise<void> {
    await this.worker?.terminate()
  }

  private isForThread(bytes: Buffer): boolean {
    if (isAsynchronous(this.codec) || bytes.length < LARGE_BATCH_BYTES) return false
    // In TypeScript, as in the tests, there is no such file.
    return ++this.batches > BATCHES_BEFORE_THREAD && existsSync(THREAD)
  }

  private start(): Worker {
    const worker = new Worker(THREAD, {workerData: this.codec, resourceLimits: {maxYoungGenerationSizeMb: 8}})
    worker.on('message', ({compressed, error, bytes}: Answer) => {
      const {resolve, reject} = this.waiting.shift()!
      this.copies.push(bytes)
      if (compressed) resolve(Buffer.from(compressed.buffer))
      else reject(error!)
    })
    worker.on('error', (error) => {
      for (const {reject} of this.waiting.splice(0)) reject(error as Error)
    })
    return worker
  }
}
