import {closeSync, ftruncateSync, openSync, readFileSync, writeSync} from 'node:fs'

import {SkkError} from '../../errors.js'
import type {Range} from './batch.js'
import {unreadable} from './input.js'

/** What is known of a batch before it is sent: who it is, which records of the input it holds, where to look for it. */
export type SentBatch = {
  partition: number
  /** -1 in these three without idempotence. */
  producerId: number
  producerEpoch: number
  sequence: number
  count: number
  keyed: Range | null
  keyless: Range | null
  /** The batch is in the log at this offset or above, or not at all. */
  logEnd: number
  crc: number
  /** Epoch milliseconds, of the first record. */
  timestamp: number
}

/** A line of the journal: a batch about to be sent, its first offset once it was acknowledged, or that the log does not hold it. */
type Line = ({batch: number} & SentBatch) | {acked: number; offset: number} | {absent: number}

/** What the journal tells of a batch: its first offset, null where it is not in the log, undefined where nobody knows. */
export type JournalEntry = {sent: SentBatch; offset: number | null | undefined}

/**
 * The batches of a journal by number. A last line that was cut off is as good as not written: its batch was not sent. Throws
 * SkkError (local I/O) for any other line that is none: what it said is lost, and so is what is to be sent.
 */
export function readJournal(path: string): Map<number, JournalEntry> {
  const entries = new Map<number, JournalEntry>()
  const lines = readText(path).split('\n').slice(0, -1)
  for (const [index, text] of lines.entries()) if (!take(text, entries)) throw damaged(path, index + 1)
  return entries
}

/** False when `text` is no line of a journal, or tells of a batch that no line before it has named. */
function take(text: string, entries: Map<number, JournalEntry>): boolean {
  const line = lineOf(text)
  if (line === null) return false
  if ('batch' in line) {
    const {batch, ...sent} = line
    if (batch !== entries.size) return false
    entries.set(batch, {sent, offset: undefined})
    return true
  }
  const entry = entries.get('acked' in line ? line.acked : line.absent)
  if (entry === undefined) return false
  entry.offset = 'acked' in line ? line.offset : null
  return true
}

const SENT = ['batch', 'partition', 'producerId', 'producerEpoch', 'sequence', 'count', 'logEnd', 'crc', 'timestamp']

function lineOf(text: string): Line | null {
  let line: Record<string, unknown> | null
  try {
    line = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof line !== 'object' || line === null) return null
  const {keyed, keyless} = line
  if ('batch' in line) return areNumbers(line, SENT) && isRange(keyed) && isRange(keyless) ? (line as Line) : null
  return areNumbers(line, 'acked' in line ? ['acked', 'offset'] : ['absent']) ? (line as Line) : null
}

const areNumbers = (line: object, names: readonly string[]): boolean =>
  names.every((name) => Number.isSafeInteger((line as Record<string, unknown>)[name]))

const isRange = (range: unknown): boolean => range === null || (typeof range === 'object' && areNumbers(range, ['first', 'last']))

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw unreadable(path, error as Error)
  }
}

/** What a process wrote when it was killed, or the disk was full, may lack its end; the next line must not continue it. */
function cutTornLine(path: string, descriptor: number): void {
  const text = readText(path)
  if (text !== '' && !text.endsWith('\n')) ftruncateSync(descriptor, Buffer.byteLength(text.slice(0, text.lastIndexOf('\n') + 1)))
}

/**
 * Tells a later run what this one has sent: one line per batch before it is sent, one after. A line is in the file when the
 * call returns, so it outlives the process. It is not synced, for which each batch would wait. A power failure may take
 * the last lines, and then their batches are sent again; nothing is lost by it.
 */
export class Journal {
  private readonly path: string
  private readonly descriptor: number
  private next: number
  private failure: SkkError | undefined
  private toldFailure = false

  /** Goes on where the journal ends, or begins a new one. Throws SkkError (local I/O). */
  constructor(path: string, {fresh}: {fresh: boolean}) {
    this.path = path
    this.next = fresh ? 0 : readJournal(path).size
    try {
      this.descriptor = openSync(path, fresh ? 'w' : 'a', 0o600)
      if (!fresh) cutTornLine(path, this.descriptor)
    } catch (error) {
      throw unwritable(path, error)
    }
  }

  /** Whether nothing was sent, so that a later run has nothing to go on with. */
  get isEmpty(): boolean {
    return this.next === 0
  }

  /** Writes down a batch and returns its number. It may be sent afterwards; throws SkkError (local I/O) if it may not. */
  sending(sent: SentBatch): number {
    const batch = this.next++
    this.write({batch, ...sent})
    if (!this.failure) return batch
    this.toldFailure = true
    throw this.failure
  }

  acked(batch: number, offset: number): void {
    this.write({acked: batch, offset})
  }

  /** It is certain that the log does not hold it. */
  absent(batch: number): void {
    this.write({absent: batch})
  }

  /** Throws SkkError (local I/O) when not everything could be written down, and nobody was told. */
  close(): void {
    closeSync(this.descriptor)
    if (this.failure && !this.toldFailure) throw this.failure
  }

  /** After a failure nothing more: a line behind a torn one would make it another. What is then missing is looked up in the log. */
  private write(line: Line): void {
    if (this.failure) return
    try {
      // A disk that is nearly full takes the beginning of a line, and refuses the rest only when it is given.
      for (let rest = Buffer.from(`${JSON.stringify(line)}\n`); rest.length > 0; )
        rest = rest.subarray(writeSync(this.descriptor, rest))
    } catch (error) {
      this.failure = unwritable(this.path, error)
    }
  }
}

const damaged = (path: string, line: number): SkkError =>
  new SkkError(`line ${line} of "${path}" is damaged: what the earlier run has sent can no longer be told`, {
    code: 'JOURNAL_DAMAGED',
    exit: 'localIo',
    hint: 'Put the file back as it was, or compare the topic with the input; `--restart` sends everything again.',
  })

/** For a token or journal that cannot be written. */
export const unwritable = (path: string, cause: unknown): SkkError =>
  new SkkError(
    `cannot write "${path}": ${(cause as NodeJS.ErrnoException).code === 'ENOSPC' ? 'no space left on device' : (cause as Error).message}`,
    {
      code: 'TOKEN_UNWRITABLE',
      exit: 'localIo',
      hint: 'Make room there, or name another place with `--resume-file`.',
      cause,
    },
  )
