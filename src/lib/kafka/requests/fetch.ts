import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'

export type FetchPartition = {partition: number; offset: number}
export type FetchAnswer = {
  partition: number
  errorCode: number
  highWatermark: number
  lastStableOffset: number
  logStartOffset: number
  aborted: {producerId: number; firstOffset: number}[]
  /** Whole record batches; the last one may be cut off. A view of the response. */
  records: Buffer
}
export type FetchOptions = {
  maxWaitMs: number
  minBytes: number
  maxBytes: number
  partitionMaxBytes: number
  readCommitted: boolean
}

const API = {key: 1, name: 'Fetch'}

/** Fetch v4-11 without a session, of several partitions of one topic that share a leader. Needs v10 to be given zstd (KIP-110). */
export async function fetch(
  leader: Broker,
  topic: string,
  partitions: readonly FetchPartition[],
  options: FetchOptions,
): Promise<FetchAnswer[]> {
  const version = versionOf(leader, API, 4, 11)
  const {maxWaitMs, minBytes, maxBytes, partitionMaxBytes, readCommitted} = options
  const body = new Writer()
  body
    .int32(-1)
    .int32(maxWaitMs)
    .int32(minBytes)
    .int32(maxBytes)
    .int8(readCommitted ? 1 : 0)
  if (version >= 7) body.int32(0).int32(-1) // no session
  body.array([topic], (name) =>
    body.string(name).array(partitions, ({partition, offset}) => {
      body.int32(partition)
      if (version >= 9) body.int32(-1) // leader epoch unknown
      body.int64(offset)
      if (version >= 5) body.int64(-1) // only followers have a log start offset
      body.int32(partitionMaxBytes)
    }),
  )
  if (version >= 7) body.array([], () => {}) // topics to forget
  if (version >= 11) body.string('') // rack
  const answer = await send(leader, {...API, version, body: body.finish(), timeoutMs: maxWaitMs + 30_000}, 'start')
  if (version >= 7) {
    const errorCode = answer.int16()
    answer.int32() // session
    if (errorCode !== 0) return partitions.map(({partition}) => ({...NOTHING, partition, errorCode}))
  }
  return answer
    .array(() => {
      answer.string()
      return answer.array(() => {
        const head = {
          partition: answer.int32(),
          errorCode: answer.int16(),
          highWatermark: answer.int64(),
          lastStableOffset: answer.int64(),
        }
        const logStartOffset = version >= 5 ? answer.int64() : -1
        const aborted = answer.array(() => ({producerId: answer.int64(), firstOffset: answer.int64()}))
        if (version >= 11) answer.int32() // preferred read replica
        return {...head, logStartOffset, aborted, records: answer.bytes()}
      })
    })
    .flat()
}

const NOTHING: FetchAnswer = {
  partition: -1,
  errorCode: 0,
  highWatermark: -1,
  lastStableOffset: -1,
  logStartOffset: -1,
  aborted: [],
  records: Buffer.alloc(0),
}
