import {randomUUID} from 'node:crypto'
import {setTimeout as sleep} from 'node:timers/promises'

import {bucketOf} from './bucket.ts'
import {byBatch, byDirectory} from './core/files.ts'
import {formatOf} from './core/format.ts'
import {writeOnce} from './core/once.ts'
import {type Row, rowOf} from './core/row.ts'
import {type Written, writeBatch} from './core/write.ts'
import {answer, type BatchResponse, type KafkaEvent} from './lib/batch.ts'
import {type Deadline, deadlineOf} from './lib/deadline.ts'
import {log, metrics, placeOf} from './lib/log.ts'
import {processPartitions} from './lib/partitions.ts'
import {readSettings} from './settings.ts'
import {watermarkTable} from './watermark-table.ts'

const settings = readSettings(process.env)
const {claimMs, concurrency, directories, reports, skipNulls, table} = settings
const format = formatOf(settings.format)
const bucket = bucketOf(settings.bucket, format)
const watermarks = table === '' ? undefined : watermarkTable(table)
const plan = (watermarks ? byDirectory : byBatch)(directories, format.extension, {skipNulls})

/** Below it, what a reader spends on a file is mostly opening it. */
const SMALL_FILE_BYTES = 64 * 1024

type Context = {awsRequestId: string; getRemainingTimeInMillis(): number}

export async function handler(event: KafkaEvent, context: Context): Promise<BatchResponse> {
  log.appendKeys({requestId: context.awsRequestId})
  const deadline = deadlineOf(context)
  const started = Date.now()
  const {response, counts, results} = await processPartitions(event, {
    concurrency,
    deadline,
    write: (records) => write(records.map(rowOf), deadline),
    onFailure: (record, error) => log.error('will come again', {...placeOf(record), reason: String(error)}),
  })
  for (const {row, reason} of results.flatMap(({refused}) => refused)) log.warn('put aside', {...placeOf(row), reason})
  const skipped = results.reduce((sum, one) => sum + one.skipped, 0)
  if (skipped > 0) log.warn('skipped what was written before', {records: skipped})
  const files = results.flatMap((one) => one.files)
  const oldest = Math.min(started, ...Object.values(event.records).map(([first]) => first?.timestamp ?? started))
  metrics(
    {
      RecordsIn: counts.in,
      RecordsOk: counts.ok,
      RecordsPoison: results.reduce((sum, {refused}) => sum + refused.length, 0),
      RecordsRetried: counts.left,
      RecordsSkipped: skipped,
      Files: files.length,
      SmallFiles: files.filter((bytes) => bytes < SMALL_FILE_BYTES).length,
      FileBytes: files.reduce((sum, bytes) => sum + bytes, 0),
      BatchLagMs: started - oldest,
      SinkLatency: Date.now() - started,
    },
    ['BatchLagMs', 'SinkLatency'],
  )
  return answer(response, {reports})
}

function write(rows: readonly Row[], deadline: Deadline): Promise<Written> {
  if (!watermarks) return writeBatch(rows, plan, bucket, deadline)
  return writeOnce(rows, {
    plan,
    bucket,
    watermarks,
    deadline,
    claimMs,
    newOwner: randomUUID,
    now: Date.now,
    sleep,
    onUnreleased: (error) => log.warn('could not give a partition back', {reason: String(error)}),
  })
}
