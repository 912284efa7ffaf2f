import {once} from 'node:events'
import {open} from 'node:fs/promises'

import {SkkError} from '../../errors.js'

/** Where consumed records go. Each write resolves when the next one may come. */
export type Output = {write(bytes: Buffer): Promise<void>; close(): Promise<void>}

/** Standard output, as fast as its reader. Its errors are for who owns the process: it ends. */
export function standardOutput(signal: AbortSignal): Output {
  return {
    async write(bytes) {
      // A closed pipe never drains.
      if (!process.stdout.write(bytes)) await once(process.stdout, 'drain', {signal}).catch(() => {})
    },
    async close() {},
  }
}

/** A file, made or emptied first. Its functions throw SkkError (local I/O). */
export async function fileOutput(path: string): Promise<Output> {
  const file = await open(path, 'w').catch((error) => {
    throw unwritable(path, error)
  })
  return {
    async write(bytes) {
      await file.writeFile(bytes).catch((error) => {
        throw unwritable(path, error)
      })
    },
    async close() {
      await file.close().catch((error) => {
        throw unwritable(path, error)
      })
    },
  }
}

const unwritable = (path: string, cause: NodeJS.ErrnoException): SkkError =>
  new SkkError(`cannot write "${path}": ${cause.code === 'ENOSPC' ? 'no space left on device' : cause.message}`, {
    code: 'OUTPUT_FAILED',
    exit: 'localIo',
    hint: 'Make room, or choose another `--output-file`.',
    cause,
  })
