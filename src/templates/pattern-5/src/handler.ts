import {setTimeout as sleep} from 'node:timers/promises'

import {writePartitions} from './core/partitions.ts'
import {type Poison, writeRecords} from './core/sink.ts'
import {answer, type BatchResponse, type KafkaEvent} from './lib/batch.ts'
import {deadlineOf} from './lib/deadline.ts'
import {deadLetterQueue} from './lib/dlq.ts'
import {log, metrics, placeOf} from './lib/log.ts'
import {mayPass, postgres, sqlStateOf} from './lib/postgres.ts'
import {readSettings} from './settings.ts'

const {database: where, sink, batchRows, maxRetries, queueUrl, reports} = readSettings(process.env)
const database = postgres(where)
const toQueue = deadLetterQueue(queueUrl)

/** Dead letters that are sent side by side. */
const LETTERS_AT_ONCE = 10

type Context = {awsRequestId: string; getRemainingTimeInMillis(): number}

export async function handler(event: KafkaEvent, context: Context): Promise<BatchResponse> {
  log.appendKeys({requestId: context.awsRequestId})
  const deadline = deadlineOf(context)
  const started = Date.now()
  let failures = 0
  const {response, counts} = await writePartitions(event, {
    deadline,
    batchRows,
    maxRetries,
    mayPass(error) {
      failures++
      return mayPass(error)
    },
    write: (records) =>
      database.transaction(deadline, async (query) => {
        const written = await writeRecords(records, query, sink)
        // Before COMMIT: a record that is in neither place would be lost.
        await putAside(written.poison)
        return written
      }),
    onFailure: (record, error) => log.error('will come again', {...placeOf(record), reason: reasonOf(error)}),
    sleep,
    random: Math.random,
  })
  if (counts.skipped > 0) log.warn('skipped what was written before', {records: counts.skipped})
  const oldest = Math.min(started, ...Object.values(event.records).map(([first]) => first?.timestamp ?? started))
  metrics(
    {
      RecordsIn: counts.in,
      RecordsOk: counts.ok,
      RecordsPoison: counts.poison,
      RecordsRetried: counts.left,
      RecordsSkipped: counts.skipped,
      DatabaseFailures: failures,
      BatchLagMs: started - oldest,
      SinkLatency: Date.now() - started,
    },
    ['BatchLagMs', 'SinkLatency'],
  )
  return answer(response, {reports})
}

async function putAside(poison: readonly Poison[]): Promise<void> {
  for (let at = 0; at < poison.length; at += LETTERS_AT_ONCE) {
    const some = poison.slice(at, at + LETTERS_AT_ONCE)
    for (const {record, error} of some) log.warn('put aside', {...placeOf(record), reason: reasonOf(error.cause ?? error)})
    await Promise.all(some.map(({record, error}) => toQueue(record, error)))
  }
}

/** PostgreSQL quotes values in its messages, which do not belong into a log: the names in its errors tell enough. */
function reasonOf(error: unknown): string {
  const state = sqlStateOf(error)
  if (state === undefined) return String(error)
  const {table, column, constraint} = error as {table?: string; column?: string; constraint?: string}
  const named = Object.entries({table, column, constraint}).filter(([, name]) => name !== undefined)
  return [`SQLSTATE ${state}`, ...named.map(([what, name]) => `${what} ${name}`)].join(', ')
}
