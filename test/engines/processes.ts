import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process'
import {setTimeout as sleep} from 'node:timers/promises'

export type Finished = {code: number | null; stdout: string; stderr: string}
export type Options = {input?: string | Buffer; env?: NodeJS.ProcessEnv; cwd?: string; timeoutMs?: number}

const running = new Set<ChildProcessWithoutNullStreams>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a program that is ended with the test process if nobody ends it before. */
export function start(command: string, args: readonly string[], {env, cwd}: Options = {}): ChildProcessWithoutNullStreams {
  const child = spawn(command, args, {env: {...process.env, ...env}, cwd})
  running.add(child)
  child.once('close', () => running.delete(child))
  return child
}

/** Runs a program to its end. A program that outlives the timeout is killed, and its code is null. */
export async function run(command: string, args: readonly string[], options: Options = {}): Promise<Finished> {
  const {stdout, ...rest} = await runForBytes(command, args, options)
  return {...rest, stdout: stdout.toString()}
}

/** As `run`, for programs whose output is compared byte for byte. */
export function runForBytes(
  command: string,
  args: readonly string[],
  options: Options = {},
): Promise<{code: number | null; stdout: Buffer; stderr: string}> {
  return new Promise((resolve, reject) => {
    const child = start(command, args, options)
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 90_000)
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString()})
    })
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input)
  })
}

/** As `run`, for a step that has to work: any other exit code is an error with the program's own words. */
export async function expectSuccess(command: string, args: readonly string[], options: Options = {}): Promise<Finished> {
  const finished = await run(command, args, options)
  if (finished.code !== 0) {
    throw new Error(`${command} ${args.join(' ')}: exit ${finished.code}\n${finished.stderr}\n${finished.stdout}`)
  }
  return finished
}

/** The JSON that a program prints first and then keeps running; an error with all that it printed when it ends before. */
export function firstJson(child: ChildProcessWithoutNullStreams, timeoutMs = 30_000): Promise<any> {
  return new Promise((resolve, reject) => {
    let stdout = ''
    let stderr = ''
    const fail = (why: string) => reject(new Error(`${child.spawnargs.join(' ')}: ${why}\n${stdout}\n${stderr}`))
    const timer = setTimeout(() => fail(`no JSON within ${timeoutMs} ms`), timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk
      if (!stdout.trimEnd().endsWith('}')) return
      clearTimeout(timer)
      try {
        resolve(JSON.parse(stdout))
      } catch (error) {
        reject(error)
      }
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      fail(`ended with ${code ?? signal}`)
    })
  })
}

/** Ends a program of ours with `signal`, and waits until it is gone. */
export function end(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000)
    child.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    child.kill(signal)
  })
}

/** Resolves once `holds` does; an error when it still does not after half a minute. */
export async function eventually(holds: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${timeoutMs} ms: ${holds}`)
    await sleep(200)
  }
}
