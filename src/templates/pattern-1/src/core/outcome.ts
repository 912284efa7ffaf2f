import {OutcomeUnknownError, UnknownPartitionError, UnknownTopicError} from '../lib/kafka.ts'
import {HttpError} from './http.ts'

/** What became of a record. */
export type Outcome = {stored: true; partition: number; offset: bigint} | {stored: false; error: HttpError}

/**
 * 200 when all are stored, 207 when some are: nobody who reads only the status takes a lost record for a stored one. When none is,
 * the status of the failure; of several, the highest, which is the one that may pass.
 */
export function statusOf(outcomes: readonly Outcome[]): number {
  const failed = outcomes.flatMap((outcome) => (outcome.stored ? [] : [outcome.error.status]))
  if (failed.length === 0) return 200
  return failed.length < outcomes.length ? 207 : Math.max(...failed)
}

/** Of Kafka's error codes those that are about the record. */
const ABOUT_THE_RECORD: Record<string, HttpError> = {
  MESSAGE_TOO_LARGE: new HttpError(413, 'the record is larger than its topic allows'),
  RECORD_LIST_TOO_LARGE: new HttpError(413, 'the records are larger than their topic allows'),
  INVALID_TIMESTAMP: new HttpError(400, 'the timestamp is not one that the topic allows'),
  INVALID_RECORD: new HttpError(400, 'the topic takes no such record: a compacted one wants a key'),
  UNKNOWN_TOPIC_OR_PARTITION: new HttpError(404, 'there is no such topic', 40401),
}

/** What whoever asked is told about a failure of Kafka; the log has the rest. */
export function httpErrorOf(error: unknown): HttpError {
  if (error instanceof UnknownPartitionError) return new HttpError(404, 'there is no such partition', 40402)
  if (error instanceof UnknownTopicError) return new HttpError(404, 'there is no such topic', 40401)
  if (error instanceof OutcomeUnknownError) return new HttpError(504, 'Kafka did not answer in time; the record may be stored')
  const known = causesOf(error).find(({type}) => type !== undefined && Object.hasOwn(ABOUT_THE_RECORD, type))
  return known ? ABOUT_THE_RECORD[known.type!]! : new HttpError(503, 'Kafka cannot be reached; try again')
}

/** kafkajs wraps what a broker said into what became of it. */
function causesOf(error: unknown): {type?: string}[] {
  const causes: {type?: string; cause?: unknown}[] = []
  for (let one = error as {cause?: unknown} | undefined; one instanceof Error && causes.length < 5; one = one.cause as Error)
    causes.push(one)
  return causes
}
