import {type FileHandle, open} from 'node:fs/promises'

import {SkkError} from '../../errors.js'

/** Where consumed records go. Each write resolves when all its parts are taken, which may then be changed. */
export type Output = {
  /** Whether nothing was written there before. */
  isEmpty: boolean
  write(...parts: Buffer[]): Promise<void>
  close(): Promise<void>
}

/** Once nobody is to wait any longer, a reader still gets so long for what is on its way. */
const GRACE_MS = 1_000

/**
 * Standard output, as fast as its reader. Its errors are for who owns the process, which then ends, as `signal` tells; a write that
 * nobody took rejects then.
 */
export function standardOutput(signal: AbortSignal): Output {
  let over = false
  const waiting = new Set<(error: Error) => void>()
  const giveUp = (): void => {
    over = true
    for (const reject of waiting) reject(untaken())
  }
  signal.addEventListener('abort', () => setTimeout(giveUp, process.stdout.writable ? GRACE_MS : 0), {once: true})
  return {
    isEmpty: true,
    write: (...parts) =>
      new Promise((resolve, reject) => {
        if (over) {
          reject(untaken())
          return
        }
        waiting.add(reject)
        const last = parts.pop() ?? Buffer.alloc(0)
        for (const part of parts) process.stdout.write(part)
        process.stdout.write(last, (error) => {
          if (error) return
          waiting.delete(reject)
          resolve()
        })
      }),
    async close() {},
  }
}

const untaken = (): Error => new Error('the reader of standard output takes nothing more')

/** A file, made or emptied first. Its functions throw SkkError (local I/O). */
export async function fileOutput(path: string): Promise<Output> {
  const file = await open(path, 'w').catch((error) => {
    throw unwritable(path, error)
  })
  return appendingTo(file, path, 0)
}

/**
 * Writes to `file`, which is `length` bytes long and stands at its end. Where a write fails, what it wrote of its parts is taken back:
 * the file never ends within a record.
 */
export function appendingTo(file: FileHandle, path: string, length: number): Output & {length(): number} {
  let end = length
  return {
    isEmpty: length === 0,
    length: () => end,
    async write(...parts) {
      try {
        for (const part of parts) await file.writeFile(part)
      } catch (error) {
        // Devices have no length to cut; the failed write is what is told.
        await file.truncate(end).catch(() => {})
        throw unwritable(path, error as NodeJS.ErrnoException)
      }
      for (const part of parts) end += part.length
    },
    async close() {
      await file.close().catch((error) => {
        throw unwritable(path, error)
      })
    },
  }
}

export const unwritable = (path: string, cause: NodeJS.ErrnoException): SkkError =>
  new SkkError(`cannot write "${path}": ${cause.code === 'ENOSPC' ? 'no space left on device' : cause.message}`, {
    code: 'OUTPUT_FAILED',
    exit: 'localIo',
    hint: 'Make room, or choose another `--output-file`.',
    cause,
  })
