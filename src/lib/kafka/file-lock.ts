import {readFileSync, rmSync, writeFileSync} from 'node:fs'
import {setTimeout as delay} from 'node:timers/promises'

import type {SkkError} from '../errors.js'
import {processIdentity} from '../process-identity.js'

const ATTEMPTS = 10
const RETRY_MS = 50

/** What is said when a lock cannot be had: by which process it is held, or why it cannot be written. */
export type LockErrors = {held(pid: number): SkkError; unwritable(cause: NodeJS.ErrnoException): SkkError}

/**
 * Makes this process the only one that works with what `path` locks, and returns how to let go of it. A lock whose process is gone
 * is taken over, also when another process has its pid by now. Throws what `errors` makes.
 */
export async function takeLock(path: string, errors: LockErrors): Promise<() => void> {
  const mine = JSON.stringify({pid: process.pid, identity: await processIdentity(process.pid)})
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      writeFileSync(path, mine, {flag: 'wx', mode: 0o600})
      return () => rmSync(path, {force: true})
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw errors.unwritable(error as NodeJS.ErrnoException)
    }
    const holder = holderOf(path)
    // It may be just being written.
    if (holder === null && attempt < ATTEMPTS / 2) {
      await delay(RETRY_MS)
      continue
    }
    if (holder !== null && (await processIdentity(holder.pid)) === holder.identity) throw errors.held(holder.pid)
    // Only the lock that was looked at may go: another process may have taken it over meanwhile.
    if (JSON.stringify(holderOf(path)) === JSON.stringify(holder)) rmSync(path, {force: true})
  }
  throw errors.held(holderOf(path)?.pid ?? 0)
}

/** Null when it is gone, or says nothing of the kind. */
function holderOf(path: string): {pid: number; identity: string} | null {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8'))
    return Number.isSafeInteger(holder.pid) && holder.pid > 0 && typeof holder.identity === 'string' ? holder : null
  } catch {
    return null
  }
}
