import type {Arena} from '../../records/arena.js'
import type {Source} from './input.js'
import type {PlacedRecord} from './placed-record.js'

/** Something in the input that is no record. */
export class BadLineError extends Error {
  override readonly name = 'BadLineError'
  /** Whether what follows cannot be read either. */
  readonly ends: boolean
  /** Whether a topic with a higher limit would take it. */
  readonly tooLarge: boolean

  constructor(reason: string, {ends = false, tooLarge = false} = {}) {
    super(reason)
    this.ends = ends
    this.tooLarge = tooLarge
  }
}

/** Some records in a row, valid until the next portion is asked for. The object may be the same for each portion. */
export type Portion = {
  source: Source
  /** Line of the first record of `source`, counted from 1. */
  firstLine: number
  /** Of all inputs so far, as they are stored. */
  bytesRead: number
  /** Reads the next record into `record`; false at the end. Throws BadLineError, after which it goes on with the next one. */
  next(record: PlacedRecord): boolean
  /** Where the record, or bad line, that `next` came to begins in its input. */
  offset(): number
  /** Its line, where that is not one more than the last one's. */
  line?(): number
  /** The bytes that it came from. */
  raw(): Buffer
}

/** Reads inputs as records, best by way of `arena`. Ends early once `signal` is aborted. Throws SkkError (local I/O). */
export type ReadInputs = (
  inputs: readonly Source[],
  events: ReadEvents,
  signal: AbortSignal,
  arena: Pick<Arena, 'input' | 'spare'>,
) => AsyncGenerator<Portion>

export type ReadEvents = {
  /** Told once of an input whose lines end in CR LF. */
  onCarriageReturn(source: Source): void
}

/** The same inputs so many times in a row, each time as inputs of their own. */
export function repeated(read: ReadInputs, times: number): ReadInputs {
  return async function* readAgain(inputs, events, signal, arena) {
    let before = 0
    for (let time = 0; time < times && !signal.aborted; time++) {
      let bytesRead = 0
      const again = inputs.map((source) => ({...source}))
      for await (const portion of read(again, events, signal, arena)) {
        bytesRead = portion.bytesRead
        portion.bytesRead += before
        yield portion
      }
      before += bytesRead
    }
  }
}
