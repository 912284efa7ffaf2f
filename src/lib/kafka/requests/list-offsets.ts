import {type Broker, send, versionOf} from '../broker.js'
import {Writer} from '../wire.js'

/** What to ask for instead of a time. */
export const EARLIEST = -2
export const LATEST = -1

/** `offset` is -1 when no record is as late as the time that was asked for. */
export type ListedOffset = {partition: number; errorCode: number; timestamp: number; offset: number}

const API = {key: 2, name: 'ListOffsets'}

/** In the place of a replica's id; the second is Kafka's DEBUGGING_REPLICA_ID, to whom a leader tells the end of its own log. */
const CONSUMER = -1
const DEBUGGER = -2

/**
 * ListOffsets v2-5 to the leader of the partitions: the first offset whose record is at least as late as `timestamp` (epoch
 * ms), or EARLIEST, or LATEST: the end, with `readCommitted` the last stable offset.
 */
export async function listOffsets(
  leader: Broker,
  topic: string,
  asked: readonly {partition: number; timestamp: number}[],
  readCommitted: boolean,
): Promise<ListedOffset[]> {
  return ask(leader, topic, asked, CONSUMER, readCommitted)
}

/**
 * Where the leader's own log ends: records between LATEST and there are written, not yet on all replicas in sync, and shown to nobody
 * (KafkaApis.handleListOffsetRequest, which gives this replica id no isolation).
 */
export async function logEnd(leader: Broker, topic: string, partition: number): Promise<ListedOffset> {
  const [listed] = await ask(leader, topic, [{partition, timestamp: LATEST}], DEBUGGER, false)
  return listed!
}

async function ask(
  leader: Broker,
  topic: string,
  asked: readonly {partition: number; timestamp: number}[],
  replica: number,
  readCommitted: boolean,
): Promise<ListedOffset[]> {
  const version = versionOf(leader, API, 2, 5)
  const body = new Writer()
  body
    .int32(replica)
    .int8(readCommitted ? 1 : 0)
    .array([topic], (name) =>
      body.string(name).array(asked, ({partition, timestamp}) => {
        body.int32(partition)
        if (version >= 4) body.int32(-1) // leader epoch unknown
        body.int64(timestamp)
      }),
    )
  const answer = await send(leader, {...API, version, body: body.finish()}, 'start')
  return answer
    .array(() => {
      answer.string()
      return answer.array(() => {
        const listed = {partition: answer.int32(), errorCode: answer.int16(), timestamp: answer.int64(), offset: answer.int64()}
        if (version >= 4) answer.int32() // leader epoch
        return listed
      })
    })
    .flat()
}
