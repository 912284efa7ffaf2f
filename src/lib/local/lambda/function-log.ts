import {createWriteStream, existsSync, mkdirSync, renameSync, statSync, type WriteStream} from 'node:fs'
import {dirname} from 'node:path'

/** Then the file becomes `<file>.1`, and the one that had this name goes. */
const MAX_BYTES = 16 * 1024 * 1024

/**
 * What a function's sandboxes wrote, and Lambda's own lines (START, END, REPORT), in a file: each line after its time in
 * ISO 8601 and a space. A log that cannot be written stays behind; the function runs on.
 */
export class FunctionLog {
  readonly #file: string
  #stream: WriteStream | undefined
  #bytes = 0
  #closed = false

  constructor(file: string) {
    this.#file = file
  }

  write(line: string): void {
    if (this.#closed) return
    if (this.#bytes > MAX_BYTES) this.#rotate()
    this.#stream ??= this.#open()
    const text = `${new Date().toISOString()} ${line}\n`
    this.#bytes += Buffer.byteLength(text)
    this.#stream.write(text)
  }

  #open(): WriteStream {
    mkdirSync(dirname(this.#file), {recursive: true, mode: 0o700})
    this.#bytes = existsSync(this.#file) ? statSync(this.#file).size : 0
    return createWriteStream(this.#file, {flags: 'a', mode: 0o600}).on('error', () => {})
  }

  #rotate(): void {
    this.#stream?.end()
    this.#stream = undefined
    renameSync(this.#file, `${this.#file}.1`)
  }

  /** What a sandbox writes after this is nobody's. */
  close(): Promise<void> {
    this.#closed = true
    return new Promise((resolve) => {
      if (!this.#stream || this.#stream.destroyed) resolve()
      else this.#stream.end(() => resolve())
      this.#stream = undefined
    })
  }
}
