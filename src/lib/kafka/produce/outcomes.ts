import {SkkError} from '../../errors.js'
import type {RecordInput} from '../../records/batch.js'
import type {Batch} from './batch.js'
import type {Delivery} from './deliver.js'
import type {BadLine} from './feed.js'
import type {Lane} from './lane.js'
import {Ledger} from './ledger.js'
import {Places} from './places.js'
import {LineFile, ReportFile} from './report-file.js'

const SAMPLE_BYTES = 256 * 1024

export type OutcomeOptions = {
  /** Where to write what became of each record; null for nowhere. */
  reportPath: string | null
  /** Where to write the lines that were rejected. */
  rejectsPath: string | null
  /** The line that a record came from, or one that makes the same record. */
  lineOf(record: RecordInput): Buffer
}

/** Books what becomes of every record: in the ledger, by partition, and in the files that the user asked for. */
export class Outcomes {
  readonly ledger = new Ledger()
  readonly places = new Places()
  /** The first record that a broker refused. */
  refused: BadLine | null = null
  /** For how long the brokers asked for a pause. */
  throttledMs = 0
  /** The beginning of the first large batch, for an estimate. */
  sample: Buffer | null = null
  readonly partitions: Map<number, {records: number; bytes: number}>
  private readonly report: ReportFile | null
  private readonly rejects: LineFile | null
  private readonly lineOf: (record: RecordInput) => Buffer
  /** The first of these files that could not be written, of which the run must not die half-way through a batch. */
  private failure: SkkError | undefined

  constructor({reportPath, rejectsPath, lineOf}: OutcomeOptions, lanes: readonly Pick<Lane, 'partition'>[]) {
    this.lineOf = lineOf
    this.partitions = new Map(lanes.map(({partition}) => [partition, {records: 0, bytes: 0}]))
    this.report = reportPath === null ? null : new ReportFile(reportPath, this.places)
    this.rejects = rejectsPath === null ? null : new LineFile(rejectsPath, '--rejects')
  }

  /** An earlier run has written it. */
  resumed(ordinal: number, partition: number, offset: number): void {
    this.ledger.acked(1)
    this.report?.record(ordinal, {status: 'acked', partition, offset})
  }

  /** A line that is no record. Throws SkkError when that cannot be written down. */
  badLine(ordinal: number, reason: string, raw: Buffer): void {
    this.ledger.rejected({...this.places.placeOf(ordinal), reason})
    this.report?.record(ordinal, {status: 'rejected', reason})
    this.rejects?.write(raw)
  }

  /** It was read when nothing more was to be sent. */
  notTaken(ordinal: number): void {
    this.guarded(() => this.report?.record(ordinal, {status: 'unsent'}))
  }

  /** What would be sent. */
  placed(batch: Batch, partition: number): void {
    const entry = this.partitions.get(partition)!
    entry.records += batch.count
    entry.bytes += batch.writer.size
    if (this.sample === null && batch.writer.size > SAMPLE_BYTES)
      this.sample = Buffer.from(batch.writer.section.subarray(0, SAMPLE_BYTES))
  }

  delivered(delivery: Delivery, partition: number): void {
    const {ledger} = this
    const {batch, kind} = delivery
    if (kind === 'acked') {
      ledger.acked(batch.count)
      this.placed(batch, partition)
    }
    if (kind === 'unknown') ledger.unknown(batch.count)
    if (kind === 'rejected') {
      for (let i = 0; i < batch.count; i++) {
        const place = this.places.placeOf(batch.ordinalAt(i))
        ledger.rejected({...place, reason: delivery.reason})
        this.refused ??= {...place, offset: null, reason: delivery.reason, tooLarge: false}
      }
    }
    this.guarded(() => {
      this.report?.delivered(delivery, partition)
      if (kind === 'rejected') this.rejects?.write(this.lineOf(batch.firstRecord()))
    })
  }

  /** Everything has its outcome but `unsent`. Returns why a file could not be written in full, null if all were. */
  close(unsent: Iterable<Batch>): SkkError | null {
    this.guarded(() => {
      for (const batch of unsent) this.report?.delivered({kind: 'unsent', batch, error: undefined}, -1)
    })
    for (const file of [this.report, this.rejects]) this.guarded(() => file?.close())
    return this.failure ?? null
  }

  private guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof SkkError)) throw error
      this.failure ??= error
    }
  }
}
