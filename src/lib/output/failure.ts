import type {SkkError} from '../errors.js'
import {colorStderr} from './color.js'
import {asTyped} from './invocation.js'
import {redact} from './redact.js'
import {sanitize, sanitizeJson} from './sanitize.js'

/** For people: the failure, and what to do about it. */
export const renderFailure = ({message, hint, resume}: SkkError): string =>
  [
    `${colorStderr.red('error:')} ${harmless(message)}`,
    hint && `${colorStderr.dim('hint:')}  ${harmless(asTyped(hint))}`,
    resume && `${colorStderr.dim('resume:')} ${harmless(asTyped(resume))}`,
  ]
    .filter(Boolean)
    .join('\n')

/** For programs: one line, the public shape of every failure. */
export function renderFailureJson(failure: SkkError): string {
  const {code, message, exitCode, hint, retryable, resume} = failure.toJSON()
  const error = {
    code,
    message: redact(message),
    exitCode,
    ...(hint && {hint: asTyped(hint)}),
    retryable,
    ...(resume && {resume: asTyped(resume)}),
  }
  return sanitizeJson(JSON.stringify({error}))
}

/** For --debug: the stacks of the failure and of what caused it. */
export const renderStack = (failure: Error): string => harmless(stackOf(failure))

const stackOf = ({stack, cause}: Error): string =>
  [stack, ...(cause instanceof Error ? [`caused by: ${stackOf(cause)}`] : [])].join('\n')

const harmless = (text: string): string => sanitize(redact(text))
