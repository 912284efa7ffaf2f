import {fdatasync as fdatasyncCallback, read as readCallback, writev as writevCallback} from 'node:fs'
import {open, rename} from 'node:fs/promises'
import {dirname} from 'node:path'
import {promisify} from 'node:util'

const readAt = promisify(readCallback)
const writevAt = promisify(writevCallback)

/** Writes some of `buffers` at `position`, and says how many bytes: the signature of a fault that a test injects. */
export type Write = (descriptor: number, buffers: Buffer[], position: number) => Promise<number>

export const write: Write = async (descriptor, buffers, position) => (await writevAt(descriptor, buffers, position)).bytesWritten

/** Resolves when the bytes of the file are on the disk. */
export const datasync: (descriptor: number) => Promise<void> = promisify(fdatasyncCallback)

/** Fills `buffer` from `position`. Returns how many bytes there were, fewer only at the end of the file. */
export async function readFully(descriptor: number, buffer: Buffer, position: number): Promise<number> {
  let filled = 0
  while (filled < buffer.length) {
    const {bytesRead} = await readAt(descriptor, buffer, filled, buffer.length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

/** Writes all of `buffers` from `position`. A disk that is nearly full takes a part first and fails on the rest. */
export async function writeFully(
  descriptor: number,
  buffers: readonly Buffer[],
  position: number,
  writeSome = write,
): Promise<void> {
  let rest = [...buffers]
  let at = position
  while (rest.length > 0) {
    const written = await writeSome(descriptor, rest, at)
    at += written
    rest = after(rest, written)
  }
}

function after(buffers: Buffer[], written: number): Buffer[] {
  let left = written
  const whole = buffers.findIndex((buffer) => {
    if (left < buffer.length) return true
    left -= buffer.length
    return false
  })
  if (whole === -1) return []
  return [buffers[whole]!.subarray(left), ...buffers.slice(whole + 1)]
}

/** Puts `contents` in the place of `path`, mode 0600: whenever the machine stops, either all of it is there or the old file. */
export async function replaceFile(path: string, contents: readonly Buffer[]): Promise<void> {
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await writeFully(file.fd, contents, 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

/** Makes created, renamed and deleted names durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
