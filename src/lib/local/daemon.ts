import {type ChildProcess, spawn} from 'node:child_process'
import {open} from 'node:fs/promises'
import {join} from 'node:path'

import {failureWith, SkkError} from '../errors.js'
import {LOG_FILE, prepareDataDir, readStack, type Stack} from './data-dir.js'

/** What a background stack tells its parent, once: that it answers, or why it could not start. */
type Report =
  | {ready: true; warnings: readonly string[]}
  | {error: {code: string; message: string; exitCode: number; hint?: string}}

const START_MS = 30_000

/**
 * Runs `node SCRIPT ...ARGS`, which must call `reportReady` or `reportFailure`, detached from this terminal, and waits for that.
 * Its standard error goes to `stack.log` in the data directory. Resolves to what the stack wrote about itself, and its
 * warnings; throws its SkkError.
 */
export async function startInBackground(
  script: string,
  args: readonly string[],
  dataDir: string,
): Promise<{stack: Stack; warnings: readonly string[]}> {
  await prepareDataDir(dataDir)
  const log = await open(join(dataDir, LOG_FILE), 'a', 0o600)
  const child = spawn(process.execPath, [script, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', log.fd, 'ipc'],
    windowsHide: true,
  })
  try {
    const report = await firstReport(child, dataDir)
    if ('error' in report) throw asSkkError(report.error)
    const stack = await readStack(dataDir)
    if (!stack) throw new Error('the stack reported that it is ready but left no state file')
    return {stack, warnings: report.warnings}
  } finally {
    if (child.connected) child.disconnect()
    child.unref()
    await log.close()
  }
}

function firstReport(child: ChildProcess, dataDir: string): Promise<Report> {
  const silent = (how: string): SkkError =>
    new SkkError(`the stack ${how}`, {
      code: 'LOCAL_START_FAILED',
      exit: 'unavailable',
      hint: `Read "${join(dataDir, LOG_FILE)}", or run \`skk local start --foreground\` to watch it.`,
    })
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill()
      reject(silent(`did not answer within ${START_MS / 1000} s`))
    }, START_MS)
    const settle = (act: () => void) => {
      clearTimeout(timer)
      child.removeAllListeners()
      act()
    }
    child.once('message', (report) => settle(() => resolve(report as Report)))
    child.once('error', (error) => settle(() => reject(error)))
    child.once('exit', (code, signal) => settle(() => reject(silent(`ended with ${signal ?? `exit code ${code}`}`))))
  })
}

function asSkkError({code, message, exitCode, hint}: Extract<Report, {error: unknown}>['error']): SkkError {
  return new SkkError(message, {code, exit: failureWith(exitCode) ?? 'unavailable', ...(hint !== undefined && {hint})})
}

/** Whether this process was started by `startInBackground`. */
export const isBackground = (): boolean => process.send !== undefined

/** Tells the waiting parent, and lets it go. */
export function reportReady(warnings: readonly string[]): Promise<void> {
  return send({ready: true, warnings})
}

/** Resolves when the parent has been told: a process that exits before takes the reason with it. */
export function reportFailure(error: SkkError): Promise<void> {
  return send({error: error.toJSON()})
}

function send(report: Report): Promise<void> {
  return new Promise((resolve) => {
    if (!process.send) return resolve()
    process.send(report, () => {
      process.disconnect?.()
      resolve()
    })
  })
}
