import {type ChildProcess, spawn} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {fileURLToPath} from 'node:url'

import {eachLine} from './lines.js'
import {type RuntimeApi, serveRuntimeApi} from './runtime-api.js'

export type SandboxSettings = {
  functionArn: string
  version: string
  runtime: string
  timeoutMs: number
  memoryMb: number
  codeDir: string
  /** All of it: nothing of our own environment is added. */
  environment: Readonly<Record<string, string>>
  log(line: string): void
}

export type Invoke = {requestId: string; payload: Buffer; clientContext?: string | undefined}

/** What Lambda's Invoke answers. */
export type InvokeResult = {
  requestId: string
  payload: Buffer
  /** Set when the payload describes an error. */
  functionError: 'Unhandled' | undefined
  timedOut: boolean
  /** The last 4 KB of the invocation's log. */
  logTail: Buffer
}

type Running = Invoke & {
  startedAt: number
  result: Pick<InvokeResult, 'payload' | 'functionError' | 'timedOut'> | undefined
  /** The end of its log, at least LOG_TAIL_BYTES of it if there are so many. */
  tail: string
  timer: NodeJS.Timeout
  finish(result: InvokeResult): void
}

const BOOTSTRAP = fileURLToPath(new URL('./bootstrap.mjs', import.meta.url))
const LOG_TAIL_BYTES = 4096
/** Lambda gives the initialisation 10 s of its own; a function with a longer timeout has that. */
const INIT_MS = 10_000

/**
 * One execution environment: a child process that takes one invocation at a time over a Runtime API of its own. It ends
 * with a timeout, an exit or a failed start; `isUsable` tells.
 */
export class Sandbox {
  readonly #settings: SandboxSettings
  #api!: RuntimeApi
  #child!: ChildProcess
  #running: Running | undefined
  /** Until the process asked for work the first time. */
  #initStartedAt: number | undefined = Date.now()
  #initMs: number | undefined
  #initError: Buffer | undefined
  #isUsable = true
  #stopped!: Promise<void>

  private constructor(settings: SandboxSettings) {
    this.#settings = settings
  }

  static async start(settings: SandboxSettings): Promise<Sandbox> {
    const sandbox = new Sandbox(settings)
    sandbox.#api = await serveRuntimeApi({
      next: () => sandbox.#onNext(),
      response: (requestId, payload) => sandbox.#onResult(requestId, payload, undefined),
      error: (requestId, payload) => sandbox.#onResult(requestId, payload, 'Unhandled'),
      initError: (payload) => {
        sandbox.#initError = payload
      },
    })
    sandbox.#spawn()
    return sandbox
  }

  /** Whether it can take an invocation. */
  get isUsable(): boolean {
    return this.#isUsable && this.#running === undefined
  }

  #spawn(): void {
    const {memoryMb, codeDir, environment, log, runtime} = this.#settings
    log(`INIT_START Runtime Version: ${runtime} (node ${process.version})`)
    // Lambda leaves a tenth to what is not V8's heap.
    const args = [`--max-old-space-size=${Math.floor(memoryMb * 0.9)}`, BOOTSTRAP]
    const child = spawn(process.execPath, args, {
      cwd: codeDir,
      env: {...environment, AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${this.#api.port}`},
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C in our terminal is not the function's, and its own children end with it.
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    this.#child = child
    for (const stream of [child.stdout!, child.stderr!]) {
      eachLine(stream, (line) => this.#onLine(line))
    }
    this.#stopped = new Promise((resolve) => {
      const ended = (code: number | null, signal: NodeJS.Signals | null) => {
        this.#onExit(code, signal)
        resolve()
      }
      child.once('close', ended)
      child.once('error', (error) => {
        this.#onLine(`cannot start node: ${error.message}`)
        ended(1, null)
      })
    })
  }

  /** Runs the function once. Never rejects: what goes wrong is in the result, in Lambda's shape. */
  invoke(invoke: Invoke): Promise<InvokeResult> {
    const {functionArn, version, timeoutMs} = this.#settings
    return new Promise((finish) => {
      const startedAt = Date.now()
      const limitMs = this.#initMs === undefined ? Math.max(INIT_MS, timeoutMs) : timeoutMs
      const timer = setTimeout(() => this.#onTimeout(), limitMs)
      this.#running = {...invoke, startedAt, timer, finish, tail: '', result: undefined}
      this.#onLine(`START RequestId: ${invoke.requestId} Version: ${version}`)
      if (!this.#isUsable) return this.#onExit(1, null)
      const deadlineMs = startedAt + timeoutMs
      const traceId = `Root=1-${Math.floor(startedAt / 1000).toString(16)}-${randomBytes(12).toString('hex')};Sampled=0`
      this.#api.give({...invoke, deadlineMs, functionArn, traceId, clientContext: invoke.clientContext})
    })
  }

  #onNext(): void {
    if (this.#initStartedAt !== undefined) {
      this.#initMs = Date.now() - this.#initStartedAt
      this.#initStartedAt = undefined
      if (this.#running) {
        clearTimeout(this.#running.timer)
        this.#running.timer = setTimeout(() => this.#onTimeout(), this.#settings.timeoutMs)
        this.#running.startedAt = Date.now()
      }
      return
    }
    // What the process wrote before it asked is read before the invocation ends.
    if (this.#running?.result) setImmediate(() => setImmediate(() => void this.#finish()))
  }

  #onResult(requestId: string, payload: Buffer, functionError: 'Unhandled' | undefined): boolean {
    if (this.#running?.requestId !== requestId || this.#running.result) return false
    this.#running.result = {payload, functionError, timedOut: false}
    return true
  }

  #onTimeout(): void {
    const running = this.#running
    if (!running || running.result) return
    const seconds = (this.#settings.timeoutMs / 1000).toFixed(2)
    this.#onLine(`${new Date().toISOString()} ${running.requestId} Task timed out after ${seconds} seconds`)
    running.result = failure('Sandbox.Timedout', `RequestId: ${running.requestId} Error: Task timed out after ${seconds} seconds`)
    running.result.timedOut = true
    void this.#finish()
    void this.stop()
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#isUsable = false
    this.#api.close()
    const running = this.#running
    if (!running) return
    running.result ??= this.#initError
      ? {payload: this.#initError, functionError: 'Unhandled', timedOut: false}
      : failure('Runtime.ExitError', `RequestId: ${running.requestId} Error: ${exitReason(code, signal)}`)
    void this.#finish()
  }

  async #finish(): Promise<void> {
    const running = this.#running
    if (!running?.result) return
    this.#running = undefined
    clearTimeout(running.timer)
    const {requestId, startedAt, result} = running
    const report = await this.#report(requestId, Date.now() - startedAt)
    for (const line of [`END RequestId: ${requestId}`, report]) {
      running.tail += `${line}\n`
      this.#settings.log(line)
    }
    const log = Buffer.from(running.tail)
    running.finish({...result, requestId, logTail: log.subarray(Math.max(0, log.length - LOG_TAIL_BYTES))})
  }

  async #report(requestId: string, durationMs: number): Promise<string> {
    const used = await peakMemoryMb(this.#child.pid)
    const columns = [
      `REPORT RequestId: ${requestId}`,
      `Duration: ${durationMs.toFixed(2)} ms`,
      `Billed Duration: ${Math.ceil(durationMs + (this.#initMs ?? 0))} ms`,
      `Memory Size: ${this.#settings.memoryMb} MB`,
      ...(used === undefined ? [] : [`Max Memory Used: ${used} MB`]),
      ...(this.#initMs ? [`Init Duration: ${this.#initMs.toFixed(2)} ms`] : []),
    ]
    // Only the first invocation was a cold start.
    this.#initMs = 0
    return columns.join('\t')
  }

  #onLine(line: string): void {
    this.#settings.log(line)
    if (this.#running) this.#running.tail = `${this.#running.tail}${line}\n`.slice(-LOG_TAIL_BYTES)
  }

  /** Kills the process, and what it started. */
  stop(): Promise<void> {
    this.#isUsable = false
    const {pid} = this.#child
    if (pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      try {
        if (process.platform === 'win32') this.#child.kill('SIGKILL')
        else process.kill(-pid, 'SIGKILL')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
    return this.#stopped
  }
}

function failure(errorType: string, errorMessage: string): Pick<InvokeResult, 'payload' | 'functionError' | 'timedOut'> {
  return {payload: Buffer.from(JSON.stringify({errorType, errorMessage})), functionError: 'Unhandled', timedOut: false}
}

/** As Lambda, which is written in Go, calls them. */
const SIGNALS: Partial<Record<NodeJS.Signals, string>> = {
  SIGKILL: 'killed',
  SIGABRT: 'aborted',
  SIGSEGV: 'segmentation fault',
  SIGTERM: 'terminated',
}

function exitReason(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal) return `Runtime exited with error: signal: ${SIGNALS[signal] ?? signal}`
  return code === 0 ? 'Runtime exited without providing a reason' : `Runtime exited with error: exit status ${code}`
}

/** Of the process so far; undefined where the system does not tell. */
async function peakMemoryMb(pid: number | undefined): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
  return kibibytes === undefined ? undefined : Math.ceil(Number(kibibytes) / 1024)
}
