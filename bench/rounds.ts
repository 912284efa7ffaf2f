import {type ChildProcess, spawn} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {readFile} from 'node:fs/promises'

/** One line of the report. */
export type Figure = {what: string; figure: string; goal: string; details: string}

/** The Node that is measured unless it is said otherwise. */
export const NODE = process.env['SKK_BENCH_NODE'] ?? process.execPath

/** For a short look: how many rounds there are, unless SKK_BENCH_ROUNDS says so, and how many lines, of which SKK_BENCH_DIVIDE makes less. */
export const rounds = (usual: number): number => Number(process.env['SKK_BENCH_ROUNDS'] ?? usual)
export const divided = (lines: number): number => Math.ceil(lines / Number(process.env['SKK_BENCH_DIVIDE'] ?? 1))

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** What each of them results in, by round: they alternate, each round begins with another. */
export async function alternate<Result>(count: number, runs: readonly (() => Promise<Result>)[]): Promise<Result[][]> {
  const times = runs.map((): Result[] => [])
  for (let round = 0; round < count; round++) {
    for (let turn = 0; turn < runs.length; turn++) {
      const index = (round + turn) % runs.length
      times[index]!.push(await runs[index]!())
    }
  }
  return times
}

/** The median over the rounds of what `measured` took, as a multiple of what `yardstick` took in the same round. */
export function ratio(what: string, goal: number | null, measured: readonly number[], yardstick: readonly number[]): Figure {
  const ratios = measured.map((time, round) => time / yardstick[round]!)
  const spread = `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`
  const details = `(${spread} in ${ratios.length} rounds; ${median(measured).toFixed(0)} ms to ${median(yardstick).toFixed(0)} ms)`
  return {what, figure: `${median(ratios).toFixed(2)} x`, goal: goal === null ? 'none' : `<= ${goal} x`, details}
}

/** Milliseconds from start to end. Rejects when the program fails. */
export async function timed(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<number> {
  const started = performance.now()
  await output(command, args, env)
  return performance.now() - started
}

/** Wall time in milliseconds, and the most memory that was in use at once. */
export type Run = {wall: number; peakMiB: number}

const LOOK_EVERY_MS = 20

/** The same with the peak of its memory, which Linux keeps for as long as the process lives. */
export async function timedRun(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Run> {
  const started = performance.now()
  let peakMiB = 0
  await output(command, args, env, (pid) => {
    const look = setInterval(async () => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
      peakMiB = Math.max(peakMiB, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
    }, LOOK_EVERY_MS)
    return () => clearInterval(look)
  })
  return {wall: performance.now() - started, peakMiB}
}

export type Times = {wall: number; cpu: number}

/**
 * Milliseconds from start to end, and those of them that a processor worked for it: beside busy neighbours a long program waits
 * longer for its turn than a short one, so only the second is comparable there.
 */
export async function timedByShell(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Times> {
  const script = `TIMEFORMAT='%R %U %S'; time "$@" 2>&1`
  const report = await output('/bin/bash', ['-c', script, 'time', command, ...args], env)
  const [wall = 0, user = 0, system = 0] = report
    .trim()
    .split(/\s+/)
    .map((seconds) => Number(seconds) * 1000)
  return {wall, cpu: user + system}
}

/** Resolves to its standard error. */
function output(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  watch: (pid: number) => () => void = () => () => {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {stdio: ['ignore', 'ignore', 'pipe'], env})
    let errors = ''
    child.stderr.on('data', (text) => {
      errors += text
    })
    child.once('error', reject)
    const unwatch = watch(child.pid!)
    child.once('close', (code) => {
      unwatch()
      if (code === 0) resolve(errors)
      else reject(new Error(`${command} ${args.join(' ')}: exit ${code}\n${errors}`))
    })
  })
}

/** The most memory that the program had while it ran, in MiB, looked at all the time in /proc. Rejects when it fails. */
export function peakMemory(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {stdio: ['ignore', 'ignore', 'inherit'], env})
    let peak = 0
    const look = setInterval(() => {
      const [, kilobytes = 0] = /VmHWM:\s+(\d+)/.exec(statusOf(child.pid!)) ?? []
      peak = Math.max(peak, Number(kilobytes) / 1024)
    }, 5)
    child.once('error', reject)
    child.once('close', (code) => {
      clearInterval(look)
      if (code === 0) resolve(peak)
      else reject(new Error(`${command} ${args.join(' ')}: exit ${code}`))
    })
  })
}

/** Empty once the process is gone. */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return ''
  }
}

/** Resolves to the first line of its standard output. */
export function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout!.on('data', (chunk) => {
      text += chunk
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')))
    })
    child.once('error', reject)
    child.once('close', (code) => reject(new Error(`${child.spawnargs.join(' ')}: exit ${code}`)))
  })
}
