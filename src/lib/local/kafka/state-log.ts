import {constants, type FileHandle, mkdir, open, rename, rm} from 'node:fs/promises'
import {dirname} from 'node:path'
import {setImmediate} from 'node:timers/promises'

import {crc32c} from '../../records/crc32c.js'
import {readFully, syncDirectory, type Write, write, writeFully} from './log/files.js'
import {GroupCommit} from './log/group-commit.js'

export type StateLogOptions = {
  /** Whether an append resolves only when the entry is on the disk itself. */
  fsync: boolean
  /** From what size on the file is rewritten, when it is also twice what it was after the last time. Default 1 MiB. */
  compactBytes?: number
  /** Where a test injects a full disk. */
  write?: Write
}

/** The version of a frame's contents. */
const VERSION = 1

/** Length, CRC-32C, version. The length counts what follows it, the checksum covers what follows that. */
const FRAME_HEADER_BYTES = 9

const FRAMES_PER_WRITE = 1_000

const TEMPORARY = '.tmp'

const COMPACT_BYTES = 1024 * 1024

/**
 * State as the entries that led to it, in one file of frames `length(4) | crc32c(4) | version(1) | json`. The file is
 * rewritten from a snapshot when it has grown.
 */
export class StateLog {
  readonly #path: string
  readonly #options: Required<StateLogOptions>
  readonly #snapshot: () => Iterable<unknown>
  readonly #commits: GroupCommit<Buffer>
  #file: FileHandle
  #size: number
  /** Bytes of a failed write may lie behind `size`. */
  #torn = false
  /** At what size the file is rewritten next. */
  #compactAt: number
  #ended = false

  private constructor(
    path: string,
    file: FileHandle,
    size: number,
    snapshot: () => Iterable<unknown>,
    options: Required<StateLogOptions>,
  ) {
    this.#path = path
    this.#file = file
    this.#size = size
    this.#snapshot = snapshot
    this.#options = options
    this.#compactAt = options.compactBytes
    this.#commits = new GroupCommit({
      write: (frames) => this.#write(frames),
      groupSize: (queue) => Math.min(queue.length, FRAMES_PER_WRITE),
      failed: () => {},
    })
  }

  /**
   * Opens the file, which is made (mode 0600) if it is missing, and calls `replay` with each entry in order. What a crash
   * left unfinished at the end is cut off.
   *
   * `snapshot` yields entries that lead to the same state. It must know an entry one turn of the event loop after its
   * append has resolved. It may know it before; as the entry follows again then, replaying it twice must not matter.
   *
   * Rejects with what the file system or `replay` throws, and on entries of a later version of this program.
   */
  static async open(
    path: string,
    replay: (entry: unknown) => void,
    snapshot: () => Iterable<unknown>,
    options: StateLogOptions,
  ): Promise<StateLog> {
    await mkdir(dirname(path), {recursive: true, mode: 0o700})
    await rm(`${path}${TEMPORARY}`, {force: true})
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    try {
      const size = await replayFile(file, replay)
      await file.truncate(size)
      return new StateLog(path, file, size, snapshot, {compactBytes: COMPACT_BYTES, write, ...options})
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Resolves when the entry is written and, with `fsync`, on the disk. Rejects when it is not, and will not be there. */
  async append(entry: object): Promise<void> {
    if (this.#ended) throw new Error(`${this.#path} is closed`)
    await this.#commits.add(frameOf(entry))
  }

  async #write(frames: readonly Buffer[]): Promise<void> {
    if (this.#torn) await this.#cut()
    try {
      await writeFully(this.#file.fd, frames, this.#size, this.#options.write)
      if (this.#options.fsync) await this.#file.datasync()
    } catch (error) {
      this.#torn = true
      await this.#cut().catch(() => {}) // before the next write then, which fails if that fails
      throw error
    }
    this.#size += sizeOf(frames)
    if (this.#size >= this.#compactAt) this.#compactSoon()
  }

  async #cut(): Promise<void> {
    await this.#file.truncate(this.#size)
    this.#torn = false
  }

  /** Appends wait meanwhile. When it fails, for want of space say, the old file is as good and it is tried again later. */
  #compactSoon(): void {
    this.#compactAt = Number.POSITIVE_INFINITY
    const compacted = this.#commits.between(() => this.#compact())
    const scheduleNext = (): void => {
      this.#compactAt = Math.max(this.#options.compactBytes, this.#size * 2)
    }
    compacted.then(scheduleNext, scheduleNext)
  }

  async #compact(): Promise<void> {
    await setImmediate() // those whose append has just resolved put the entry into the state
    const frames = [...this.#snapshot()].map(frameOf)
    const temporary = `${this.#path}${TEMPORARY}`
    const file = await open(temporary, 'w+', 0o600)
    try {
      await writeFully(file.fd, frames, 0, this.#options.write)
      await file.datasync()
      await rename(temporary, this.#path)
    } catch (error) {
      await file.close()
      throw error
    }
    const old = this.#file
    this.#file = file
    this.#size = sizeOf(frames)
    this.#torn = false
    await old.close()
    await syncDirectory(dirname(this.#path))
  }

  /** Resolves when everything is on the disk. */
  async close(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#commits.drained()
    await this.#file.datasync()
    await this.#file.close()
  }
}

/** Returns where the good entries end. */
async function replayFile(file: FileHandle, replay: (entry: unknown) => void): Promise<number> {
  const bytes = Buffer.allocUnsafe((await file.stat()).size)
  const filled = await readFully(file.fd, bytes, 0)
  let size = 0
  for (const {entry, end} of entriesIn(bytes.subarray(0, filled))) {
    replay(entry)
    size = end
  }
  return size
}

const sizeOf = (frames: readonly Buffer[]): number => frames.reduce((sum, {length}) => sum + length, 0)

function frameOf(entry: unknown): Buffer {
  const json = JSON.stringify(entry)
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + Buffer.byteLength(json))
  frame.writeUInt8(VERSION, 8)
  frame.write(json, FRAME_HEADER_BYTES)
  frame.writeUInt32BE(frame.length - 4, 0)
  frame.writeUInt32BE(crc32c(frame, 8), 4)
  return frame
}

/** The entries up to the first frame that is not whole. */
function* entriesIn(bytes: Buffer): Generator<{entry: unknown; end: number}> {
  let at = 0
  while (at + FRAME_HEADER_BYTES <= bytes.length) {
    const end = at + 4 + bytes.readUInt32BE(at)
    const isWhole =
      end >= at + FRAME_HEADER_BYTES && end <= bytes.length && crc32c(bytes, at + 8, end) === bytes.readUInt32BE(at + 4)
    if (!isWhole) return
    const version = bytes.readUInt8(at + 8)
    if (version !== VERSION) throw new Error(`a state entry of version ${version}, where only ${VERSION} is known`)
    yield {entry: JSON.parse(bytes.toString('utf8', at + FRAME_HEADER_BYTES, end)), end}
    at = end
  }
}
