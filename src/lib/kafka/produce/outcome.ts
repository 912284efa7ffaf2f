import {SkkError} from '../../errors.js'
import {asSkkError} from '../errors.js'
import type {KafkaTarget} from '../target.js'
import {EvidenceGoneError} from './lane.js'
import type {Counts} from './ledger.js'
import type {ProduceReport} from './run.js'

/** What `skk produce --json` prints; a contract. */
export type ProduceSummary = Counts & {
  topic: string
  idempotent: boolean
  /** For how long the brokers asked for a pause, to keep a quota. */
  throttledMs: number
  /** Of the acknowledged records those that earlier runs have written. */
  resumed: number
  /** What this run wrote, or under `--dry-run` would: records, and the bytes of their batches before compression. */
  partitions: {partition: number; records: number; bytes: number}[]
}

export function summaryOf(topic: string, report: ProduceReport): ProduceSummary {
  const {read, acked, rejected, unknown, unsent, idempotent, throttledMs, resumed} = report
  const partitions = [...report.partitions].map(([partition, written]) => ({partition, ...written}))
  return {topic, read, acked, rejected, unknown, unsent, idempotent, throttledMs, resumed, partitions}
}

const RAISE_LIMIT = 'raise the limit with `skk topics alter TOPIC --config max.message.bytes=8388608`'

/** Why the run is not a success: of several causes the gravest, which is an unknown outcome, then what ended the run, then single records. */
export function failureOf(
  {unknown, badLine, failure, rejected, resumable}: ProduceReport,
  kafka: KafkaTarget,
  attempts: Parameters<typeof asSkkError>[2],
  {dryRun}: {dryRun: boolean},
): SkkError | null {
  if (unknown > 0) return unknownOutcome(unknown, failure, resumable)
  if (badLine) {
    const {source, line, offset, reason, tooLarge} = badLine
    return new SkkError(`line ${line} of "${source}"${offset === null ? '' : `, byte ${offset}`}: ${reason}`, {
      code: 'BAD_LINE',
      exit: 'localIo',
      hint: `${dryRun ? 'Nothing was sent' : 'All records before it are written'}; add \`--on-error skip --rejects FILE\` to go on past such lines and keep them${tooLarge ? `, or ${RAISE_LIMIT}` : ''}.`,
    })
  }
  if (failure !== null && failure !== undefined) return asSkkError(failure, kafka, attempts)
  if (rejected === 0) return null
  return new SkkError(rejected === 1 ? 'one record was rejected' : `${rejected} records were rejected`, {
    code: 'REJECTED',
    exit: 'partial',
    hint: `${dryRun ? 'Nothing was sent' : 'All others are written'}; if they were too large, ${RAISE_LIMIT}.`,
  })
}

const NOTHING_TELLS = 'Neither an acknowledgement nor the log itself could tell;'

function unknownOutcome(unknown: number, failure: unknown, resumable: boolean): SkkError {
  const gone = failure instanceof EvidenceGoneError
  const look = gone
    ? 'Compare the topic with the file; `--restart` sends everything again.'
    : `${NOTHING_TELLS} \`--resume\` looks at the log again before it sends the rest.`
  return new SkkError(`${unknown} records may or may not have been written${gone ? `: ${failure.message}` : ''}`, {
    code: 'OUTCOME_UNKNOWN',
    exit: 'unknownOutcome',
    hint: resumable ? look : `${NOTHING_TELLS} look at the end of the topic before sending them again.`,
    cause: failure,
  })
}
