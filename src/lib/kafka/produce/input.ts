import {createReadStream} from 'node:fs'
import {stat} from 'node:fs/promises'

import {SkkError} from '../../errors.js'
import {type Line, LineSplitter, LineTooLongError} from './lines.js'

const READ_BYTES = 1024 * 1024

/** One `--file`; `-` is standard input. */
export type Source = {name: string /** Null for what has no size, such as a pipe. */; bytes: number | null}

/** Some lines in a row. */
export type Portion = {source: Source; lines: Line[] /** So far, from this source. */; bytesRead: number}

/** The inputs, each checked to be readable before anything is sent. Throws SkkError (local I/O). */
export async function sources(files: readonly string[]): Promise<Source[]> {
  return Promise.all(
    files.map(async (name) => {
      if (name === '-') return {name: 'standard input', bytes: null}
      const found = await stat(name).catch((error) => {
        throw unreadable(name, error)
      })
      if (found.isDirectory()) throw unreadable(name, new Error('it is a directory'))
      return {name, bytes: found.isFile() ? found.size : null}
    }),
  )
}

/**
 * The lines of all inputs, in order; numbers and offsets begin anew in each. `onCarriageReturn` is told once of a file whose
 * lines end in CR LF. Throws SkkError (local I/O) and LineTooLongError.
 */
export async function* readLines(
  inputs: readonly Source[],
  onCarriageReturn: (source: Source) => void,
  signal: AbortSignal,
): AsyncGenerator<Portion> {
  let bytesRead = 0
  for (const source of inputs) {
    const splitter = new LineSplitter()
    let told = false
    for await (const chunk of chunks(source, signal)) {
      bytesRead += chunk.length
      const lines = split(splitter, chunk, source)
      if (splitter.sawCarriageReturn && !told) {
        told = true
        onCarriageReturn(source)
      }
      yield {source, lines, bytesRead}
    }
    yield {source, lines: splitter.end(), bytesRead}
  }
}

function split(splitter: LineSplitter, chunk: Buffer, source: Source): Line[] {
  try {
    return splitter.push(chunk)
  } catch (error) {
    if (error instanceof LineTooLongError) error.source = source.name
    throw error
  }
}

async function* chunks(source: Source, signal: AbortSignal): AsyncGenerator<Buffer> {
  const isStdin = source.name === 'standard input'
  const stream = isStdin ? process.stdin : createReadStream(source.name, {highWaterMark: READ_BYTES})
  const close = () => stream.destroy()
  signal.addEventListener('abort', close, {once: true})
  try {
    if (!signal.aborted) yield* stream as AsyncIterable<Buffer>
  } catch (error) {
    if (signal.aborted) return
    throw unreadable(source.name, error as Error)
  } finally {
    signal.removeEventListener('abort', close)
  }
}

const unreadable = (name: string, cause: Error): SkkError =>
  new SkkError(`cannot read "${name}": ${(cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : cause.message}`, {
    code: 'INPUT_UNREADABLE',
    exit: 'localIo',
    hint: 'Check `--file`.',
    cause,
  })
