/** What a script can tell from `$?`. A contract: never renumber. */
export const EXIT = {
  ok: 0,
  bug: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  unavailable: 5,
  conflict: 6,
  partial: 7,
  pending: 8,
  localIo: 9,
  unknownOutcome: 10,
  interrupted: 130,
  terminated: 143,
} as const

export type Failure = Exclude<keyof typeof EXIT, 'ok' | 'bug'>

/** The failure that ends with that exit code; undefined for 0, 1 and what is none of ours. */
export const failureWith = (exitCode: number | null): Failure | undefined =>
  (Object.keys(EXIT) as (keyof typeof EXIT)[]).find(
    (name): name is Failure => name !== 'ok' && name !== 'bug' && EXIT[name] === exitCode,
  )

export type FailureDetails = {
  /** Stable and upper-case, such as `TOPIC_NOT_FOUND`; part of the JSON contract. */
  code: string
  exit: Failure
  /** One full sentence with the command to run. */
  hint?: string
  /** Whether the same command may succeed if it is run again. */
  retryable?: boolean
  /** The command that goes on where this one stopped. */
  resume?: string
  cause?: unknown
}

/** A failure the user can act on. Anything else that escapes a command is a bug. */
export class SkkError extends Error {
  override readonly name = 'SkkError'
  readonly code: string
  readonly exitCode: number
  readonly hint: string | undefined
  readonly retryable: boolean
  readonly resume: string | undefined
  /** oclif exits with this on a terminal; under --json it reads `exitCode`. */
  readonly oclif: {exit: number}
  /** BaseCommand prints it, with its hint and without its stack. */
  readonly skipOclifErrorHandling = true

  /** `message` is lowercase, names in "double quotes", commands in `backticks`, no full stop. */
  constructor(message: string, {code, exit, hint, retryable, resume, cause}: FailureDetails) {
    super(message, {cause})
    this.code = code
    this.hint = hint
    this.retryable = retryable ?? exit === 'unavailable'
    this.resume = resume
    this.exitCode = EXIT[exit]
    this.oclif = {exit: this.exitCode}
  }

  /** The same failure, with the command that goes on where it stopped. */
  resumedBy(resume: string): SkkError {
    const {message, code, hint, retryable, exitCode, cause} = this
    const [exit] = Object.entries(EXIT).find(([, number]) => number === exitCode) as [Failure, number]
    return new SkkError(message, {code, exit, ...(hint !== undefined && {hint}), retryable, resume, cause})
  }

  /** The public shape under `--json`. */
  toJSON(): {code: string; message: string; exitCode: number; hint?: string; retryable: boolean; resume?: string} {
    const {code, message, exitCode, hint, retryable, resume} = this
    return {code, message, exitCode, ...(hint && {hint}), retryable, ...(resume && {resume})}
  }
}
