import {execFile} from 'node:child_process'
import {readFile} from 'node:fs/promises'
import {promisify} from 'node:util'

/**
 * Tells a process from a later one with the same pid: when it started. Undefined for a pid that no process has, and for one that has
 * ended and is still listed because its parent, such as the first process of a container, has not asked for its exit code.
 * Where the system does not say, any process with that pid counts as the same.
 */
export async function processIdentity(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined
  }
  try {
    if (process.platform === 'linux') {
      const [boot, stat] = await Promise.all([
        readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
        readFile(`/proc/${pid}/stat`, 'utf8'),
      ])
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return hasEnded(fields[0]!) ? undefined : `${boot.trim()} ${fields[19]}`
    }
    const {stdout} = await promisify(execFile)('ps', ['-o', 'stat=,lstart=', '-p', String(pid)])
    const [, state, started] = /^\s*(\S+)\s+(.*?)\s*$/.exec(stdout)!
    return hasEnded(state!) ? undefined : started
  } catch {
    return 'unknown'
  }
}

const hasEnded = (state: string): boolean => /^[ZX]/.test(state)
