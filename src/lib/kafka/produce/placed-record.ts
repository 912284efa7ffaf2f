import type {RecordSpans} from '../../records/batch-writer.js'

/** A record as it was read, for which the user may have chosen a partition: `--partition`, or the envelope's; else it is -1. */
export type PlacedRecord = RecordSpans & {partition: number}

/** One to fill, over and over. */
export const emptyRecord = (): PlacedRecord => ({
  key: null,
  keyStart: 0,
  keyEnd: 0,
  value: null,
  valueStart: 0,
  valueEnd: 0,
  headers: null,
  headersStart: 0,
  headersEnd: 0,
  timestamp: Number.NaN,
  partition: -1,
})
