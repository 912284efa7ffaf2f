import {HEADER_BYTES} from '../../records/batch.js'
import {largestSize} from '../../records/batch-writer.js'
import type {Compression} from '../../records/compression.js'
import {Batch} from './batch.js'
import type {Compress} from './compressor.js'
import type {PlacedRecord} from './placed-record.js'

export type SizeLimitOptions = {
  /** The topic's max.message.bytes. */
  maxBatchBytes: number
  compression: Compression
  compress: Compress
}

/** Tells records that no batch of the topic may hold before they are among others. */
export class SizeLimit {
  private readonly options: SizeLimitOptions
  private readonly harmlessBytes: number

  constructor(options: SizeLimitOptions) {
    this.options = options
    this.harmlessBytes = options.maxBatchBytes - HEADER_BYTES
  }

  /** Cheap, and false for nearly all. */
  isDoubtful(record: PlacedRecord): boolean {
    return largestSize(record) > this.harmlessBytes
  }

  /** What is wrong with a record that, alone in a batch and compressed, is larger than the topic allows; null for one that is not. */
  async excess(record: PlacedRecord): Promise<string | null> {
    const {maxBatchBytes, compression, compress} = this.options
    const batch = new Batch(HEADER_BYTES + largestSize(record))
    batch.reset(Date.now())
    batch.add(record, 0, false)
    const {size, section} = batch.writer
    const bytes = compression === 'none' ? size : HEADER_BYTES + (await compress(section, ({length}) => length))
    return bytes > maxBatchBytes ? tooLarge(bytes, maxBatchBytes) : null
  }
}

/** What is wrong with a record that takes so many bytes. */
export const tooLarge = (bytes: number, maxBatchBytes: number): string =>
  `it takes ${bytes} bytes, and the topic allows ${maxBatchBytes}`
