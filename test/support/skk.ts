import {type ChildProcess, spawn} from 'node:child_process'
import {mkdir, mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {type Context, saveContext} from '../../src/lib/contexts/config-file.js'
import {type Local, type LocalOptions, startLocal} from '../../src/lib/local/index.js'

const RUN = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

/** A person's home with nothing in it, and the environment that points there. */
export type Home = {
  directory: string
  configDir: string
  dataDir: string
  cacheDir: string
  env: NodeJS.ProcessEnv
  /** Makes a context of that name; the first one is the current one. */
  context(name: string, context: Context, options?: {use?: boolean}): Promise<void>
  /** Starts the embedded stack in this process, with the context `local` for it. */
  local(options?: Partial<LocalOptions>): Promise<Local>
  /** Stops what was started and removes everything. */
  remove(): Promise<void>
}

export async function cleanHome(): Promise<Home> {
  const directory = await mkdtemp(join(tmpdir(), 'skk-home-'))
  const [configDir, dataDir, cacheDir] = ['config', 'data', 'cache'].map((name) => join(directory, name, 'skk')) as [
    string,
    string,
    string,
  ]
  const stacks: Local[] = []
  const home: Home = {
    directory,
    configDir,
    dataDir,
    cacheDir,
    env: {
      PATH: process.env.PATH,
      HOME: directory,
      XDG_CONFIG_HOME: join(directory, 'config'),
      XDG_DATA_HOME: join(directory, 'data'),
      XDG_CACHE_HOME: join(directory, 'cache'),
      // No look at the instance's own credentials, which would wait for a network.
      AWS_EC2_METADATA_DISABLED: 'true',
      NO_COLOR: '1',
    },
    async context(name, context, options) {
      await saveContext(configDir, name, context, options)
    },
    async local(options = {}) {
      const stack = await startLocal({dataDir: join(dataDir, 'local'), createDelayMs: 20, ...options})
      stacks.push(stack)
      await saveContext(configDir, 'local', {credentials: 'local'})
      return stack
    },
    async remove() {
      for (const stack of stacks) await stack.stop()
      await rm(directory, {recursive: true, force: true})
    },
  }
  await mkdir(join(directory, 'work'))
  return home
}

export type Ended = {stdout: string; stderr: string; code: number | null; signal: NodeJS.Signals | null}

export type RunOptions = {
  home: Home
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** Written to standard input, which is then closed; left open and silent when it is `silent`. */
  input?: string | {silent: true}
  /** Another program that is started in the same way. */
  program?: string
}

/** Runs the built CLI to its end, without a terminal. */
export const skk = (args: readonly string[], options: RunOptions): Promise<Ended> => startSkk(args, options).ended

export type Running = {
  child: ChildProcess
  ended: Promise<Ended>
  /** Resolves when standard output and standard error together match. Rejects when the process ends before. */
  says(pattern: RegExp): Promise<void>
}

/** Starts the built CLI, without a terminal. */
export const startSkk = (args: readonly string[], options: RunOptions): Running =>
  start(process.execPath, [options.program ?? RUN, ...args], options)

/** Starts the built CLI on a terminal: standard input, output and error are one pseudo-terminal of util-linux's script(1). */
export function startSkkOnTerminal(args: readonly string[], options: RunOptions & {redirect?: string}): Running {
  const words = [process.execPath, options.program ?? RUN, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`)
  const line = [...words, ...(options.redirect ? [options.redirect] : [])].join(' ')
  return start('script', ['-q', '-e', '-c', line, '/dev/null'], {...options, input: {silent: true}})
}

function start(program: string, args: readonly string[], {home, env, cwd, input = ''}: RunOptions): Running {
  const child = spawn(program, args, {env: {...home.env, ...env}, cwd: cwd ?? join(home.directory, 'work'), stdio: 'pipe'})
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  // A process that ended without reading its input is not the test's problem.
  child.stdin.on('error', () => {})
  if (typeof input === 'string') child.stdin.end(input)

  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({stdout, stderr, code, signal}))
  })
  const says = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => pattern.test(stdout + stderr) && resolve()
      child.stdout.on('data', look)
      child.stderr.on('data', look)
      void ended.then(() => reject(new Error(`ended without ${pattern}:\n${stdout}${stderr}`)))
      look()
    })
  return {child, ended, says}
}
