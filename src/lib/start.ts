import type {Config} from '@oclif/core'

import {SkkError} from './errors.js'
import {asFailure, Bug, usage} from './failures.js'
import {nearest} from './nearest.js'
import {renderFailure, renderFailureJson} from './output/failure.js'
import {outputFailure} from './output/stdout.js'
import {stop, stopOnSignals, stopReason} from './shutdown.js'

/** Warnings about Node that a user of skk can do nothing about. */
const hushed: Record<string, string> = {
  TimeoutNegativeWarning: 'kafkajs sets timers in the past (tulios/kafkajs#1751)',
  NodeVersionSupportWarning: 'the AWS SDK announces when it will drop a Node version',
}

/** Runs one command line and ends the process. `root` is the directory of package.json. */
export async function start(argv: string[], root: string): Promise<void> {
  hushWarnings()
  stopOnSignals()
  process.on('uncaughtException', (error) => fail(new Bug(error), argv))
  process.on('unhandledRejection', (error) => fail(new Bug(error), argv))

  const {run, Config} = await import('@oclif/core')
  watchOutput()
  try {
    await run(withHelpWord(argv), root)
  } catch (error) {
    if (error instanceof SkkError) process.exit(error.exitCode)
    fail(unknownCommand(error as Error, await Config.load(root)) ?? asFailure(error, {command: '', flags: []}), argv)
  }
}

function fail(failure: SkkError, argv: readonly string[]): never {
  process.stderr.write(`${argv.includes('--json') ? renderFailureJson(failure) : renderFailure(failure)}\n`)
  process.exit(failure.exitCode)
}

function hushWarnings(): void {
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    const type = typeof rest[0] === 'object' ? (rest[0] as {type?: string} | null)?.type : rest[0]
    const text = `${type} ${warning}`
    if (!Object.keys(hushed).some((name) => text.includes(name))) emitWarning(warning, ...rest)
  }
}

/** oclif swallows EPIPE, so that a command goes on for nobody, and turns every other failed write into a stack trace. */
function watchOutput(): void {
  process.stdout.removeAllListeners('error')
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has what it wanted, as in `skk topics list | head -1`.
    if (error.code === 'EPIPE') return stop('EPIPE')
    if (!stopReason()) process.stderr.write(`${renderFailure(outputFailure(error))}\n`)
    stop('OUTPUT')
  })
  // Whoever closed standard error does not want to hear about it.
  process.stderr.on('error', () => {})
}

/** `skk help topics` as `skk topics --help`. */
const withHelpWord = (argv: string[]): string[] => (argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv)

/** oclif joins everything up to the first flag into one command id. */
function unknownCommand(error: Error, config: Config): SkkError | undefined {
  const id = /^command (.*) not found$/.exec(error.message)?.[1]
  if (id === undefined) return undefined

  if (id.startsWith('-')) return usage(`"${id}" stands before the command; flags come after it`, {command: ''})

  const words = id.split(':')
  for (let length = words.length - 1; length > 0; length--) {
    const command = words.slice(0, length).join(' ')
    if (config.findCommand(words.slice(0, length).join(':'))) return usage(`unexpected argument "${words[length]}"`, {command})
  }
  const typed = words.join(' ')
  const ids = config.commandIDs.map((known) => known.replaceAll(':', ' '))
  const meant = nearest(typed, ids)
  return usage(`unknown command "${typed}"`, {command: ''}, meant && `skk ${meant}`, error)
}
