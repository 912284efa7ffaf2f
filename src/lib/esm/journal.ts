import {appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync} from 'node:fs'
import {join} from 'node:path'

/** One line of a journal. `run` is what the tag `skk:run` says of the mappings that a run made. */
type Entry = {
  at: string
  run: string
  event: 'started' | 'creating' | 'created' | 'updating' | 'deleting' | 'deleted' | 'failed'
  mapping?: string
  uuid?: string
  /** What a mapping was before it was changed or deleted. */
  before?: unknown
}

export type Journal = {
  /** Names the run that this one is; the killed one that it goes on with, if there was one. */
  run: string
  /** What a killed run of the same plan had made. */
  resumed: {made: number} | undefined
  write(entry: Omit<Entry, 'at' | 'run'>): void
  /** The plan is carried out: nothing is left to resume. */
  finish(): void
}

/** For what changes nothing. */
export const noJournal: Journal = {run: '', resumed: undefined, write() {}, finish() {}}

/**
 * The journal of a plan: a file of JSON lines, one before and one after each change, each written before the change goes on. AWS's
 * own state and tags decide what is left to do; the journal keeps the run's name, so that a rollback finds what a killed run made,
 * and what a replaced mapping was. `plan` names the plan, `newRun` a run that begins. Throws the errors of the file system.
 */
export function openJournal(directory: string, plan: string, newRun: string, now: () => Date = () => new Date()): Journal {
  mkdirSync(directory, {recursive: true, mode: 0o700})
  const file = join(directory, `${plan}.${process.pid}.jsonl`)
  const before = claim(directory, plan, file) ? entriesOf(file) : []
  const run = before[0]?.run ?? newRun
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

/** Makes the journal of a process that ended without finishing it ours. One that runs at the same time keeps its own. */
function claim(directory: string, plan: string, file: string): boolean {
  const left = readdirSync(directory).filter((name) => name.startsWith(`${plan}.`) && !isAlive(Number(name.split('.').at(-2))))
  return left.some((name) => {
    try {
      renameSync(join(directory, name), file)
      return true
    } catch {
      // Another process was faster.
      return false
    }
  })
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A run that was killed may have left half a line. */
const entriesOf = (file: string): Entry[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Entry]
      } catch {
        return []
      }
    })
