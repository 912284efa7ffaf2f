import {appendFileSync, mkdirSync, readFileSync, rmSync} from 'node:fs'
import {dirname} from 'node:path'

/** One line of a journal. `run` is what the tag `skk:run` says of the mappings that a run made. */
export type Entry = {
  at: string
  run: string
  event: 'started' | 'creating' | 'created' | 'updating' | 'deleting' | 'deleted' | 'failed'
  mapping?: string
  uuid?: string
  /** What a mapping was before it was changed or deleted. */
  before?: unknown
}

export type Journal = {
  /** The run that this one is; that of a killed one when it went on with it. */
  run: string
  /** Whether an earlier run of the same plan did not come to its end, and what it had made. */
  resumed: {made: number} | undefined
  write(entry: Omit<Entry, 'at' | 'run'>): void
  /** The plan is carried out: nothing is left to resume. */
  finish(): void
}

/**
 * A file of JSON lines, one before and one after each change, each written before the change goes on. AWS's own state and tags decide
 * what is left to do; the journal keeps the run's name, so that a rollback finds what a killed run made, and what a replaced mapping
 * was. `newRun` names a run that begins. Throws the error of the file system.
 */
export function openJournal(file: string, newRun: string, now: () => Date = () => new Date()): Journal {
  const before = entriesOf(file)
  const run = before[0]?.run ?? newRun
  mkdirSync(dirname(file), {recursive: true, mode: 0o700})
  const write = (entry: Omit<Entry, 'at' | 'run'>): void =>
    appendFileSync(file, `${JSON.stringify({at: now().toISOString(), run, ...entry})}\n`, {mode: 0o600})
  write({event: 'started'})
  return {
    run,
    resumed: before.length > 0 ? {made: before.filter(({event}) => event === 'created').length} : undefined,
    write,
    finish: () => rmSync(file, {force: true}),
  }
}

/** A run that was killed may have left half a line. */
function entriesOf(file: string): Entry[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Entry]
    } catch {
      return []
    }
  })
}
