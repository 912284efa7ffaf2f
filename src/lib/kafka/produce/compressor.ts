import {existsSync} from 'node:fs'
import {availableParallelism} from 'node:os'
import {fileURLToPath} from 'node:url'
import {Worker} from 'node:worker_threads'
import zlib from 'node:zlib'

import {type Compression, compress} from '../../records/compression.js'

/** A small load is through before another thread has started. */
const BATCHES_BEFORE_THREAD = 4
const LARGE_BATCH_BYTES = 128 * 1024

const THREAD = fileURLToPath(new URL('./compressor-thread.js', import.meta.url))

/** Whether Node itself does it in threads of its own. */
const isAsynchronous = (codec: Compression): boolean => codec === 'gzip' || (codec === 'zstd' && 'zstdCompress' in zlib)

const upTo = (hands: number): number => Math.min(hands, availableParallelism())

/**
 * Each takes megabytes, and more would wait for the reading of the next records: our lz4 and snappy are as fast as that, zstd in
 * WebAssembly takes twice as long.
 */
const MOST_HANDS: Record<Compression, number> = {
  none: 0,
  gzip: upTo(4),
  snappy: 1,
  lz4: 1,
  zstd: upTo(isAsynchronous('zstd') ? 4 : 2),
}

type Waiting = {resolve(bytes: Buffer): void; reject(error: Error): void}
type Job = Waiting & {bytes: Buffer}

/** Who compresses one batch after the other beside the thread that reads; `most` it takes at a time. */
type Hand = {jobs: number; most: number; compress(bytes: Buffer): Promise<Buffer>; close(): Promise<unknown>}

/** Compresses batches, several at a time: in the threads of Node, and the codecs that are our own in threads of ours. */
export class Compressor {
  private readonly codec: Compression
  private batches = 0
  private readonly hands: Hand[] = []
  private readonly queue: Job[] = []

  constructor(codec: Compression) {
    this.codec = codec
  }

  /** `bytes` stay as they are until then. */
  compress(bytes: Buffer): Promise<Buffer> {
    if (!this.isWorthAThread(bytes)) return compress(this.codec, bytes)
    return new Promise((resolve, reject) => {
      this.queue.push({bytes, resolve, reject})
      this.distribute()
    })
  }

  /** Nothing is to be compressed any more. */
  async close(): Promise<void> {
    await Promise.all(this.hands.map((hand) => hand.close()))
  }

  private distribute(): void {
    while (this.queue.length > 0) {
      const hand = this.hands.find(({jobs}) => jobs === 0) ?? this.hire() ?? this.hands.find(({jobs, most}) => jobs < most)
      if (hand === undefined) return
      const {bytes, resolve, reject} = this.queue.shift()!
      hand.jobs++
      const done = hand.compress(bytes).finally(() => {
        hand.jobs--
        this.distribute()
      })
      done.then(resolve, reject)
    }
  }

  private hire(): Hand | undefined {
    const {codec, hands} = this
    if (hands.length === MOST_HANDS[codec]) return undefined
    const hand = isAsynchronous(codec) ? nativeHand(codec) : new Thread(codec)
    hands.push(hand)
    return hand
  }

  private isWorthAThread(bytes: Buffer): boolean {
    if (isAsynchronous(this.codec)) return true
    if (this.codec === 'none' || bytes.length < LARGE_BATCH_BYTES) return false
    // In TypeScript, as in the tests, there is no such file.
    return ++this.batches > BATCHES_BEFORE_THREAD && existsSync(THREAD)
  }
}

const nativeHand = (codec: Compression): Hand => ({
  jobs: 0,
  most: 1,
  compress: (bytes) => compress(codec, bytes),
  close: async () => {},
})

/** `bytes` comes back, to be used again. */
type Answer = {compressed?: Uint8Array<ArrayBuffer>; error?: Error; bytes: Uint8Array<ArrayBuffer>}

class Thread implements Hand {
  jobs = 0
  /** The next are there when it is done with one. */
  readonly most = 4
  private readonly worker: Worker
  private readonly waiting: Waiting[] = []
  private readonly copies: Uint8Array<ArrayBuffer>[] = []
  /** What ended the thread, out of memory perhaps: nobody would answer any more. */
  private failure: Error | null = null

  constructor(codec: Compression) {
    this.worker = new Worker(THREAD, {workerData: codec, resourceLimits: {maxYoungGenerationSizeMb: 8}})
    this.worker.on('message', ({compressed, error, bytes}: Answer) => {
      const {resolve, reject} = this.waiting.shift()!
      this.copies.push(bytes)
      if (compressed) resolve(Buffer.from(compressed.buffer))
      else reject(error!)
    })
    this.worker.on('error', (error) => {
      this.failure = error as Error
      for (const {reject} of this.waiting.splice(0)) reject(this.failure)
    })
  }

  compress(bytes: Buffer): Promise<Buffer> {
    if (this.failure !== null) return Promise.reject(this.failure)
    return new Promise((resolve, reject) => {
      this.waiting.push({resolve, reject})
      // A copy, which the thread owns until it has answered: the batch's own bytes are still needed here.
      const copy = this.copyOf(bytes)
      this.worker.postMessage({bytes: copy, length: bytes.length}, [copy.buffer])
    })
  }

  close(): Promise<unknown> {
    return this.worker.terminate()
  }

  /** In a buffer that has come back, if it is large enough: new ones for each would be garbage by the gigabyte. */
  private copyOf(bytes: Buffer): Uint8Array<ArrayBuffer> {
    const used = this.copies.pop()
    const copy = used && used.length >= bytes.length ? used : new Uint8Array(bytes.length)
    copy.set(bytes)
    return copy
  }
}
