import {createReadStream} from 'node:fs'
import {type FileHandle, open} from 'node:fs/promises'
import type {Readable} from 'node:stream'
import {createGunzip} from 'node:zlib'

import {changed, type Source, STANDARD_INPUT, unreadable} from './input.js'

const STREAM_BYTES = 256 * 1024

/** The bytes of one input, in order. */
export type Reader = {
  /** Puts some bytes into `buffer` at `at`, and says how many; 0 at the end, or once the run is being stopped. */
  read(buffer: Buffer, at: number): Promise<number>
  /** So far, as they are stored: of a compressed file fewer than `read` gave. */
  consumed(): number
  close(): Promise<void>
}

/** Opens an input; one whose name ends in `.gz` is decompressed. Its errors are SkkError (local I/O). */
export async function openReader(source: Source, signal: AbortSignal): Promise<Reader> {
  if (source.open) return source.open()
  if (source.name === STANDARD_INPUT) return streamReader(source, process.stdin, signal)
  if (source.bytes !== null && !source.name.endsWith('.gz')) return fileReader(source, signal)
  const file = createReadStream(source.name, {highWaterMark: STREAM_BYTES})
  if (!source.name.endsWith('.gz')) return streamReader(source, file, signal)
  const unzipped = createGunzip({chunkSize: STREAM_BYTES})
  file.once('error', (error) => unzipped.destroy(error))
  return {...streamReader(source, file.pipe(unzipped), signal), consumed: () => file.bytesRead}
}

async function fileReader(source: Source, signal: AbortSignal): Promise<Reader> {
  const file = await guarded(source, open(source.name))
  let consumed = 0
  return {
    async read(buffer, at) {
      if (signal.aborted) return 0
      const {bytesRead} = await guarded(source, file.read(buffer, at, buffer.length - at, null))
      consumed += bytesRead
      if (bytesRead === 0) await refuseChanged(source, file)
      return bytesRead
    },
    consumed: () => consumed,
    close: () => file.close(),
  }
}

/** What was read of a file that was written to meanwhile is neither its old content nor its new one. */
async function refuseChanged(source: Source, file: FileHandle): Promise<void> {
  const {size, mtimeMs} = await guarded(source, file.stat())
  if (size !== source.bytes || mtimeMs !== source.modified) throw changed(source.name, 'while it was read')
}

function streamReader(source: Source, stream: Readable, signal: AbortSignal): Reader {
  const chunks = stream[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  let consumed = 0
  const stop = () => stream.destroy()
  signal.addEventListener('abort', stop, {once: true})
  if (signal.aborted) stop()
  return {
    async read(buffer, at) {
      try {
        while (rest.length === 0) {
          const next = await chunks.next()
          if (next.done || signal.aborted) return 0
          rest = next.value
          consumed += rest.length
        }
      } catch (error) {
        if (signal.aborted) return 0
        throw unreadable(source.name, error as Error)
      }
      const copied = rest.copy(buffer, at)
      rest = rest.subarray(copied)
      return copied
    },
    consumed: () => consumed,
    async close() {
      signal.removeEventListener('abort', stop)
      stream.destroy()
    },
  }
}

async function guarded<T>(source: Source, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw unreadable(source.name, error as Error)
  }
}
