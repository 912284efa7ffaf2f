import {SkkError} from '../../errors.js'
import {asSkkError} from '../errors.js'
import type {KafkaTarget} from '../target.js'
import type {Counts} from './ledger.js'
import type {ProduceReport} from './run.js'

/** What `skk produce --json` prints; a contract. */
export type ProduceSummary = Counts & {topic: string; idempotent: boolean; partitions: {partition: number; records: number}[]}

export function summaryOf(topic: string, report: ProduceReport): ProduceSummary {
  const {read, acked, rejected, unknown, unsent, idempotent} = report
  const partitions = [...report.partitions].map(([partition, records]) => ({partition, records}))
  return {topic, read, acked, rejected, unknown, unsent, idempotent, partitions}
}

/** Why the run is not a success: of several causes the gravest, which is an unknown outcome, then what ended the run, then single records. */
export function failureOf(
  {unknown, badLine, failure, rejected, acked}: ProduceReport,
  kafka: KafkaTarget,
  attempts: Parameters<typeof asSkkError>[2],
): SkkError | null {
  if (unknown > 0) {
    return new SkkError(`${unknown} records may or may not have been written`, {
      code: 'OUTCOME_UNKNOWN',
      exit: 'unknownOutcome',
      hint: 'Neither an acknowledgement nor the log itself could tell; look at the end of the topic before sending them again.',
      cause: failure,
    })
  }
  if (badLine) {
    return new SkkError(`line ${badLine.line} of "${badLine.source}", byte ${badLine.offset}: ${badLine.reason}`, {
      code: 'BAD_LINE',
      exit: 'localIo',
      hint: `Correct it and send the file from there; all ${acked} records before it are written.`,
    })
  }
  if (failure !== null && failure !== undefined) return asSkkError(failure, kafka, attempts)
  if (rejected === 0) return null
  return new SkkError(rejected === 1 ? 'one record was rejected' : `${rejected} records were rejected`, {
    code: 'REJECTED',
    exit: 'partial',
    hint: 'All others are written; raise the limit with `skk topics alter TOPIC --config max.message.bytes=8388608`, if they were too large.',
  })
}
