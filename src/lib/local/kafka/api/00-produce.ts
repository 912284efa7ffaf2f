import {
  type BatchHeader,
  compressionOf,
  crcMatches,
  HEADER_BYTES,
  isControl,
  isTransactional,
  readBatchHeader,
} from '../../../records/batch.js'
import type {Compression} from '../../../records/compression.js'
import {RecordError} from '../../../records/record-error.js'
import type {Broker, Topic} from '../broker.js'
import {AppendError} from '../log.js'
import type {ProduceRequest, ProduceResponse} from '../messages.js'
import {type RecordRules, recordProblem} from '../record-checks.js'
import {ProtocolError} from '../wire.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'

type PartitionResponse = ProduceResponse['responses'][number]['partitionResponses'][number]

/**
 * Produce v0-11: appends record batches.
 *
 * - v3: record batch v2, the only format that we store; transactional id
 * - v7: zstd
 * - v8: errors by record
 * - v9: flexible
 * - v10: where the leader is, with NOT_LEADER_OR_FOLLOWER (KIP-951)
 *
 * The order of the checks is that of KafkaApis and LogValidator 2.8.1.
 */
export const produce: Api<ProduceRequest, ProduceResponse> = {
  key: 0,
  versions: [0, 11],
  async handle(request, call) {
    const responses = await Promise.all(
      request.topicData.map(async ({name, partitionData}) => {
        const partitionResponses = partitionData.map(({index, records}) => appendTo(name, index, records, request, call))
        return {name, partitionResponses: await Promise.all(partitionResponses)}
      }),
    )
    if (request.acks !== 0) return {responses, nodeEndpoints: moved(responses, call)}
    // There is no response to carry an error, so Kafka closes the connection to make the producer look again.
    const failed = responses.some(({partitionResponses}) => partitionResponses.some(({errorCode}) => errorCode !== ERROR.none))
    if (failed) throw new ProtocolError('a produce request with acks=0 failed')
    return null
  },
}

async function appendTo(
  name: string,
  index: number,
  records: Buffer | null,
  request: ProduceRequest,
  call: Call,
): Promise<PartitionResponse> {
  const failure = (errorCode: number, errorMessage: string | null = null): PartitionResponse => ({
    index,
    errorCode,
    errorMessage,
    baseOffset: -1,
  })
  const {broker, version} = call
  if (![-1, 0, 1].includes(request.acks)) return failure(ERROR.invalidRequiredAcks)
  if (request.transactionalId !== null)
    return failure(ERROR.transactionalIdAuthorizationFailed, 'Transactions are not supported here yet')
  if (!call.allows('WriteData', broker.topicArn(name))) return failure(ERROR.topicAuthorizationFailed)
  const topic = broker.topics.get(name)
  const log = topic?.partitions[index]
  if (!topic || !log) return failure(ERROR.unknownTopicOrPartition)
  const leader = broker.leaderOf(topic, index)
  if (leader !== call.connection.listener.nodeId) {
    return {...failure(ERROR.notLeaderOrFollower), currentLeader: {leaderId: leader, leaderEpoch: log.leaderEpoch}}
  }

  const checked = checkBatch(records ?? Buffer.alloc(0), broker, topic, version)
  if ('errorCode' in checked) return failure(checked.errorCode, checked.errorMessage)
  const isLogAppendTime = broker.configOf(topic, 'message.timestamp.type') === 'LogAppendTime'
  const now = Date.now()
  const problem = await recordProblem(records!, checked, rulesOf(topic, broker, isLogAppendTime), now)
  if (problem) return failure(problem.errorCode, problem.errorMessage)
  try {
    const {baseOffset, logAppendTimeMs} = await log.append(records!, checked, isLogAppendTime ? {logAppendTimeMs: now} : {})
    return {index, errorCode: ERROR.none, baseOffset, logAppendTimeMs, logStartOffset: log.logStartOffset}
  } catch (error) {
    if (error instanceof AppendError) return failure(error.errorCode, error.message)
    broker.log(`error: append to ${name}-${index}: ${(error as Error).message}`)
    return failure(ERROR.kafkaStorageError)
  }
}

type Invalid = {errorCode: number; errorMessage: string}

/** The header of the one batch that a request may hold per partition since v3, or why it is refused. */
function checkBatch(records: Buffer, broker: Broker, topic: Topic, version: number): BatchHeader | Invalid {
  const invalid = (errorCode: number, errorMessage: string): Invalid => ({errorCode, errorMessage})
  if (records.length < HEADER_BYTES) return invalid(ERROR.corruptMessage, `Record batch of ${records.length} bytes`)
  const header = readBatchHeader(records)
  if (header.magic < 2) return invalid(ERROR.invalidRecord, `Message format v${header.magic} is not supported, only v2`)
  if (header.magic !== 2) return invalid(ERROR.corruptMessage, `Unknown magic ${header.magic}`)
  if (header.sizeInBytes > records.length) return invalid(ERROR.invalidRecord, 'Record batch is cut off')
  if (header.sizeInBytes < records.length)
    return invalid(ERROR.invalidRecord, 'Produce requests must have exactly one record batch per partition')
  const maxBytes = Number(broker.configOf(topic, 'max.message.bytes'))
  if (header.sizeInBytes > maxBytes)
    return invalid(ERROR.messageTooLarge, `The record batch is ${header.sizeInBytes} bytes, the maximum is ${maxBytes}`)
  if (!crcMatches(records, 0, header)) return invalid(ERROR.corruptMessage, 'Record is corrupt: CRC mismatch')
  const compression = codecOf(header)
  if (!compression) return invalid(ERROR.corruptMessage, 'Unknown compression codec')
  if (isControl(header)) return invalid(ERROR.invalidRecord, 'Clients are not allowed to write control records')
  if (header.recordCount < 1 || header.lastOffsetDelta !== header.recordCount - 1) {
    return invalid(ERROR.invalidRecord, `${header.recordCount} records with a last offset delta of ${header.lastOffsetDelta}`)
  }
  if (compression === 'zstd' && version < 7) return invalid(ERROR.unsupportedCompressionType, 'zstd needs Produce version 7')
  if (isTransactional(header)) return invalid(ERROR.invalidTxnState, 'Transactions are not supported here yet')
  return header
}

/** Undefined for one that Kafka does not define. */
function codecOf(header: BatchHeader): Compression | undefined {
  try {
    return compressionOf(header)
  } catch (error) {
    if (error instanceof RecordError) return undefined
    throw error
  }
}

/** Java's Long.MAX_VALUE, the default, is no limit. */
const NO_LIMIT = '9223372036854775807'

function rulesOf(topic: Topic, broker: Broker, isLogAppendTime: boolean): RecordRules {
  const limit = broker.configOf(topic, 'message.timestamp.difference.max.ms')
  const timestampLimitMs = isLogAppendTime || limit === NO_LIMIT ? Number.POSITIVE_INFINITY : Number(limit)
  return {needsKeys: broker.isCompacted(topic), timestampLimitMs}
}

/** The addresses of the leaders that a NOT_LEADER_OR_FOLLOWER names. */
function moved(
  responses: ProduceResponse['responses'],
  {broker, connection}: Call,
): NonNullable<ProduceResponse['nodeEndpoints']> {
  const leaders = new Set(
    responses.flatMap(({partitionResponses}) => partitionResponses.map(({currentLeader}) => currentLeader?.leaderId)),
  )
  return broker.endpointsFor(connection).filter(({nodeId}) => leaders.has(nodeId))
}
