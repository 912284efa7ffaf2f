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

/** Compresses `bytes`, which stay as they are meanwhile. What they became is there only until `take` returns. */
export type Compress = <T>(bytes: Buffer, take: (compressed: Buffer) => T) => Promise<T>

type Waiting = {take(compressed: Buffer): unknown; resolve(taken: unknown): void; reject(error: unknown): void}
type Job = Waiting & {bytes: Buffer}

/** Who compresses one batch after the other beside the thread that reads; `most` it takes at a time. */
type Hand = {jobs: number; most: number; compress: Compress; close(): Promise<unknown>}

/** Compresses batches, several at a time: in the threads of Node, and the codecs that are our own in threads of ours. */
export class Compressor {
  private readonly codec: Compression
  private batches = 0
  private readonly hands: Hand[] = []
  private readonly queue: Job[] = []

  constructor(codec: Compression) {
    this.codec = codec
  }

  readonly compress: Compress = async (bytes, take) => {
    if (!this.isWorthAThread(bytes)) return take(await compress(this.codec, bytes))
    return new Promise((resolve, reject) => {
      this.queue.push({bytes, take, resolve, reject})
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
      const {bytes, take, resolve, reject} = this.queue.shift()!
      hand.jobs++
      const done = hand.compress(bytes, take).finally(() => {
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
  compress: async (bytes, take) => take(await compress(codec, bytes)),
  close: async () => {},
})

/** Bytes of which `length` count. They go back and forth between the threads, since new ones for each would be garbage by the gigabyte. */
type Transferred = {bytes: Uint8Array<ArrayBuffer>; length: number}

/** `input` is to be compressed; `output` has room for what it becomes, or is replaced. */
export type Question = {input: Transferred; output: Uint8Array<ArrayBuffer>}
export type Answer = {input: Uint8Array<ArrayBuffer>; output: Transferred | Error}

class Thread implements Hand {
  jobs = 0
  /** The next are there when it is done with one. */
  readonly most = 4
  private readonly worker: Worker
  private readonly waiting: Waiting[] = []
  private readonly inputs: Uint8Array<ArrayBuffer>[] = []
  private readonly outputs: Uint8Array<ArrayBuffer>[] = []
  /** What ended the thread, out of memory perhaps: nobody would answer any more. */
  private failure: Error | null = null

  constructor(codec: Compression) {
    this.worker = new Worker(THREAD, {workerData: codec, resourceLimits: {maxYoungGenerationSizeMb: 8}})
    this.worker.on('message', (answer: Answer) => this.answered(answer, this.waiting.shift()!))
    this.worker.on('error', (error) => {
      this.failure = error as Error
      for (const {reject} of this.waiting.splice(0)) reject(this.failure)
    })
  }

  readonly compress: Compress = async (bytes, take) => {
    if (this.failure !== null) throw this.failure
    return new Promise((resolve, reject) => {
      this.waiting.push({take, resolve, reject})
      // A copy, which the thread owns until it has answered: the batch's own bytes are still needed here.
      const input = {bytes: this.copyOf(bytes), length: bytes.length}
      const output = this.outputs.pop() ?? new Uint8Array(0)
      this.worker.postMessage({input, output} satisfies Question, [input.bytes.buffer, output.buffer])
    })
  }

  close(): Promise<unknown> {
    return this.worker.terminate()
  }

  private answered({input, output}: Answer, {take, resolve, reject}: Waiting): void {
    this.inputs.push(input)
    if (output instanceof Error) {
      reject(output)
      return
    }
    try {
      resolve(take(Buffer.from(output.bytes.buffer, 0, output.length)))
    } catch (error) {
      reject(error)
    }
    this.outputs.push(output.bytes)
  }

  private copyOf(bytes: Buffer): Uint8Array<ArrayBuffer> {
    const used = this.inputs.pop()
    const copy = used && used.length >= bytes.length ? used : new Uint8Array(bytes.length)
    copy.set(bytes)
    return copy
  }
}
