import {stripVTControlCharacters} from 'node:util'

import {EXIT, SkkError} from './errors.js'
import {nearest} from './nearest.js'

/** An unforeseen error. Its class is not SkkError, because nobody can act on it; its shape is the same. */
export class Bug extends SkkError {
  override readonly exitCode: number = EXIT.bug
  override readonly oclif = {exit: EXIT.bug}

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message || cause.name : String(cause), {
      code: 'BUG',
      exit: 'usage',
      hint: 'This is a bug in skk; run the command again with `--debug` and report what it prints.',
      cause,
    })
  }
}

export type Invoked = {
  /** The command as it is typed, such as `topics list`; empty when there was none. */
  command: string
  /** Names of the flags that the command has. */
  flags: readonly string[]
}

/** What oclif's parser adds to its errors; it does not export their classes. */
type ParseError = Error & {oclif?: {exit?: number}; flags?: unknown; args?: unknown; showHelp?: boolean}

/**
 * Any error in the public shape: SkkErrors as they are, oclif's own errors as usage errors with one short line, and everything
 * else as a bug.
 */
export function asFailure(error: unknown, invoked: Invoked): SkkError {
  if (error instanceof SkkError) return withoutParserNoise(error)

  const {oclif} = error as ParseError
  if (oclif?.exit !== EXIT.usage) return new Bug(error)

  return usage(briefly(error as ParseError), invoked, suggestion(error as ParseError, invoked), error)
}

/** A usage error that points at the command's help. */
export function usage(message: string, {command}: Pick<Invoked, 'command'>, suggested?: string, cause?: unknown): SkkError {
  const help = `Run \`${['skk', command, '--help'].filter(Boolean).join(' ')}\` to see what it takes.`
  return new SkkError(message, {
    code: 'USAGE',
    exit: 'usage',
    hint: suggested ? `Did you mean \`${suggested}\`? ${help}` : help,
    cause,
  })
}

function briefly(error: ParseError): string {
  const {flags, args} = error
  if (isWords(flags)) return `unknown ${flags.length === 1 ? 'flag' : 'flags'} ${quoted(flags)}`
  if (isWords(args)) return `unexpected ${args.length === 1 ? 'argument' : 'arguments'} ${quoted(args)}`
  if (Array.isArray(args)) return `missing ${args.map(({name}) => name.toUpperCase()).join(' and ')}`

  const text = inOurWords(plain(error.message))
  return text.charAt(0).toLowerCase() + text.slice(1)
}

/** oclif's sentences about flags, by what they say. */
const SENTENCES: readonly [RegExp, string][] = [
  [/^Expected (--[\w-]+)=(.*) to be one of: (.*)$/, '$1 takes one of $3, not "$2"'],
  [/^(--[\w-]+: )?Expected an integer but received: (.*)$/, '$1"$2" is not a whole number'],
  [/^(--[\w-]+: )?Expected an integer greater than or equal to (\S+) but received: (.*)$/, '$1$3 is less than $2'],
  [/^(--[\w-]+: )?Expected an integer less than or equal to (\S+) but received: (.*)$/, '$1$3 is more than $2'],
  [/^(--[\w-]+)=.* cannot also be provided when using (--[\w-]+)$/, '$1 does not go with $2'],
  [/^Flag (--[\w-]+) expects a value$/, '$1 needs a value'],
  [/^Flag (--[\w-]+) can only be specified once$/, '$1 can be given only once'],
  [/^Missing required flag (\w[\w-]*)$/, 'missing --$1'],
]

function inOurWords(text: string): string {
  const sentences = text.split('; ').map((sentence) => {
    const [pattern, ours] = SENTENCES.find(([pattern]) => pattern.test(sentence)) ?? []
    return pattern ? sentence.replace(pattern, ours!) : sentence
  })
  return sentences.join('; ')
}

function suggestion({flags}: ParseError, {flags: known}: Invoked): string | undefined {
  if (!isWords(flags)) return undefined
  const name = nearest(
    flags[0]!.replace(/=.*/, ''),
    known.map((flag) => `--${flag}`),
  )
  return name
}

/** oclif prefixes what a flag's own parser throws, and appends a pointer to the help. */
function withoutParserNoise(error: SkkError): SkkError {
  const [, flag, message] = /^Parsing (--[a-z-]+) \n\t(.*)\nSee more help with --help$/s.exec(error.message) ?? []
  if (flag) error.message = `${flag}: ${message}`
  return error
}

const isWords = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every((x) => typeof x === 'string')

const quoted = (words: string[]): string => words.map((word) => `"${word}"`).join(', ')

const plain = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/^The following errors? occurred:\s*/, '')
    .replace(/\n*See more help with --help$/, '')
    .replace(/^Parsing (--[a-z-]+) \n\t/, '$1: ')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .join('; ')
