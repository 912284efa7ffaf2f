type Waiting<T> = {item: T; written: Promise<void>; resolve(): void; reject(error: unknown): void}

export type GroupCommitOptions<T> = {
  /** Writes the items in one go. If it rejects, none of them may be on disk. */
  write(items: readonly T[]): Promise<void>
  /** How many of the first items, at least one, go into the next write. */
  groupSize(queue: readonly {item: T}[]): number
  /** Called when a write failed, in the same tick in which everything in the queue is given up. */
  failed(): void
}

/** Writes what is added in order, one write at a time: what is added while one is in flight shares the next one. */
export class GroupCommit<T> {
  readonly #options: GroupCommitOptions<T>
  #queue: Waiting<T>[] = []
  #inFlight: Waiting<T>[] = []
  #tasks: (() => Promise<void>)[] = []
  #running: Promise<void> | undefined

  constructor(options: GroupCommitOptions<T>) {
    this.#options = options
  }

  /** Resolves when the item was written; rejects with the error of its own write, or of one before it in the queue. */
  add(item: T): Promise<void> {
    let settle!: Pick<Waiting<T>, 'resolve' | 'reject'>
    const written = new Promise<void>((resolve, reject) => {
      settle = {resolve, reject}
    })
    this.#queue.push({item, written, ...settle})
    this.#running ??= this.#run()
    return written
  }

  /** Runs `task` while no write is in flight. */
  between<R>(task: () => R | Promise<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#tasks.push(async () => {
        try {
          resolve(await task())
        } catch (error) {
          reject(error)
        }
      })
      this.#running ??= this.#run()
    })
  }

  /** The write that an item still waits for, if there is such an item. */
  pending(isIt: (item: T) => boolean): Promise<void> | undefined {
    const waiting = [...this.#inFlight, ...this.#queue].find(({item}) => isIt(item))
    return waiting?.written
  }

  /** Resolves when the queue is empty. */
  async drained(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    await null // what is added in the same tick shares the first write too
    while (this.#tasks.length > 0 || this.#queue.length > 0) {
      for (const task of this.#tasks.splice(0)) await task()
      if (this.#queue.length > 0) await this.#writeGroup()
    }
    this.#running = undefined
  }

  async #writeGroup(): Promise<void> {
    this.#inFlight = this.#queue.splice(0, this.#options.groupSize(this.#queue))
    try {
      await this.#options.write(this.#inFlight.map(({item}) => item))
      for (const {resolve} of this.#inFlight) resolve()
    } catch (error) {
      const givenUp = [...this.#inFlight, ...this.#queue.splice(0)]
      this.#options.failed()
      for (const {reject} of givenUp) reject(error)
    }
    this.#inFlight = []
  }
}
