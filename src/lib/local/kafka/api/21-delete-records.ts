import type {DeleteRecordsRequest, DeleteRecordsResponse} from '../messages.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'

type Result = DeleteRecordsResponse['topics'][number]['partitions'][number]
type Asked = DeleteRecordsRequest['topics'][number]['partitions'][number]

/** DeleteRecords v0-2: moves the log start offset. MSK Serverless does not have it, so only the wide profile serves it. */
export const deleteRecords: Api<DeleteRecordsRequest, DeleteRecordsResponse> = {
  key: 21,
  versions: [0, 2],
  async handle({topics}, call) {
    const results = topics.map(async ({name, partitions}) => {
      return {name, partitions: await Promise.all(partitions.map((asked) => deleteBefore(name, asked, call)))}
    })
    return {topics: await Promise.all(results)}
  },
}

async function deleteBefore(name: string, {partitionIndex, offset}: Asked, {broker, allows}: Call): Promise<Result> {
  const failure = (errorCode: number): Result => ({partitionIndex, errorCode, lowWatermark: -1})
  if (!allows('DeleteTopic', broker.topicArn(name))) return failure(ERROR.topicAuthorizationFailed)
  const log = broker.topics.get(name)?.partitions[partitionIndex]
  if (!log) return failure(ERROR.unknownTopicOrPartition)
  const HIGH_WATERMARK = -1
  const before = offset === HIGH_WATERMARK ? log.highWatermark : offset
  if (before < 0 || before > log.highWatermark) return failure(ERROR.offsetOutOfRange)
  return {partitionIndex, errorCode: ERROR.none, lowWatermark: await log.deleteRecordsBefore(before)}
}
