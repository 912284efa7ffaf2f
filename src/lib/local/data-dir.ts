import {randomBytes} from 'node:crypto'
import {lstat, mkdir, readdir, readFile, rm, rmdir, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {SkkError} from '../errors.js'
import {processIdentity} from '../process-identity.js'
import {replaceFile} from './kafka/log/files.js'
import type {ApiProfile} from './kafka/profiles.js'

/** What a running stack tells the commands that use it; `<data dir>/stack.json`, readable by its user only. */
export type Stack = {
  pid: number
  /** Proves to the control routes that the caller could read this file. */
  token: string
  /** Of the MSK API, `http://127.0.0.1:9911`. */
  endpoint: string
  /** SASL, IAM. */
  bootstrap: string
  plaintextBootstrap: string | undefined
  clusterArn: string
  region: string
  accountId: string
  apiProfile: ApiProfile
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
  /** The certificate authority, when the stack speaks TLS. */
  ca?: string
  dataDir: string
}

const META = 'meta.json'
const LOCK = 'lock'
const STACK = 'stack.json'
/** What a background stack has to tell goes here. */
export const LOG_FILE = 'stack.log'

/** All that a stack makes in its data directory. One that holds anything else is not ours to fill or empty. */
const ENTRIES: readonly string[] = [
  META,
  LOCK,
  STACK,
  LOG_FILE,
  'clusters.json',
  'clusters',
  'tls',
  'functions',
  'mappings.json',
  'destinations',
]
/** What `writeAtomically` and `removeStale` may leave behind when they are killed. */
const TEMPORARY = /^((meta|stack|clusters|mappings)\.json\.tmp|lock\.takeover)$/

const RETRY_MS = 50
/** Nobody needs that long to remove a file. */
const GUARD_MS = 10_000

/** The version of the files in a data directory. A stack refuses one that it does not know. */
const FORMAT = 1

/** Makes the directory if it is missing. Throws SkkError (conflict) when it holds something that no stack made. */
export async function prepareDataDir(dir: string): Promise<void> {
  await mkdir(dir, {recursive: true, mode: 0o700})
  await refuseForeignDir(dir)
}

/** Prepares the directory and takes its lock. Throws SkkError (conflict) when it is foreign, of another format, or in use. */
export async function claimDataDir(dir: string): Promise<void> {
  await prepareDataDir(dir)
  const meta = await readJson(join(dir, META))
  if (meta !== undefined && (meta as {format: unknown}).format !== FORMAT) {
    throw new SkkError(`the data in "${dir}" was made by another version of skk`, {
      code: 'DATA_DIR_FORMAT',
      exit: 'conflict',
      hint: 'Run `skk local reset --yes` to begin anew, or pass another `--data-dir`.',
    })
  }
  await takeLock(dir)
  if (meta === undefined) await writeAtomically(join(dir, META), `${JSON.stringify({format: FORMAT})}\n`)
}

/** `--data-dir` may be typed wrongly: we neither fill nor empty a directory that is somebody's work. */
async function refuseForeignDir(dir: string): Promise<void> {
  const stats = await lstat(dir)
  const owner = process.getuid?.()
  const isOurs = stats.isDirectory() && (owner === undefined || stats.uid === owner)
  if (isOurs && (await readdir(dir)).every((entry) => ENTRIES.includes(entry) || TEMPORARY.test(entry))) return
  throw new SkkError(`"${dir}" is not a data directory of skk local`, {
    code: 'DATA_DIR_FOREIGN',
    exit: 'conflict',
    hint: 'Pass a `--data-dir` that is missing, empty, or was made by `skk local start`.',
  })
}

/** One stack per data directory. A lock whose process is gone, or whose pid now belongs to another process, is taken over. */
async function takeLock(dir: string): Promise<void> {
  const path = join(dir, LOCK)
  const mine = JSON.stringify({
    pid: process.pid,
    identity: await processIdentity(process.pid),
    nonce: randomBytes(8).toString('hex'),
  })
  for (let attempt = 0; attempt < 60; attempt++) {
    try {
      await writeFile(path, mine, {flag: 'wx', mode: 0o600})
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const text = await readFile(path, 'utf8').catch(() => '')
    const holder = parsed(text) as {pid: number; identity: string} | undefined
    // Between its making and its filling it is empty: somebody else is starting, or was killed right there.
    if (!holder && attempt < 20) {
      await sleep(RETRY_MS)
      continue
    }
    if (holder && (await processIdentity(holder.pid)) === holder.identity) {
      throw new SkkError(`"${dir}" is used by the stack with pid ${holder.pid}`, {
        code: 'DATA_DIR_IN_USE',
        exit: 'conflict',
        hint: 'Run `skk local status` to see it, or pass another `--data-dir`.',
      })
    }
    await removeStale(path, text)
  }
  throw new SkkError(`the lock of "${dir}" is contended`, {code: 'DATA_DIR_IN_USE', exit: 'conflict'})
}

/** Removes the lock if it still says `stale`. One at a time, so that none removes what another has just put in its place. */
async function removeStale(path: string, stale: string): Promise<void> {
  const guard = `${path}.takeover`
  try {
    await writeFile(guard, '', {flag: 'wx', mode: 0o600})
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const since = await stat(guard).catch(() => undefined)
    // Whoever made it was killed before it could remove it.
    if (since && Date.now() - since.mtimeMs > GUARD_MS) await rm(guard, {force: true})
    else await sleep(RETRY_MS)
    return
  }
  try {
    if ((await readFile(path, 'utf8').catch(() => undefined)) === stale) await rm(path, {force: true})
  } finally {
    await rm(guard, {force: true})
  }
}

/** Leaves the directory to the next stack. */
export async function releaseDataDir(dir: string): Promise<void> {
  await rm(join(dir, STACK), {force: true})
  await rm(join(dir, LOCK), {force: true})
}

export const writeStack = (dir: string, stack: Stack): Promise<void> =>
  writeAtomically(join(dir, STACK), `${JSON.stringify(stack, null, 2)}\n`)

/** The stack that last said it was running here, which it may no longer be. */
export const readStack = async (dir: string): Promise<Stack | undefined> =>
  (await readJson(join(dir, STACK))) as Stack | undefined

/** Removes the directory with all that a stack made in it. Throws SkkError (conflict) when it is not a stack's, or is in use. */
export async function resetDataDir(dir: string): Promise<void> {
  await claimDataDir(dir)
  for (const entry of await readdir(dir)) await rm(join(dir, entry), {recursive: true, force: true})
  await rmdir(dir)
}

async function readJson(path: string): Promise<unknown> {
  try {
    return parsed(await readFile(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** A reader sees the old text or the new one, also after a power failure. 0600: it may hold secrets. */
export const writeAtomically = (path: string, text: string): Promise<void> => replaceFile(path, [Buffer.from(text)])
