import {setTimeout as delay} from 'node:timers/promises'
import {isDeepStrictEqual} from 'node:util'

import {
  createFunction,
  type FunctionSettings,
  getFunction,
  type LambdaFunction,
  updateFunctionCode,
  updateFunctionSettings,
} from '../aws/functions.js'
import type {Lambda} from '../aws/lambda.js'
import {SkkError} from '../errors.js'
import type {Package} from './package.js'

/** What a function is to become. What `settings` leaves out gets its default when it is new, and stays when it is not. */
export type Wanted = {name: string; package: Package; settings: FunctionSettings}

type Change = 'create' | 'update' | 'none'

/** What a deployment does: `code` and `settings` tell what differs. */
export type DeployPlan = {
  change: Change
  code: boolean
  /** Names of the settings that change, those of the environment as `environment.NAME`; without their values. */
  settings: string[]
  /** What Lambda is to be told. */
  send: FunctionSettings
}

export type Waiting = {
  /** When to give up, in ms of `performance.now()`. */
  deadline: number
  tickMs: number
}

const DEFAULTS = {runtime: 'nodejs24.x', memoryMb: 1024, timeoutSeconds: 60}

/** Compares what is wanted with what is there. Throws SkkError (usage) when a new function lacks its handler or role. */
export async function planDeploy(
  lambda: Lambda,
  {name, package: code, settings}: Wanted,
  defaults: {role?: string} = {},
): Promise<DeployPlan> {
  const existing = await getFunction(lambda, name)
  if (!existing) {
    const send = {...DEFAULTS, ...defaults, ...settings}
    refuseIncomplete(name, send)
    return {change: 'create', code: true, settings: [], send}
  }
  const {found, environment} = existing
  const codeDiffers = code.sha256 !== found.codeSha256
  // Lambda replaces the environment as a whole; variables that nobody names here are somebody's.
  const merged = {...environment, ...settings.environment}
  const {environment: wanted = {}, ...plain} = settings
  const names = (Object.keys(plain) as (keyof typeof plain)[]).filter((key) => !isDeepStrictEqual(plain[key], found[key]))
  const variables = Object.keys(wanted).filter((key) => wanted[key] !== environment[key])
  const send = {
    ...Object.fromEntries(names.map((key) => [key, plain[key]])),
    ...(variables.length > 0 && {environment: merged}),
  }
  const differing = [...names, ...variables.map((key) => `environment.${key}`)]
  return {change: codeDiffers || differing.length > 0 ? 'update' : 'none', code: codeDiffers, settings: differing, send}
}

function refuseIncomplete(name: string, {handler, role}: FunctionSettings): void {
  const missing = [
    ...(handler === undefined ? ['--handler index.handler'] : []),
    ...(role === undefined ? ['--role arn:aws:iam::ACCOUNT:role/NAME'] : []),
  ]
  if (missing.length === 0) return
  throw new SkkError(`function "${name}" is new and needs ${missing.map((flag) => flag.split(' ')[0]).join(' and ')}`, {
    code: 'USAGE',
    exit: 'usage',
    hint: `Add \`${missing.join(' ')}\`.`,
  })
}

/**
 * Carries a plan out and waits until the function is Active with it. Throws SkkError: what Lambda answers; unavailable when the
 * function failed to become active; pending when the wait ended first.
 */
export async function deploy(lambda: Lambda, wanted: Wanted, plan: DeployPlan, waiting: Waiting): Promise<LambdaFunction> {
  const {name, package: code} = wanted
  if (plan.change === 'create') await createFunction(lambda, name, code.zip, plan.send)
  if (plan.change === 'update') {
    // Lambda refuses a change while another is under way.
    await untilActive(lambda, name, waiting)
    if (plan.code) await updateFunctionCode(lambda, name, code.zip)
    if (plan.code && plan.settings.length > 0) await untilActive(lambda, name, waiting)
    if (plan.settings.length > 0) await updateFunctionSettings(lambda, name, plan.send)
  }
  return untilActive(lambda, name, waiting)
}

async function untilActive(lambda: Lambda, name: string, {deadline, tickMs}: Waiting): Promise<LambdaFunction> {
  for (;;) {
    const {found} = (await getFunction(lambda, name)) ?? {found: undefined}
    if (!found) throw new SkkError(`function "${name}" was deleted meanwhile`, {code: 'FUNCTION_NOT_FOUND', exit: 'notFound'})
    const {state, stateReason, lastUpdateStatus, lastUpdateReason} = found
    if (state === 'Failed' || lastUpdateStatus === 'Failed') {
      throw new SkkError(`function "${name}" failed: ${stateReason ?? lastUpdateReason ?? 'Lambda gives no reason'}`, {
        code: 'FUNCTION_FAILED',
        exit: 'unavailable',
      })
    }
    // Inactive is an idle function, which its next invocation wakes.
    if (state !== 'Pending' && lastUpdateStatus !== 'InProgress') return found
    if (performance.now() + tickMs > deadline) {
      throw new SkkError(`function "${name}" is still ${state === 'Pending' ? 'pending' : 'being updated'}`, {
        code: 'FUNCTION_PENDING',
        exit: 'pending',
        hint: 'Run `skk functions list` to see its state.',
      })
    }
    await delay(tickMs)
  }
}
