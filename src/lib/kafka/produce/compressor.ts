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

type Waiting = {resolve(bytes: Buffer): void; reject(error: Error): void}

/** Compresses batches; the codecs that are our own in a second thread, so that the next records are read meanwhile. */
export class Compressor {
  private readonly codec: Compression
  private worker: Worker | null = null
  private batches = 0
  private readonly waiting: Waiting[] = []

  constructor(codec: Compression) {
    this.codec = codec
  }

  compress(bytes: Buffer): Promise<Buffer> {
    if (!this.isForThread(bytes)) return compress(this.codec, bytes)
    this.worker ??= this.start()
    return new Promise((resolve, reject) => {
      this.waiting.push({resolve, reject})
      // A copy, which the thread then owns: the batch's own bytes are still needed here.
      const copy = new Uint8Array(bytes)
      this.worker!.postMessage(copy, [copy.buffer])
    })
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
    worker.on('message', (answer: Uint8Array | Error) => {
      const {resolve, reject} = this.waiting.shift()!
      if (answer instanceof Error) reject(answer)
      else resolve(Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength))
    })
    worker.on('error', (error) => {
      for (const {reject} of this.waiting.splice(0)) reject(error as Error)
    })
    return worker
  }
}
