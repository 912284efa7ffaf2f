import type {Topic} from '../broker.js'
import type {ListOffsetsRequest, ListOffsetsResponse} from '../messages.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'

const LATEST = -1
const EARLIEST = -2
/** KIP-734. */
const MAX_TIMESTAMP = -3
/** KIP-405: the earliest offset on local disk. We have no tiers. */
const EARLIEST_LOCAL = -4

type Partition = ListOffsetsRequest['topics'][number]['partitions'][number]
type PartitionResponse = ListOffsetsResponse['topics'][number]['partitions'][number]

/**
 * ListOffsets v0-9: the first and last offset, or the first record at or after a time.
 *
 * - v0: a list of offsets
 * - v1: one offset and its timestamp
 * - v4: leader epochs
 * - v6: flexible
 * - v7: the record with the largest timestamp
 */
export const listOffsets: Api<ListOffsetsRequest, ListOffsetsResponse> = {
  key: 2,
  versions: [0, 9],
  async handle(request, call) {
    const topics = request.topics.map(async ({name, partitions}) => {
      const denied = !call.allows('DescribeTopic', call.broker.topicArn(name))
      const topic = call.broker.topics.get(name)
      return {name, partitions: await Promise.all(partitions.map((partition) => find(partition, topic, denied, call)))}
    })
    return {topics: await Promise.all(topics)}
  },
}

async function find(
  {partitionIndex, timestamp, currentLeaderEpoch}: Partition,
  topic: Topic | undefined,
  denied: boolean,
  call: Call,
): Promise<PartitionResponse> {
  const failure = (errorCode: number): PartitionResponse => ({partitionIndex, errorCode, offset: -1, timestamp: -1})
  if (denied) return failure(ERROR.topicAuthorizationFailed)
  const log = topic?.partitions[partitionIndex]
  if (!topic || !log) return failure(ERROR.unknownTopicOrPartition)
  if (call.broker.leaderOf(topic, partitionIndex) !== call.connection.listener.nodeId) return failure(ERROR.notLeaderOrFollower)
  if (currentLeaderEpoch > log.leaderEpoch) return failure(ERROR.unknownLeaderEpoch)

  const found = (offset: number, at = -1): PartitionResponse => {
    return {partitionIndex, errorCode: ERROR.none, offset, timestamp: at, leaderEpoch: log.leaderEpoch, oldStyleOffsets: [offset]}
  }
  if (timestamp === LATEST) return found(log.highWatermark)
  if (timestamp === EARLIEST || timestamp === EARLIEST_LOCAL) return found(log.logStartOffset)
  if (timestamp < MAX_TIMESTAMP) return failure(ERROR.unsupportedVersion)
  const record = timestamp === MAX_TIMESTAMP ? await log.maxTimestamp() : await log.offsetForTimestamp(timestamp)
  return record ? found(record.offset, record.timestamp) : {...failure(ERROR.none), oldStyleOffsets: []}
}
