import {type Invoke, type InvokeResult, Sandbox, type SandboxSettings} from './sandbox.js'

/** All that a sandbox is made of; `key` is the same for invocations that may share one. */
export type Runnable = SandboxSettings & {key: string}

/** How many invocations run at once on one machine; an account has 1,000. */
const MAX_CONCURRENT = 50
/** Lambda keeps one for minutes; so long, too, does an idle process here take memory. */
const IDLE_MS = 300_000

/** `invoke` answers this when too many run already. */
export const THROTTLED = Symbol('throttled')

/** The sandboxes of a stack: one for each invocation that runs, kept warm for the next. */
export class Sandboxes {
  readonly #idle = new Map<string, {sandbox: Sandbox; timer: NodeJS.Timeout}[]>()
  readonly #all = new Set<Sandbox>()
  /** Keys whose sandboxes are not to be kept. */
  readonly #retired = new Set<string>()
  #running = 0
  #closed = false

  async invoke(runnable: Runnable, invoke: Invoke): Promise<InvokeResult | typeof THROTTLED> {
    if (this.#running >= MAX_CONCURRENT || this.#closed) return THROTTLED
    this.#running++
    try {
      const sandbox = this.#takeIdle(runnable.key) ?? (await this.#start(runnable))
      const result = await sandbox.invoke(invoke)
      this.#keep(runnable.key, sandbox)
      return result
    } finally {
      this.#running--
    }
  }

  #takeIdle(key: string): Sandbox | undefined {
    for (let kept = this.#idle.get(key)?.pop(); kept; kept = this.#idle.get(key)?.pop()) {
      clearTimeout(kept.timer)
      if (kept.sandbox.isUsable) return kept.sandbox
      this.#end(kept.sandbox)
    }
    return undefined
  }

  async #start(runnable: Runnable): Promise<Sandbox> {
    const sandbox = await Sandbox.start(runnable)
    this.#all.add(sandbox)
    // The stack was stopped while this one started.
    if (this.#closed) this.#end(sandbox)
    return sandbox
  }

  #keep(key: string, sandbox: Sandbox): void {
    if (this.#closed || this.#retired.has(key) || !sandbox.isUsable) {
      this.#end(sandbox)
      return
    }
    const timer = setTimeout(() => {
      this.#idle.set(key, this.#idle.get(key)?.filter((kept) => kept.sandbox !== sandbox) ?? [])
      this.#end(sandbox)
    }, IDLE_MS)
    timer.unref()
    this.#idle.set(key, [...(this.#idle.get(key) ?? []), {sandbox, timer}])
  }

  #end(sandbox: Sandbox): void {
    void sandbox.stop().then(() => this.#all.delete(sandbox))
  }

  /** What runs goes on to its end; nothing new starts in these sandboxes. Keys are never used again. */
  retire(key: string): void {
    this.#retired.add(key)
    for (const {sandbox, timer} of this.#idle.get(key) ?? []) {
      clearTimeout(timer)
      this.#end(sandbox)
    }
    this.#idle.delete(key)
  }

  /** Kills all of them. */
  async close(): Promise<void> {
    this.#closed = true
    for (const {timer} of [...this.#idle.values()].flat()) clearTimeout(timer)
    this.#idle.clear()
    await Promise.all([...this.#all].map((sandbox) => sandbox.stop()))
  }
}
