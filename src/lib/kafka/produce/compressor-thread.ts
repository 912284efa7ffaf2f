import {parentPort, workerData} from 'node:worker_threads'

import {type Compression, compress} from '../../records/compression.js'

/** The second thread of a Compressor: each batch that comes in goes out compressed, in the same order. */
let last: Promise<void> = Promise.resolve()
parentPort!.on('message', ({bytes, length}: {bytes: Uint8Array<ArrayBuffer>; length: number}) => {
  last = last.then(async () => {
    try {
      const compressed = new Uint8Array(await compress(workerData as Compression, Buffer.from(bytes.buffer, 0, length)))
      parentPort!.postMessage({compressed, bytes}, [compressed.buffer, bytes.buffer])
    } catch (error) {
      parentPort!.postMessage({error, bytes}, [bytes.buffer])
    }
  })
})
