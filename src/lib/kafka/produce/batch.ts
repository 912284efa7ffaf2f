import {elsewhere, type Room} from '../../records/arena.js'
import type {RecordInput} from '../../records/batch.js'
import {BatchWriter, type RecordSpans} from '../../records/batch-writer.js'
import {forEachRecord, type RecordBounds, readHeaders} from '../../records/record.js'
import type {Compress} from './compressor.js'
import type {Claim} from './coverage.js'
import {emptyRecord} from './placed-record.js'

/** Other kafkajs consumers of a topic crash on record batches of about 125,000 records (tulios/kafkajs#1723). */
const MAX_BATCH_RECORDS = 50_000

/** What a Produce request takes before its one batch, at most: two names of 249 bytes and some numbers. */
const REQUEST_HEADROOM = 640

/** A record takes at least this much, so no more than capacity / 8 fit; where they are not so small, the marks of fewer do. */
const SMALLEST_RECORD_BYTES = 8
const USUAL_RECORD_BYTES = 64

const LONGEST_DELTA_BYTES = 10

/** The room that a batch of that capacity needs. */
export const bytesOf = (capacityBytes: number): number => REQUEST_HEADROOM + capacityBytes

/** Numbers of the first and last record, both included. */
export type Range = {first: number; last: number}

/** Records for one partition, encoded as they came, and which of the input they are. Used again for the next batch. */
export class Batch {
  readonly writer: BatchWriter
  readonly room: Room
  readonly capacityBytes: number
  /** The batch of an earlier run that this one repeats under the same producer id and sequence, if it holds the same records. */
  replay: Claim | null = null
  private compressed: Promise<void> | null = null
  keyed: Range | null = null
  keyless: Range | null = null
  private readonly capacity: number
  /** By record: twice its distance from the first one, and 1 if it is keyless. */
  private marks: Uint32Array
  private first = 0

  constructor(capacityBytes: number, room = elsewhere(bytesOf(capacityBytes))) {
    this.capacityBytes = capacityBytes
    this.capacity = Math.min(MAX_BATCH_RECORDS, Math.ceil(capacityBytes / SMALLEST_RECORD_BYTES))
    this.marks = new Uint32Array(Math.min(this.capacity, Math.ceil(capacityBytes / USUAL_RECORD_BYTES)))
    this.room = room
    this.writer = new BatchWriter(room.bytes, REQUEST_HEADROOM, room.start, room.end)
  }

  get count(): number {
    return this.writer.count
  }

  /** Begins anew; `now` (epoch milliseconds) is the time of records without one. */
  reset(now: number): void {
    this.writer.reset(now)
    this.replay = null
    this.compressed = null
    this.keyed = null
    this.keyless = null
  }

  /** Lets `compress` see the records, once; then the writer has what it made of them. */
  compressedBy(compress: Compress): Promise<void> {
    this.compressed ??= compress(this.writer.section, (compressed) => this.writer.takeCompressed(compressed))
    return this.compressed
  }

  fits(record: RecordSpans): boolean {
    return this.writer.count < this.capacity && this.writer.fits(record)
  }

  /** Takes a record that `fits`. `ordinal` is its number in the input; a keyless one is here only because it was its turn. */
  add(record: RecordSpans, ordinal: number, keyless: boolean): void {
    const {writer} = this
    if (writer.count === 0) this.first = ordinal
    if (writer.count === this.marks.length) this.growMarks()
    this.marks[writer.count] = (ordinal - this.first) * 2 + (keyless ? 1 : 0)
    const range = keyless ? this.keyless : this.keyed
    if (range !== null) range.last = ordinal
    else if (keyless) this.keyless = {first: ordinal, last: ordinal}
    else this.keyed = {first: ordinal, last: ordinal}
    writer.append(record)
  }

  private growMarks(): void {
    const {marks} = this
    this.marks = new Uint32Array(Math.min(this.capacity, marks.length * 2))
    this.marks.set(marks)
  }

  /** The number in the input of the record at `index`. */
  ordinalAt(index: number): number {
    return this.first + (this.marks[index]! >>> 1)
  }

  /** Two batches of the same records in the same order, the first of `middle` records. */
  split(middle: number): [Batch, Batch] {
    const {writer} = this
    // The times of the second half count from its own first record, so they may take more bytes than before.
    const capacity = writer.size + LONGEST_DELTA_BYTES * this.count
    const halves: [Batch, Batch] = [new Batch(capacity), new Batch(capacity)]
    for (const half of halves) half.reset(writer.baseTimestamp)
    const {section} = writer
    const record = emptyRecord()
    this.forEach((bounds) => {
      record.key = bounds.keyStart < 0 ? null : section
      record.keyStart = bounds.keyStart
      record.keyEnd = bounds.keyEnd
      record.value = bounds.valueStart < 0 ? null : section
      record.valueStart = bounds.valueStart
      record.valueEnd = bounds.valueEnd
      record.headers = section
      record.headersStart = bounds.headersStart
      record.headersEnd = bounds.end
      record.timestamp = bounds.timestamp
      const half = halves[bounds.offset < middle ? 0 : 1]
      half.add(record, this.ordinalAt(bounds.offset), (this.marks[bounds.offset]! & 1) === 1)
    })
    return halves
  }

  /** Its first record, as views of its bytes. */
  firstRecord(): RecordInput {
    const {section} = this.writer
    let found: RecordInput | undefined
    this.forEach((bounds) => {
      found ??= {
        key: bounds.keyStart < 0 ? null : section.subarray(bounds.keyStart, bounds.keyEnd),
        value: bounds.valueStart < 0 ? null : section.subarray(bounds.valueStart, bounds.valueEnd),
        headers: readHeaders(section, bounds),
        timestamp: bounds.timestamp,
      }
    })
    return found!
  }

  private forEach(visit: (bounds: RecordBounds) => void): void {
    const {section, baseTimestamp} = this.writer
    forEachRecord(section, {baseOffset: 0, baseTimestamp, maxTimestamp: 0, recordCount: this.count, attributes: 0}, visit)
  }
}
