import {parentPort, workerData} from 'node:worker_threads'

import {type Compression, compressForNow} from '../../records/compression.js'
import type {Answer, Question} from './compressor.js'

const answer = (what: Answer, transferred: ArrayBuffer[]): void => parentPort!.postMessage(what, transferred)

/** The second thread of a Compressor: each batch that comes in goes out compressed, in the same order. */
let last: Promise<void> = Promise.resolve()
parentPort!.on('message', ({input, output}: Question) => {
  last = last.then(async () => {
    try {
      const compressed = await compressForNow(workerData as Compression, Buffer.from(input.bytes.buffer, 0, input.length))
      const {length} = compressed
      // The next will be about as large.
      const bytes = output.length >= length ? output : new Uint8Array(Math.ceil(length * 1.1))
      bytes.set(compressed)
      answer({input: input.bytes, output: {bytes, length}}, [input.bytes.buffer, bytes.buffer])
    } catch (error) {
      answer({input: input.bytes, output: error as Error}, [input.bytes.buffer])
    }
  })
})
