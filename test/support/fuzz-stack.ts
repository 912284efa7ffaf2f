import {execFile} from 'node:child_process'
import {once} from 'node:events'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {promisify} from 'node:util'

import {cleanHome, startSkk} from './skk.js'

export type FuzzedStack = {
  pid: number
  plaintext: string
  iam: string
  /** URL of the MSK API. */
  endpoint: string
  /** What it logged as a bug of its own, such as an exception that no clause foresaw. */
  errors: string[]
  /** How many lines it logged. */
  logged(): number
  isAlive(): boolean
  /** Resident memory in MiB, as the system counts it; what V8 has not collected yet does not count. */
  residentMiB(): Promise<number>
  /** The most that it ever was, in MiB. */
  peakMiB(): number
  /** Resolves to the exit code. */
  stop(): Promise<number | null>
}

/** What was freed goes back to the system at once, else glibc keeps up to 32 MB of it for each of its arenas. */
const GIVEN_BACK = {MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '65536'}

/** On a busy machine a collection takes its time. */
const LOOKS = 6

/** `skk local` as a process of its own, on free ports and in a home of its own, watched from outside. */
export async function startFuzzedStack(flags: readonly string[] = []): Promise<FuzzedStack> {
  const home = await cleanHome()
  const ports = ['--port', '0', '--plaintext-port', '0', '--http-port', '0']
  const env = {NODE_OPTIONS: `--require ${join(import.meta.dirname, 'fuzz-collect.cjs')}`, ...GIVEN_BACK}
  const {child, ended} = startSkk(['local', 'start', '--foreground', '--json', ...ports, ...flags], {home, env})
  const kill = () => void child.kill('SIGKILL')
  process.on('exit', kill)
  const errors: string[] = []
  let logged = 0
  let isError = false
  let rest = ''
  child.stderr!.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    logged += lines.length
    for (const line of lines) {
      // A stack trace's lines have no time before them.
      isError = /^\S+ error: /.test(line) || (isError && !/^\d{4}-/.test(line))
      if (isError && errors.length < 200) errors.push(line)
    }
  })
  const [json] = (await Promise.race([
    once(child.stdout!, 'data'),
    ended.then(({stderr}) => Promise.reject(new Error(`the stack did not start:\n${stderr}`))),
  ])) as [string]
  const {pid, plaintextBootstrap, bootstrap, endpoint} = JSON.parse(json)
  return {
    pid,
    plaintext: plaintextBootstrap,
    iam: bootstrap,
    endpoint,
    errors,
    logged: () => logged,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    async residentMiB() {
      let least = Number.POSITIVE_INFINITY
      for (let look = 0; look < LOOKS; look++) {
        child.kill('SIGUSR2')
        await sleep(500)
        const {stdout} = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)])
        least = Math.min(least, Number(stdout) / 1024)
      }
      return least
    },
    peakMiB: () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
    async stop() {
      process.off('exit', kill)
      child.kill('SIGTERM')
      const {code} = await ended
      await home.remove()
      return code
    },
  }
}
