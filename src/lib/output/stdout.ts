import {SkkError} from '../errors.js'

/** Writes to standard output as it is. Data goes through here; everything else goes to standard error. */
export const write = (text: string): void => void process.stdout.write(text)

/** What is to be said when standard output takes no more. */
export const outputFailure = (error: NodeJS.ErrnoException): SkkError =>
  new SkkError(`cannot write to standard output: ${error.message}`, {
    code: 'OUTPUT_FAILED',
    exit: 'localIo',
    hint: 'Make room, or write the output somewhere else.',
    cause: error,
  })
