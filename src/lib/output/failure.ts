import type {SkkError} from '../errors.js'
import {colorStderr} from './color.js'
import {asTyped} from './invocation.js'
import {sanitize, sanitizeJson} from './sanitize.js'

/** For people: the failure, and what to do about it. */
export const renderFailure = ({message, hint, resume}: SkkError): string =>
  [
    `${colorStderr.red('error:')} ${sanitize(message)}`,
    hint && `${colorStderr.dim('hint:')}  ${sanitize(asTyped(hint))}`,
    resume && `${colorStderr.dim('resume:')} ${sanitize(asTyped(resume))}`,
  ]
    .filter(Boolean)
    .join('\n')

/** For programs: one line, the public shape of every failure. */
export function renderFailureJson(failure: SkkError): string {
  const {hint, resume, ...rest} = failure.toJSON()
  const error = {...rest, ...(hint && {hint: asTyped(hint)}), ...(resume && {resume: asTyped(resume)})}
  return sanitizeJson(JSON.stringify({error}))
}
