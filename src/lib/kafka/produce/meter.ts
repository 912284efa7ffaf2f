import type {Source} from './input.js'
import type {Outcomes} from './outcomes.js'
import type {Portion} from './portion.js'
import type {ProduceProgress} from './progress-line.js'

/** How far a run has come, at any moment: also while nothing is read, because acknowledgements are waited for. */
export class Meter {
  private readonly outcomes: Outcomes
  private readonly totalBytes: number | null
  private readonly startedAt = performance.now()
  private portion: Portion | null = null
  private source: Source | null = null
  private sourceBegan = 0
  /** Of the portions whose records are taken. */
  private takenBytes = 0

  constructor(outcomes: Outcomes, {inputs, repeat}: {inputs: readonly Source[]; repeat: number}) {
    this.outcomes = outcomes
    this.totalBytes = inputs.every(({bytes}) => bytes !== null) ? inputs.reduce((sum, {bytes}) => sum + bytes! * repeat, 0) : null
  }

  /** The records of `portion` come next. */
  begin(portion: Portion): void {
    if (portion.source !== this.source) this.sourceBegan = this.takenBytes
    this.source = portion.source
    this.portion = portion
  }

  /** They are taken. */
  end({bytesRead}: Portion): void {
    this.portion = null
    this.takenBytes = bytesRead
  }

  progress(): ProduceProgress {
    return {
      ...this.outcomes.ledger.counts(),
      bytesRead: this.bytes(),
      totalBytes: this.totalBytes,
      elapsedMs: performance.now() - this.startedAt,
      throttledMs: this.outcomes.throttledMs,
    }
  }

  private bytes(): number {
    const {portion, takenBytes} = this
    // Where a compressed file is within a portion, nobody knows in bytes of the file.
    if (portion === null || portion.source.name.endsWith('.gz')) return takenBytes
    return Math.max(takenBytes, Math.min(portion.bytesRead, this.sourceBegan + portion.offset()))
  }
}
