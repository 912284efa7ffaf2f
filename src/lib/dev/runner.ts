import {randomUUID} from 'node:crypto'
import {existsSync, statSync} from 'node:fs'
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {basename, dirname, extname, join, resolve} from 'node:path'

import {SkkError} from '../errors.js'
import {bundle, findEsbuild} from '../functions/bundle.js'
import {findHandler, type Handler, isTypeScript} from '../functions/handler.js'
import {needsEsbuild} from '../functions/package.js'
import type {Invocation} from '../lambda/poller.js'
import {Sandboxes, THROTTLED} from '../local/lambda/sandboxes.js'
import {watchSources} from './watch.js'

export type RunnerOptions = {
  /** A directory, or the file of a handler. */
  path: string
  /** As Lambda names it; found by itself when left out. */
  handler: string | undefined
  functionArn: string
  timeoutMs: number
  memoryMb: number
  environment: Readonly<Record<string, string>>
  /** A line that the handler or Lambda wrote. */
  log(line: string): void
  /** The sources changed and were taken up, or could not be. */
  onReload(failure: SkkError | undefined): void
}

/** A handler in child processes, as Lambda runs it, which follows changes of its sources. */
export type Runner = {
  /** Never rejects. An invocation that a change of the sources ended counts as not made. */
  invoke(payload: Buffer): Promise<Invocation>
  stop(): Promise<void>
}

type Code = {dir: string; handler: string}

/** Throws SkkError: not found, usage when TypeScript has no esbuild, local I/O when it cannot be bundled. */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const {dir, recursive, handler} = await locate(options)
  const temporary = await mkdtemp(join(tmpdir(), 'skk-dev-'))
  let generation = 0
  let sandboxes = new Sandboxes()
  let code: Code | SkkError
  try {
    code = await load(dir, handler, temporary)
  } catch (error) {
    await rm(temporary, {recursive: true, force: true})
    throw error
  }
  const reload = async (): Promise<void> => {
    const mine = ++generation
    const old = sandboxes
    sandboxes = new Sandboxes()
    const loaded = await load(dir, handler, join(temporary, String(mine))).catch(asFailure)
    await old.close()
    if (mine !== generation) return
    code = loaded
    options.onReload(loaded instanceof SkkError ? loaded : undefined)
  }
  const unwatch = watchSources(dir, {recursive}, () => void reload())

  return {
    async invoke(payload) {
      const started = generation
      if (code instanceof SkkError) return {ok: false, kind: 'unavailable', message: code.message}
      const runnable = {...options, version: '$LATEST', runtime: 'nodejs', key: code.dir, codeDir: code.dir}
      const environment = {...options.environment, ...environmentOf(options, code)}
      const result = await sandboxes.invoke({...runnable, environment}, {requestId: randomUUID(), payload})
      if (result === THROTTLED) return {ok: false, kind: 'throttled', message: 'the handler is being stopped'}
      if (result.functionError && started !== generation) return {ok: false, kind: 'unavailable', message: 'the handler changed'}
      return asInvocation(result)
    },
    async stop() {
      unwatch()
      generation++
      await sandboxes.close()
      await rm(temporary, {recursive: true, force: true})
    },
  }
}

async function locate({path, handler}: RunnerOptions): Promise<{dir: string; recursive: boolean; handler: Handler}> {
  const absolute = resolve(path)
  if (!existsSync(absolute)) throw new SkkError(`there is no "${path}"`, {code: 'NO_SUCH_FILE', exit: 'notFound'})
  if (statSync(absolute).isDirectory()) {
    const canBundle = (await findEsbuild(absolute)) !== undefined
    return {dir: absolute, recursive: true, handler: findHandler(absolute, handler, canBundle)}
  }
  const file = basename(absolute)
  const name = `${file.slice(0, -extname(file).length || undefined)}.${handler?.split('.').at(-1) ?? 'handler'}`
  return {dir: dirname(absolute), recursive: false, handler: {file, name}}
}

/** JavaScript runs where it is, so that it finds its packages; TypeScript is bundled into `to`. Throws SkkError. */
async function load(dir: string, {file, name}: Handler, to: string): Promise<Code> {
  if (!isTypeScript(file)) return {dir, handler: name}
  const esbuild = await findEsbuild(dir)
  if (!esbuild) throw needsEsbuild(dir, `"${file}" is TypeScript`)
  const target = join(to, `${name.slice(0, name.lastIndexOf('.'))}.mjs`)
  await mkdir(dirname(target), {recursive: true})
  await writeFile(target, await bundle(esbuild, dir, file))
  return {dir: to, handler: name}
}

function asFailure(error: unknown): SkkError {
  if (error instanceof SkkError) return error
  return new SkkError(`cannot load the handler: ${(error as Error).message}`, {
    code: 'RELOAD_FAILED',
    exit: 'localIo',
    cause: error,
  })
}

const environmentOf = ({functionArn, memoryMb}: RunnerOptions, {dir, handler}: Code): Record<string, string> => ({
  AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs',
  AWS_LAMBDA_FUNCTION_NAME: functionArn.split(':')[6] ?? '',
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
  AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
  LAMBDA_TASK_ROOT: dir,
  _HANDLER: handler,
})

function asInvocation({
  payload,
  functionError,
  timedOut,
}: {
  payload: Buffer
  functionError: unknown
  timedOut: boolean
}): Invocation {
  const answer = parsed(payload)
  if (!functionError) return {ok: true, payload: answer}
  const {errorType, errorMessage} = (answer ?? {}) as {errorType?: string; errorMessage?: string}
  const message = timedOut ? (errorMessage ?? '') : [errorType, errorMessage].filter(Boolean).join(': ')
  return {ok: false, kind: timedOut ? 'timeout' : 'functionError', message}
}

function parsed(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch {
    return payload.toString()
  }
}
