import {type BatchHeader, batchCrc, HEADER_BYTES, readBatchHeader, writeBatchHeader} from '../../src/lib/records/batch.js'
import {type Compression, compress} from '../../src/lib/records/compression.js'

/** A record with a key of one byte, no value and no headers; its deltas are 0. */
const RECORD = Buffer.from([14, 0, 0, 0, 2, 107, 1, 0])

const CODECS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** A small batch of many records, 8 bytes each, all with that timestamp. */
export const bombOf = async (
  recordCount: number,
  codec: Compression,
  timestamp: number,
  maxTimestamp = timestamp,
): Promise<Buffer> =>
  batchAround(
    await compress(codec, Buffer.alloc(recordCount * RECORD.length, RECORD)),
    recordCount,
    codec,
    timestamp,
    maxTimestamp,
  )

/** A batch with the right checksum around bytes that are no records of that codec. */
export const batchAround = (
  section: Buffer,
  recordCount: number,
  codec: Compression,
  timestamp: number,
  maxTimestamp = timestamp,
): Buffer => {
  const batch = Buffer.concat([Buffer.alloc(HEADER_BYTES), section])
  const header: BatchHeader = {
    ...readBatchHeader(batch),
    batchLength: batch.length - 12,
    leaderEpoch: -1,
    magic: 2,
    attributes: CODECS.indexOf(codec),
    lastOffsetDelta: recordCount - 1,
    baseTimestamp: timestamp,
    maxTimestamp,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    recordCount,
  }
  writeBatchHeader(batch, header)
  writeBatchHeader(batch, {...header, crc: batchCrc(batch, 0, batch.length)})
  return batch
}
