const LIMIT_BYTES = 256 * 1024 * 1024

/** What is smaller is not counted: 3,000 connections have room for that, and go on while large ones wait. */
const SMALL_BYTES = 64 * 1024

const PATIENCE_MS = 10_000

/**
 * How much is kept for the next large buffer. V8 collects all its garbage for every few new ones, and on a busy machine not soon:
 * with 16 MiB a hundred clients that fetch 56 MB at once were seen to cost up to 1,115 MiB, with 128 MiB 483.
 */
const SPARE_BYTES = 128 * 1024 * 1024
/** For so long after the last large request or response. */
const SPARE_MS = 1_000
/** Large buffers come in multiples of it, so that one fits another. */
const BUFFER_UNIT = 256 * 1024

/** What one connection takes of the memory for requests and responses. */
export type Holder = {
  /** In bytes. */
  readonly bytes: number
  /** What nobody holds, in bytes. */
  readonly free: number
  /** Resolves when there is room for so many bytes more: at once when they are few, and when everything is released. */
  take(bytes: number): Promise<void>
  /** Gives back all but so many bytes, if it has more. */
  keep(bytes: number): void
  /** Gives back everything. */
  release(): void
  /** So many bytes, with anything in them. Does not `take` them. */
  buffer(bytes: number): Buffer
  /** Nobody uses anymore what `buffer` gave. Without it, V8 collects them in its time. */
  reuse(): void
}

type Account = {bytes: number; buffers: Buffer[]; close(): void}
type Waiting = {account: Account; bytes: number; granted(): void}

/**
 * What large requests and responses take, over all connections: never more than a limit in all, as with Kafka's
 * queued.max.request.bytes (KIP-72). What does not fit waits in line. A client may take its time, but not at the cost of others:
 * when somebody has waited for the patience, the connection that has held its memory longest is closed.
 */
export class Memory {
  readonly #limitBytes: number
  readonly #patienceMs: number
  #used = 0
  /** The one that has held something longest comes first. */
  readonly #accounts = new Set<Account>()
  #waiting: Waiting[] = []
  #spare: Buffer[] = []
  #quiet: NodeJS.Timeout | undefined
  #impatience: NodeJS.Timeout | undefined

  constructor({limitBytes = LIMIT_BYTES, patienceMs = PATIENCE_MS} = {}) {
    this.#limitBytes = limitBytes
    this.#patienceMs = patienceMs
  }

  /** For one connection; `close` ends it, upon which it releases what it has. */
  holder(close: () => void): Holder {
    const account: Account = {bytes: 0, buffers: [], close}
    const free = (): number => Math.max(0, this.#limitBytes - this.#used)
    return {
      get bytes() {
        return account.bytes
      },
      get free() {
        return free()
      },
      take: (bytes) => (bytes > SMALL_BYTES ? this.#take(account, bytes) : Promise.resolve()),
      keep: (bytes) => this.#keep(account, bytes),
      release: () => {
        this.#forget(account)
        this.#keep(account, 0)
        account.buffers = []
      },
      buffer: (bytes) => (bytes > SMALL_BYTES ? this.#buffer(account, bytes) : Buffer.allocUnsafe(bytes)),
      reuse: () => this.#reuse(account),
    }
  }

  #take(account: Account, bytes: number): Promise<void> {
    return new Promise((granted) => {
      this.#waiting.push({account, bytes, granted})
      this.#serve()
    })
  }

  #keep(account: Account, bytes: number): void {
    if (account.bytes <= bytes) return
    this.#used -= account.bytes - bytes
    account.bytes = bytes
    if (bytes === 0) this.#accounts.delete(account)
    this.#serve()
  }

  #forget(account: Account): void {
    const forgotten = this.#waiting.filter((waiting) => waiting.account === account)
    if (forgotten.length === 0) return
    this.#waiting = this.#waiting.filter((waiting) => waiting.account !== account)
    for (const {granted} of forgotten) granted()
    this.#serve()
  }

  #buffer(account: Account, bytes: number): Buffer {
    const index = this.#spare.findIndex(({length}) => length >= bytes && length <= 2 * bytes + BUFFER_UNIT)
    const [spare] = index < 0 ? [] : this.#spare.splice(index, 1)
    const buffer = spare ?? Buffer.allocUnsafeSlow(Math.ceil(bytes / BUFFER_UNIT) * BUFFER_UNIT)
    account.buffers.push(buffer)
    return buffer.subarray(0, bytes)
  }

  #reuse(account: Account): void {
    if (account.buffers.length === 0) return
    this.#spare.push(...account.buffers)
    account.buffers = []
    let bytes = this.#spare.reduce((sum, {length}) => sum + length, 0)
    while (bytes > SPARE_BYTES) bytes -= this.#spare.shift()!.length
    this.#quiet ??= setTimeout(() => this.#letGo(), SPARE_MS).unref()
    this.#quiet.refresh()
  }

  #letGo(): void {
    this.#spare = []
    this.#quiet = undefined
  }

  #serve(): void {
    const before = this.#waiting[0]
    for (let first = before; first && this.#fits(first); first = this.#waiting[0]) {
      this.#waiting.shift()
      this.#used += first.bytes
      first.account.bytes += first.bytes
      this.#accounts.add(first.account)
      first.granted()
    }
    if (this.#impatience && this.#waiting[0] === before) return
    clearTimeout(this.#impatience)
    this.#impatience = this.#waiting.length > 0 ? setTimeout(() => this.#closeOldest(), this.#patienceMs) : undefined
  }

  /** Who holds all that is held may have more than the limit: it would wait for itself. */
  #fits({account, bytes}: Waiting): boolean {
    return this.#used === account.bytes || this.#used + bytes <= this.#limitBytes
  }

  #closeOldest(): void {
    this.#impatience = undefined
    const [oldest] = this.#accounts
    oldest?.close()
    this.#serve()
  }
}
