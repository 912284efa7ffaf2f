import {type Broker, sendInPlace, versionOf} from '../broker.js'
import {sharedConnections} from '../overrides/connect-once.js'
import type {Reader} from '../wire.js'

/** The broker's own answer for one partition. */
export type ProduceAnswer = {errorCode: number; baseOffset: number; logAppendTime: number; throttleMs: number}

/** A finished batch of `size` bytes at `start`; the bytes before it may be written over with the request that carries it. */
export type EncodedBatch = {bytes: Buffer; start: number; size: number}

/** Whose acknowledgement is waited for: all in-sync replicas', or only the leader's. */
export type Acks = 'all' | '1'

export type ProduceOptions = {topic: string; partition: number; acks: Acks; timeoutMs: number}

const API = {key: 0, name: 'Produce'}

/** Length of all that stands before the batch except the topic: transactional id, acks, timeout, two counts, name, partition, size. */
const FIXED_BYTES = 2 + 2 + 4 + 4 + 2 + 4 + 4 + 4

/**
 * Produce v3-7 (v7 for zstd, KIP-110) of one batch to one partition, without copying it. Each partition has its connection to the
 * leader. After `cancel` the batch's bytes are not read any more, so they may be used for something else, once the connection is
 * closed, too.
 */
export function produce(
  leader: Broker,
  options: ProduceOptions,
  {bytes, start, size}: EncodedBatch,
): {sending: Promise<ProduceAnswer>; cancel(): void} {
  let cancelled = false
  const encode = () => {
    if (cancelled) throw new Error('the request was given up')
    const bodyStart = writeBodyBefore(bytes, start, size, options)
    return {bytes, start: bodyStart, end: start + size}
  }
  const version = versionOf(leader, API, 3, 7)
  const connection = options.partition % sharedConnections()
  const sending = sendInPlace(leader, {...API, version, connection, encode, timeoutMs: options.timeoutMs + 5_000}).then(
    (answer) => readAnswer(answer, version, options.partition),
  )
  return {
    sending,
    cancel: () => {
      cancelled = true
    },
  }
}

function writeBodyBefore(bytes: Buffer, batchStart: number, size: number, options: ProduceOptions): number {
  const {topic, partition, acks, timeoutMs} = options
  const nameBytes = Buffer.byteLength(topic)
  const start = batchStart - FIXED_BYTES - nameBytes
  let at = bytes.writeInt16BE(-1, start) // transactional id
  at = bytes.writeInt16BE(acks === 'all' ? -1 : 1, at)
  at = bytes.writeInt32BE(timeoutMs, at)
  at = bytes.writeInt32BE(1, at)
  at = bytes.writeInt16BE(nameBytes, at)
  at += bytes.write(topic, at)
  at = bytes.writeInt32BE(1, at)
  at = bytes.writeInt32BE(partition, at)
  bytes.writeInt32BE(size, at)
  return start
}

function readAnswer(answer: Reader, version: number, partition: number): ProduceAnswer {
  const [found] = answer
    .array(() => {
      answer.string()
      return answer.array(() => {
        const result = {
          partition: answer.int32(),
          errorCode: answer.int16(),
          baseOffset: answer.int64(),
          logAppendTime: answer.int64(),
        }
        if (version >= 5) answer.int64() // log start offset
        return result
      })
    })
    .flat()
    .filter((result) => result.partition === partition)
  if (!found) throw new RangeError('the answer to Produce does not name the partition')
  return {...found, throttleMs: answer.int32()}
}
