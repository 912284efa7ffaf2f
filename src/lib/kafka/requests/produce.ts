import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'

/** The broker's own answer for one partition. */
export type ProduceAnswer = {errorCode: number; baseOffset: number; logAppendTime: number}

const API = {key: 0, name: 'Produce'}

/** Produce v3-7 (v7 for zstd, KIP-110) of one finished batch to one partition, acknowledged by all in-sync replicas. */
export async function produce(
  leader: Broker,
  topic: string,
  partition: number,
  batch: Buffer,
  timeoutMs: number,
): Promise<ProduceAnswer> {
  const version = versionOf(leader, API, 3, 7)
  const body = new Writer()
  body
    .string(null) // transactional id
    .int16(-1) // acks: all
    .int32(timeoutMs)
    .array([topic], (name) => body.string(name).array([partition], (index) => body.int32(index).bytes(batch)))
  const answer = await send(leader, {...API, version, body: body.finish(), timeoutMs: timeoutMs + 5_000}, 'end')
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
  return found
}
