import {closeSync, openSync} from 'node:fs'

/** Enough for every partition that MSK Serverless allows, all busy. Node lifts a process to what the system allows at most, commonly 4,096 or more. */
const OPEN_FILES = 2_600

/** The file was deleted or replaced before it could be opened. */
export class FileGone extends Error {
  override readonly name = 'FileGone'
}

/** Keeps the number of open files bounded: 2,400 partitions have more segments than a process may have descriptors. */
export class FilePool {
  #limit: number
  readonly #idle = new Set<PooledFile>()
  readonly #waiting: (() => void)[] = []
  #open = 0

  constructor(limit = OPEN_FILES) {
    this.#limit = limit
  }

  /** How many descriptors are open. */
  get open(): number {
    return this.#open
  }

  /** Closes the file that has been idle longest if there is no room. False when every open file is in use. */
  makeRoom(): boolean {
    if (this.#open < this.#limit) return true
    const [oldest] = this.#idle
    oldest?.closeIdle()
    return oldest !== undefined
  }

  /** Resolves when a use of some file has ended. */
  useEnds(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** The system allows no more: half of them are given back, for sockets need descriptors too. False when none of them is idle. */
  shrink(): boolean {
    const before = this.#open
    const enough = before >> 1
    this.#limit = Math.max(1, enough)
    for (const file of this.#idle) if (this.#open > enough) file.closeIdle()
    return this.#open < before
  }

  opened(): void {
    this.#open++
  }

  closed(file: PooledFile): void {
    this.#open--
    this.#idle.delete(file)
  }

  useBegins(file: PooledFile): void {
    this.#idle.delete(file)
  }

  /** One of those that wait goes on; the end of its use wakes the next one. */
  useEnded(file: PooledFile, isIdle: boolean): void {
    if (isIdle) this.#idle.add(file)
    this.wakeNext()
  }

  wakeNext(): void {
    this.#waiting.shift()?.()
  }
}

/** A file that is open while it is used, and for as long after as the pool has room. */
export class PooledFile {
  readonly path: string
  readonly #pool: FilePool
  #flags: string
  #descriptor: number | undefined
  #users = 0
  #gone = false

  /** `create`: the first use makes the file, mode 0600. */
  constructor(path: string, pool: FilePool, {create = false} = {}) {
    this.path = path
    this.#pool = pool
    this.#flags = create ? 'w+' : 'r+'
  }

  /**
   * Runs `work` with a descriptor that stays valid until it settles, even if the file is deleted or replaced meanwhile.
   * The file is opened before this returns unless the pool is full. `work` must not use another file of the pool: with
   * every descriptor taken that would wait for itself. Rejects with FileGone, or with what opening or `work` threw.
   */
  async use<T>(work: (descriptor: number) => Promise<T>): Promise<T> {
    while (this.#descriptor === undefined) if (!this.#pool.makeRoom() || !this.#open()) await this.#pool.useEnds()
    this.#users++ // not before: one that waits keeps nothing open
    this.#pool.useBegins(this)
    try {
      return await work(this.#descriptor)
    } finally {
      this.#users--
      if (this.#gone) this.closeIdle()
      this.#pool.useEnded(this, this.#users === 0 && this.#descriptor !== undefined)
    }
  }

  /** No use begins from now on; those that have begun go on. Call it after the file was unlinked, or replaced. */
  retire(): void {
    this.#gone = true
    this.closeIdle()
  }

  closeIdle(): void {
    if (this.#users > 0 || this.#descriptor === undefined) return
    closeSync(this.#descriptor)
    this.#descriptor = undefined
    this.#pool.closed(this)
  }

  /** False when the system allows no more until a use of another file ends. */
  #open(): boolean {
    try {
      if (this.#gone) throw new FileGone(this.path)
      this.#descriptor = openSync(this.path, this.#flags, 0o600)
    } catch (error) {
      if (isLimit(error)) {
        if (this.#pool.shrink()) return this.#open()
        if (this.#pool.open > 0) return false
      }
      this.#pool.wakeNext() // whoever waits may have better luck
      throw error
    }
    this.#flags = 'r+'
    this.#pool.opened()
    return true
  }
}

const isLimit = (error: unknown): boolean => ['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '')
