import {readFileSync, rmSync, writeFileSync} from 'node:fs'
import {setTimeout as delay} from 'node:timers/promises'

import {SkkError} from '../../errors.js'
import {processIdentity} from '../../process-identity.js'
import {unwritable} from './journal.js'

const ATTEMPTS = 10
const RETRY_MS = 50

/**
 * Makes this process the only one that works with a token, and returns how to let go of it. A lock whose process is gone is
 * taken over. Throws SkkError: conflict naming the process that has it, local I/O when the lock cannot be written.
 */
export async function takeLock(path: string): Promise<() => void> {
  const mine = JSON.stringify({pid: process.pid, identity: await processIdentity(process.pid)})
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      writeFileSync(path, mine, {flag: 'wx', mode: 0o600})
      return () => rmSync(path, {force: true})
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(path, error)
    }
    const holder = holderOf(path)
    // It may be just being written.
    if (holder === null && attempt < ATTEMPTS / 2) {
      await delay(RETRY_MS)
      continue
    }
    if (holder !== null && (await processIdentity(holder.pid)) === holder.identity) throw held(path, holder.pid)
    // Only the lock that was looked at may go: another process may have taken it over meanwhile.
    if (JSON.stringify(holderOf(path)) === JSON.stringify(holder)) rmSync(path, {force: true})
  }
  throw held(path, holderOf(path)?.pid ?? 0)
}

function holderOf(path: string): {pid: number; identity: string} | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

const held = (path: string, pid: number): SkkError =>
  new SkkError(`the process with pid ${pid} is working with "${path.replace(/\.lock$/, '')}"`, {
    code: 'RUN_HELD',
    exit: 'conflict',
    hint: 'Wait until it has ended, or name another place with `--resume-file`.',
  })
