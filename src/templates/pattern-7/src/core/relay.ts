import type {Deadline} from '../lib/deadline.ts'
import type {KafkaProducer, Message} from '../lib/kafka.ts'
import {type Outcome, publish} from '../lib/publish.ts'
import {PoisonError} from './attribute.ts'
import type {StreamRecord} from './change.ts'

export type RelayOptions = {
  producer: KafkaProducer
  deadline: Deadline
  /** Of keys and values that are sent at once. */
  portionBytes: number
  /** Throws PoisonError for a record that is at fault; anything else that it throws comes again. */
  messagesOf(record: StreamRecord): Message[]
  /** Keeps a poison record; if that fails the record counts as failed. */
  putAside(record: StreamRecord, error: PoisonError): Promise<void>
}

export type Counts = {in: number; ok: number; poison: number; left: number}

/** `failure` is the first record that may be missing: it and all after it come again. */
export type Relayed = {counts: Counts; failure?: {record: StreamRecord; error: unknown}}

/** A record with its messages; `error` says why it has none. */
type Prepared = {record: StreamRecord; messages: Message[]; error?: unknown}

/**
 * Stores the messages of records in their order and stops at the first record that may be missing. What else went with it in one
 * portion may be stored, but nothing of its own item: a partition's messages are stored together or not at all.
 */
export async function relay(records: readonly StreamRecord[], options: RelayOptions): Promise<Relayed> {
  const counts: Counts = {in: records.length, ok: 0, poison: 0, left: 0}
  for (const portion of portionsOf(prepare(records, options), options.portionBytes)) {
    const outcomes = await store(portion, options)
    for (const [index, {record}] of portion.entries()) {
      try {
        counts[await settle(record, outcomes[index], options)]++
      } catch (error) {
        counts.left = counts.in - counts.ok - counts.poison
        return {counts, failure: {record, error}}
      }
    }
  }
  return {counts}
}

/** Up to the first record that has no messages through no fault of its own. */
function prepare(records: readonly StreamRecord[], {messagesOf}: RelayOptions): Prepared[] {
  const prepared: Prepared[] = []
  for (const record of records) {
    try {
      prepared.push({record, messages: messagesOf(record)})
    } catch (error) {
      prepared.push({record, messages: [], error})
      if (!(error instanceof PoisonError)) break
    }
  }
  return prepared
}

/** What a topic takes at once is bounded: one portion after the other. */
function portionsOf(prepared: readonly Prepared[], most: number): Prepared[][] {
  const portions: Prepared[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const one of prepared) {
    const own = one.messages.reduce((sum, {key, value}) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0)
    if (bytes + own > most) {
      portions.push([])
      bytes = 0
    }
    portions.at(-1)!.push(one)
    bytes += own
  }
  return portions
}

/** What became of each record; undefined is stored. */
async function store(portion: readonly Prepared[], options: RelayOptions): Promise<unknown[]> {
  const outcomes = (
    await send(
      portion.flatMap(({messages}) => messages),
      options,
    )
  ).values()
  return portion.map(({messages, error}) => {
    const own = messages.map(() => outcomes.next().value as Outcome)
    return error ?? own.find((outcome) => outcome instanceof Error) ?? (own.includes('too large') ? tooLarge() : undefined)
  })
}

async function send(messages: readonly Message[], {producer, deadline}: RelayOptions): Promise<Outcome[]> {
  if (messages.length === 0) return []
  if (deadline.passed()) return messages.map(() => new Error('the time is over'))
  return publish(messages, producer, deadline)
}

async function settle(record: StreamRecord, error: unknown, {putAside}: RelayOptions): Promise<'ok' | 'poison'> {
  if (error === undefined) return 'ok'
  if (!(error instanceof PoisonError)) throw error
  await putAside(record, error)
  return 'poison'
}

const tooLarge = () => new PoisonError('larger than max.message.bytes of the topic')
