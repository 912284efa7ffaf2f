import {createHash} from 'node:crypto'
import {renameSync, rmSync, writeFileSync} from 'node:fs'
import {open, readFile} from 'node:fs/promises'

import {SkkError} from '../../errors.js'
import {type LockErrors, takeLock} from '../file-lock.js'
import {changed, type Source, STANDARD_INPUT, unreadable} from './input.js'
import {Journal, unwritable} from './journal.js'

const FORMAT = 1

/** An input is known by so many bytes of both its ends, beside its size and time. */
const DIGESTED_BYTES = 64 * 1024

type Identity = {name: string; size: number; modified: number; digest: string}

/** What a token says; `<first file>.skk-resume`, readable by its user only. */
type Content = {
  format: number
  state: 'unfinished' | 'done'
  topic: string
  clusterId: string
  /** How many partitions keys are spread over, also when the topic gets more. */
  partitions: number
  /** Where keyless records began. */
  firstPartition: number
  inputs: Identity[]
  /** The flags that decide which records the input holds and where they go. */
  settings: Record<string, unknown>
}

export type TokenOptions = {
  path: string
  /** What to do about an unfinished run: refuse, go on with it, forget it. */
  mode: 'new' | 'resume' | 'restart'
  settings: Record<string, unknown>
}

export type Destination = {topic: string; clusterId: string; partitions: number; firstPartition: number}

/** The token of a run; its journal tells what was sent. */
export type Token = {
  /** `begun`: there is no earlier run to go on with, `unfinished`: there is, `done`: nothing is left to do. */
  found: 'begun' | 'unfinished' | 'done'
  partitions: number
  firstPartition: number
  journal: Journal
  journalPath: string
  /** Lets go of the token. Once `done`, it says so, and the journal is not needed any more; where nothing was sent, neither is. */
  close(done: boolean): void
}

/** Where the token of a run over these inputs is: beside the first. Null when one of them cannot be read a second time. */
export function tokenPath(inputs: readonly Source[], named: readonly string[]): string | null {
  if (inputs.length === 0 || inputs.some(({bytes}) => bytes === null)) return null
  return `${named[0]!.replace(/(?<=.)\/+$/, '')}.skk-resume`
}

/**
 * Takes the token for this run, and decides what an earlier run means for it. Throws SkkError: conflict when another run holds
 * it, when an earlier one is unfinished and `mode` is new, or was another run than this one; local I/O when it cannot be
 * written, or an input is not what it was.
 */
export async function openToken(options: TokenOptions, inputs: readonly Source[], to: Destination): Promise<Token> {
  const release = await takeLock(`${options.path}.lock`, lockErrors(options.path))
  try {
    return await openLocked(options, inputs, to, release)
  } catch (error) {
    release()
    throw error
  }
}

const lockErrors = (path: string): LockErrors => ({
  held: (pid) =>
    new SkkError(`the process with pid ${pid} is working with "${path}"`, {
      code: 'RUN_HELD',
      exit: 'conflict',
      hint: 'Wait until it has ended, or name another place with `--resume-file`.',
    }),
  unwritable: (cause) => unwritable(`${path}.lock`, cause),
})

async function openLocked(
  {path, mode, settings}: TokenOptions,
  inputs: readonly Source[],
  to: Destination,
  release: () => void,
): Promise<Token> {
  const identities = await Promise.all(inputs.map(identityOf))
  const earlier = await readContent(path)
  const found = mode === 'restart' || earlier === null ? 'begun' : judge(path, mode, earlier, {identities, settings, to})
  const content: Content =
    found === 'unfinished' ? earlier! : {format: FORMAT, state: 'unfinished', ...to, inputs: identities, settings}
  const journalPath = `${path}.journal`
  if (found !== 'done') write(path, content)
  const journal = found === 'done' ? null : new Journal(journalPath, {fresh: found === 'begun'})
  return {
    found,
    partitions: content.partitions,
    firstPartition: content.firstPartition,
    journal: journal!,
    journalPath,
    close(done) {
      try {
        journal?.close()
        if (journal === null || !(done || journal.isEmpty)) return
        if (done) write(path, {...content, state: 'done'})
        else rmSync(path, {force: true})
        rmSync(journalPath, {force: true})
      } finally {
        release()
      }
    },
  }
}

function judge(
  path: string,
  mode: 'new' | 'resume',
  earlier: Content,
  now: {identities: readonly Identity[]; settings: Record<string, unknown>; to: Destination},
): Token['found'] {
  const sameTopic = earlier.topic === now.to.topic && earlier.clusterId === now.to.clusterId
  const difference = firstDifference(earlier.inputs, now.identities)
  if (earlier.state === 'done') return mode === 'resume' && sameTopic && difference === null ? 'done' : 'begun'
  if (mode === 'new') throw conflict(`"${path}" is of a run to "${earlier.topic}" that did not finish`)
  if (!sameTopic) throw conflict(`the run to be resumed went to topic "${earlier.topic}" of another cluster or name`)
  if (difference !== null) throw changed(difference, 'since the run to be resumed')
  const other = Object.keys({...earlier.settings, ...now.settings}).find(
    (flag) => JSON.stringify(earlier.settings[flag]) !== JSON.stringify(now.settings[flag]),
  )
  if (other === undefined) return 'unfinished'
  throw conflict(`the run to be resumed had another --${other}`)
}

/** The name of the first input that is not what it was, null if there is none. */
function firstDifference(earlier: readonly Identity[], now: readonly Identity[]): string | null {
  const index = now.findIndex((input, i) => {
    const was = earlier[i]
    return was === undefined || was.size !== input.size || was.modified !== input.modified || was.digest !== input.digest
  })
  if (index >= 0) return now[index]!.name
  return earlier.length > now.length ? earlier[now.length]!.name : null
}

const GO_ON = 'Go on with it with the same flags and `--resume`, or send everything again with `--restart`.'

const conflict = (message: string, hint = GO_ON): SkkError =>
  new SkkError(message, {code: 'RUN_UNFINISHED', exit: 'conflict', hint})

/** Of the sizes and both ends of all inputs, in hexadecimal. Throws SkkError (local I/O). */
export async function digestOf(inputs: readonly Source[]): Promise<string> {
  const identities = await Promise.all(inputs.map(identityOf))
  return createHash('sha256')
    .update(JSON.stringify(identities.map(({size, digest}) => [size, digest])))
    .digest('hex')
}

async function identityOf({name, bytes, modified}: Source): Promise<Identity> {
  if (name === STANDARD_INPUT || bytes === null || modified === null) throw new TypeError(`"${name}" cannot be read twice`)
  try {
    const file = await open(name)
    try {
      const hash = createHash('sha256')
      const buffer = Buffer.alloc(Math.min(bytes, DIGESTED_BYTES))
      for (const position of [0, bytes - buffer.length]) {
        const {bytesRead} = await file.read(buffer, 0, buffer.length, position)
        hash.update(buffer.subarray(0, bytesRead))
      }
      return {name, size: bytes, modified, digest: hash.digest('hex')}
    } finally {
      await file.close()
    }
  } catch (error) {
    throw unreadable(name, error as Error)
  }
}

async function readContent(path: string): Promise<Content | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unreadable(path, error as Error)
  }
  const content = contentOf(text)
  if (content !== null) return content
  // It may be anything, above all with `--resume-file`: not even `--restart` writes over it.
  throw conflict(
    `"${path}" is no token of this version of skk`,
    'Remove it if it is of no use, or name another place with `--resume-file`.',
  )
}

/** Null for what is no token, or one of another version. */
function contentOf(text: string): Content | null {
  try {
    const content: Content = JSON.parse(text)
    const {format, partitions, firstPartition, inputs, settings} = content
    const isWhole = Number.isSafeInteger(partitions) && Number.isSafeInteger(firstPartition) && firstPartition < partitions
    return format === FORMAT && isWhole && Array.isArray(inputs) && typeof settings === 'object' ? content : null
  } catch {
    return null
  }
}

/** A reader sees the old content or the new one. */
function write(path: string, content: Content): void {
  const temporary = `${path}.tmp`
  try {
    writeFileSync(temporary, `${JSON.stringify(content, null, 2)}\n`, {mode: 0o600})
    renameSync(temporary, path)
  } catch (error) {
    throw unwritable(path, error)
  }
}
