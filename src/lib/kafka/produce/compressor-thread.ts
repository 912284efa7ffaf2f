import {parentPort, workerData} from 'node:worker_threads'

import {type Compression, compress} from '../../records/compression.js'

/** The second thread of a Compressor: each batch that comes in goes out compressed, in the same order. */
let last: Promise<void> = Promise.resolve()
parentPort!.on('message', (bytes: Uint8Array) => {
  last = last.then(async () => {
    try {
      const compressed = await compress(workerData as Compression, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      const answer = new Uint8Array(compressed)
      parentPort!.postMessage(answer, [answer.buffer])
    } catch (error) {
      parentPort!.postMessage(error as Error)
    }
  })
})
