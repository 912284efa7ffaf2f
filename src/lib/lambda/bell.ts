/** Wakes whoever waits. Look at what you wait for, then wait without an `await` in between: no ring is missed. */
export class Bell {
  #rung!: Promise<void>
  #ring!: () => void

  constructor() {
    this.#hang()
  }

  #hang(): void {
    this.#rung = new Promise((resolve) => {
      this.#ring = resolve
    })
  }

  wait(): Promise<void> {
    return this.#rung
  }

  ring(): void {
    this.#ring()
    this.#hang()
  }
}

/** Lets so many pieces of work run at a time, in the order in which they came. */
export class Slots {
  #free: number
  readonly #queue: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#queue.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#queue.shift()
      if (next) next()
      else this.#free++
    }
  }
}
