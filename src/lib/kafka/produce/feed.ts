import type {Coverage} from './coverage.js'
import type {IdHeader} from './id-header.js'
import {changed, type Source} from './input.js'
import type {Meter} from './meter.js'
import type {Outcomes} from './outcomes.js'
import {Pace, pause} from './pace.js'
import {emptyRecord} from './placed-record.js'
import {BadLineError, type Portion, type ReadEvents, repeated} from './portion.js'
import type {Producer} from './producer.js'
import type {ProduceOptions} from './run.js'
import type {SizeLimit} from './size-limit.js'

/** Input that pauses for this long is sent as far as it has come. */
const LINGER_MS = 50
/** Input that comes steadily but slowly fills no batch for long: what was gathered waits no longer than this. */
const MOST_LINGER_MS = 500
const SLOW_BYTES = 256 * 1024

/** A line that ended the run; `offset` is null where it was refused only when it had been sent. */
export type BadLine = {source: string; line: number; offset: number | null; reason: string; tooLarge: boolean}

export type Fed = {badLine: BadLine | null; failure: unknown; resumed: number}

/** Reads the inputs into `producer`, except what earlier runs have written, until they end or something ends the run. */
export async function feed(
  producer: Producer,
  outcomes: Outcomes,
  coverage: Coverage | null,
  {sizeLimit, idHeader, meter}: {sizeLimit: SizeLimit; idHeader: IdHeader | null; meter: Meter},
  options: ProduceOptions,
  events: ReadEvents,
): Promise<Fed> {
  const feeder = new Feeder(producer, outcomes, coverage, {sizeLimit, idHeader}, options)
  const {inputs, read, repeat, signal} = options
  const fed = {badLine: null, failure: null}
  try {
    for await (const portion of flushingPauses(repeated(read, repeat)(inputs, events, signal, producer.arena), producer)) {
      meter.begin(portion)
      const badLine = await feeder.take(portion)
      meter.end(portion)
      if (badLine !== null) return {...fed, badLine, resumed: feeder.resumed}
      if (feeder.isOver()) break
    }
    if (coverage !== null && producer.failure === undefined && !signal.aborted && !coverage.isComplete()) {
      throw changed(inputs[0]!.name, 'since the run to be resumed, or is read in another way')
    }
    return {...fed, resumed: feeder.resumed}
  } catch (failure) {
    return {...fed, failure, resumed: feeder.resumed}
  }
}

class Feeder {
  /** How many records earlier runs have written. */
  resumed = 0
  private readonly producer: Producer
  private readonly outcomes: Outcomes
  private readonly coverage: Coverage | null
  private readonly sizeLimit: SizeLimit
  private readonly idHeader: IdHeader | null
  private readonly options: ProduceOptions
  private readonly record = emptyRecord()
  /** Number of the next record, or bad line, of the input. */
  private ordinal = 0
  private source: Source | undefined
  private nextLine = 0
  private readonly pace: Pace | null
  private flushedAt = performance.now()

  constructor(
    producer: Producer,
    outcomes: Outcomes,
    coverage: Coverage | null,
    {sizeLimit, idHeader}: {sizeLimit: SizeLimit; idHeader: IdHeader | null},
    options: ProduceOptions,
  ) {
    this.producer = producer
    this.outcomes = outcomes
    this.coverage = coverage
    this.sizeLimit = sizeLimit
    this.idHeader = idHeader
    this.options = options
    this.pace = options.rate === null ? null : new Pace(options.rate)
  }

  isOver(): boolean {
    return this.hasStopped() || this.options.signal.aborted || this.ordinal >= this.options.limit
  }

  /** Whether what was sent has ended the run. */
  private hasStopped(): boolean {
    return this.producer.failure !== undefined || (this.options.onBadLine === 'stop' && this.outcomes.refused !== null)
  }

  /** Takes the records of a portion as far as the run goes on. Returns the line that ended it, if one did. */
  async take(portion: Portion): Promise<BadLine | null> {
    const {producer, outcomes, record, options} = this
    if (portion.source !== this.source) {
      this.source = portion.source
      this.nextLine = portion.firstLine
      outcomes.places.begin(this.ordinal, portion.source.name, portion.firstLine)
    }
    const before = this.ordinal
    try {
      while (!this.hasStopped() && this.ordinal < options.limit) {
        const bad = this.read(portion)
        if (bad === END) return null
        const ordinal = this.ordinal++
        if (portion.line !== undefined) this.noteLine(ordinal, portion.line())
        if (bad !== null) {
          const ending = this.refuse(ordinal, bad, portion)
          if (ending === null) continue
          return ending
        }
        const partition = producer.partitionOf(record)
        const claim = this.coverage === null ? null : this.coverage.claimOf(ordinal, partition)
        if (claim !== null) {
          const index = claim.seen++
          if (claim.offset !== null) {
            this.resumed++
            outcomes.resumed(ordinal, claim.partition, claim.offset + index)
            continue
          }
        }
        this.idHeader?.addTo(record, ordinal)
        if (this.sizeLimit.isDoubtful(record)) {
          const excess = await this.sizeLimit.excess(record)
          if (excess !== null) {
            producer.leftOut(partition)
            const ending = this.refuse(ordinal, new BadLineError(excess, {tooLarge: true}), portion)
            if (ending === null) continue
            return ending
          }
        }
        while (!producer.add(record, ordinal, partition, claim)) {
          await producer.room()
          if (producer.failure !== undefined || options.signal.aborted) {
            outcomes.notTaken(ordinal)
            return null
          }
        }
        if (this.pace !== null) {
          await this.keepPace(this.pace)
          if (options.signal.aborted) return null
        }
      }
      return null
    } finally {
      outcomes.ledger.read(this.ordinal - before)
    }
  }

  /** Books a line that is no record, or none that can be sent; what it means if it ends the run. */
  private refuse(ordinal: number, {message, ends, tooLarge}: BadLineError, portion: Portion): BadLine | null {
    const {outcomes, options} = this
    outcomes.badLine(ordinal, message, portion.raw())
    if (options.onBadLine === 'skip' && !ends) return null
    return {...outcomes.places.placeOf(ordinal), offset: portion.offset(), reason: message, tooLarge}
  }

  private noteLine(ordinal: number, line: number): void {
    if (line !== this.nextLine) this.outcomes.places.begin(ordinal, this.source!.name, line)
    this.nextLine = line + 1
  }

  private async keepPace(pace: Pace): Promise<void> {
    const waitMs = pace.after(this.record)
    if (waitMs === 0) return
    if (performance.now() - this.flushedAt > LINGER_MS) {
      this.producer.flush()
      this.flushedAt = performance.now()
    }
    await pause(waitMs, this.options.signal)
  }

  /** Reads the next record; returns why it is none, null when it is one. */
  private read(portion: Portion): BadLineError | null | typeof END {
    const {record} = this
    try {
      if (!portion.next(record)) return END
    } catch (error) {
      if (error instanceof BadLineError) return error
      throw error
    }
    const {partitions} = this.producer
    if (record.partition < partitions) return null
    return new BadLineError(`it names partition ${record.partition}, and the topic has ${partitions}`)
  }
}

const END = Symbol('end of the portion')

/** Passes the portions on; whenever the next one is not there soon, and every now and then where they are small, what was gathered is sent. */
async function* flushingPauses(portions: AsyncGenerator<Portion>, producer: Producer): AsyncGenerator<Portion> {
  let [flushedAt, flushedBytes] = [performance.now(), 0]
  const flush = (): void => {
    producer.flush()
    flushedAt = performance.now()
  }
  try {
    for (;;) {
      const linger = setTimeout(flush, LINGER_MS)
      const next = await portions.next().finally(() => clearTimeout(linger))
      if (next.done) return
      yield next.value
      if (performance.now() - flushedAt <= MOST_LINGER_MS) continue
      const {bytesRead} = next.value
      if (bytesRead - flushedBytes < SLOW_BYTES) flush()
      ;[flushedAt, flushedBytes] = [performance.now(), bytesRead]
    }
  } finally {
    await portions.return(undefined)
  }
}
