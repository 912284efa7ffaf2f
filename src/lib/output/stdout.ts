import {EXIT, SkkError} from '../errors.js'
import {renderFailure} from './failure.js'

/** Writes to standard output as it is. Data goes through here; everything else goes to standard error. */
export const write = (text: string): void => void process.stdout.write(text)

/** What a failed write to standard output means for the exit code, and what is to be said about it. */
export function outputFailure(error: NodeJS.ErrnoException): {exitCode: number; text: string | undefined} {
  // The reader has what it wanted, as in `skk topics list | head -1`.
  if (error.code === 'EPIPE') return {exitCode: EXIT.ok, text: undefined}

  const failure = new SkkError(`cannot write to standard output: ${error.message}`, {
    code: 'OUTPUT_FAILED',
    exit: 'localIo',
    hint: 'Make room, or write the output somewhere else.',
    cause: error,
  })
  return {exitCode: failure.exitCode, text: renderFailure(failure)}
}
