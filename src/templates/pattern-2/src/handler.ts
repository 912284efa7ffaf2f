import {setTimeout as sleep} from 'node:timers/promises'

import {changesOf} from './core/invoke.ts'
import {messageOfChange} from './core/message.ts'
import {backlogOf, type Pass, purge, relayRows} from './core/outbox.ts'
import {type Cursor, relayPage, type Sent} from './core/query.ts'
import {type Deadline, deadlineOf} from './lib/deadline.ts'
import {kafkaProducer} from './lib/kafka.ts'
import {log, metrics} from './lib/log.ts'
import {type Database, postgres, sqlStateOf} from './lib/postgres.ts'
import {publish} from './lib/publish.ts'
import {readSettings} from './settings.ts'

const settings = readSettings(process.env)
const producer = kafkaProducer(settings.kafka)
const database: Database | undefined = settings.mode === 'invoke' ? undefined : postgres(settings.database)

const sent: Sent = new Map()

/** A pass that is begun later would have no time for Kafka's answer. */
const LEAST_PASS_MS = 3000

type Context = {awsRequestId: string; getRemainingTimeInMillis(): number}
type Result = {published: number; dead: number}

export async function handler(event: unknown, context: Context): Promise<Result> {
  log.appendKeys({requestId: context.awsRequestId})
  const deadline = deadlineOf(context)
  const started = Date.now()
  const total = {published: 0, dead: 0, passes: 0, failures: 0}
  try {
    if (settings.mode === 'invoke') await publishEvent(event, deadline, total)
    else await relay(deadline, started + settings.loopMs, total)
  } catch (error) {
    log.error('not everything was published', {reason: reasonOf(error)})
    throw error
  } finally {
    const backlog = await finish(deadline)
    metrics(
      {
        RecordsIn: total.published + total.dead + total.failures,
        RecordsOk: total.published,
        RecordsPoison: total.dead,
        RecordsRetried: total.failures,
        ...(backlog && {Backlog: backlog.rows, OldestUnpublishedMs: backlog.oldestMs}),
        SinkLatency: Date.now() - started,
      },
      ['OldestUnpublishedMs', 'SinkLatency'],
    )
  }
  return {published: total.published, dead: total.dead}
}

/** Pass after pass until nothing is left and the time for waiting is over, or another relay is at work. */
async function relay(deadline: Deadline, waitUntil: number, total: Result & {passes: number; failures: number}): Promise<void> {
  if (settings.mode === 'invoke') return
  let cursor: Cursor | undefined
  while (deadline.remainingMs() >= LEAST_PASS_MS) {
    const pass: Pass & {cursor?: Cursor} = await database!.transaction(deadline, (query) =>
      settings.mode === 'outbox'
        ? relayRows(query, producer, deadline, settings.outbox)
        : relayPage(query, producer, deadline, settings.table, sent, cursor),
    )
    total.published += pass.published
    total.dead += pass.dead
    total.failures += pass.failures.length
    if (pass.failures.length > 0) throw pass.failures[0]
    if (pass.busy) return log.info('another relay is at work')
    // Rows whose transactions end late lie before the cursor: the next look begins at the watermark.
    cursor = pass.rows === 0 ? undefined : pass.cursor
    if (pass.rows > 0) continue
    if (Date.now() >= waitUntil) return
    await sleep(settings.pollMs)
  }
}

/** The database calls each change once and asks for no answer: what is not stored fails, so that Lambda calls again. */
async function publishEvent(event: unknown, deadline: Deadline, total: Result & {failures: number}): Promise<void> {
  if (settings.mode !== 'invoke') return
  const {topic, keyColumn} = settings
  const messages = changesOf(event, keyColumn).map((change) => messageOfChange(change, topic, settings))
  if (messages.length === 0) return
  const outcomes = await publish(messages, producer, deadline)
  total.published = outcomes.filter((outcome) => outcome === 'stored').length
  total.failures = outcomes.length - total.published
  const failed = outcomes.find((outcome) => outcome !== 'stored')
  if (failed !== undefined)
    throw failed instanceof Error ? failed : new Error('a change is larger than max.message.bytes of the topic')
}

/** Tidies up and looks how much is waiting. That it fails is said, and fails nothing. */
async function finish(deadline: Deadline): Promise<{rows: number; oldestMs: number} | undefined> {
  if (settings.mode !== 'outbox') return undefined
  const {outbox} = settings
  try {
    return await database!.transaction(deadline, async (query) => {
      await purge(query, outbox)
      return backlogOf(query, outbox)
    })
  } catch (error) {
    log.warn('the backlog is not known', {reason: reasonOf(error)})
    return undefined
  }
}

/** PostgreSQL quotes values in its messages, which do not belong into a log. */
function reasonOf(error: unknown): string {
  const state = sqlStateOf(error)
  return state === undefined ? String(error) : `SQLSTATE ${state}`
}
