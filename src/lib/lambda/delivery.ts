import {kafkaEvent, PAYLOAD_LIMIT_BYTES, type SourceRecord} from './event.js'
import {failedRecords} from './item-failures.js'
import type {Clock, Destination, GivenUp, Invocation, Invoker, MappingRules, PollerEvent} from './mapping.js'

/** What delivering a batch needs. */
export type Delivery = {
  rules: MappingRules
  invoke: Invoker
  /** Undefined when records that are given up are dropped. */
  destination: Destination | undefined
  clock: Clock
  random: () => number
  on: (event: PollerEvent) => void
  signal: AbortSignal
  /** Runs an invocation when one of the poller's few slots is free. */
  whenFree<T>(work: () => Promise<T>): Promise<T>
  /** These records were delivered or handed over; within a partition not always in order. */
  done(records: readonly SourceRecord[]): void
}

type Batch = {
  records: readonly SourceRecord[]
  /** Failed invocations that count against the retries. */
  failures: number
  /** Invocations that held these records, for `approximateInvokeCount`. */
  invocations: number
  /** Times in a row that the function could not be called. */
  refusals: number
  last: Invocation | undefined
}

/** With a destination, retrying for ever ends here. docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html */
const RETRIES_WITH_DESTINATION = 10

/** How long AWS waits between retries is not documented. */
const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 30_000

/** Between half and all of a delay that doubles, so that repeated failures spread. `failures` counts from 1. */
export const retryDelay = (failures: number, random: () => number): number =>
  Math.round(Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1)) * (0.5 + random() / 2))

/** Resolves when every record was delivered or given up, or the signal aborted: then what is not `done` is left. */
export async function deliver(records: readonly SourceRecord[], delivery: Delivery): Promise<void> {
  await deliverBatch({records, failures: 0, invocations: 0, refusals: 0, last: undefined}, delivery)
}

async function deliverBatch(batch: Batch, delivery: Delivery): Promise<void> {
  let left: Batch | undefined = batch
  while (left && !delivery.signal.aborted) left = await attempt(left, delivery)
}

/** One invocation and what follows from it; resolves with what is to be tried again. */
async function attempt(batch: Batch, delivery: Delivery): Promise<Batch | undefined> {
  const {rules, done, on, signal, whenFree} = delivery
  const {records} = await withoutExpired(batch, delivery)
  if (records.length === 0) return undefined

  const event = kafkaEvent(rules, records)
  const payload = Buffer.from(JSON.stringify(event))
  // No batch is assembled this large, so it is a single record. What AWS does with one is not documented.
  if (payload.length >= PAYLOAD_LIMIT_BYTES) return giveUp({...batch, records}, 'PayloadTooLarge', delivery)

  const info = {attempt: batch.failures + 1, signal}
  const invocation = await whenFree(async () =>
    signal.aborted ? undefined : invokeOrRefuse(delivery.invoke, event, payload, info),
  )
  if (!invocation) return undefined
  if (isRefusal(invocation)) {
    if (!signal.aborted) on({type: 'refused', records: records.length, invocation})
    return retryRefused({...batch, records, last: invocation}, invocation.message, delivery)
  }

  const failed = failedBy(invocation, records, rules)
  on({type: 'invoked', records, failed: failed.length, attempt: info.attempt, payloadSize: payload.length, invocation})
  const failing = new Set(failed)
  done(records.filter((record) => !failing.has(record)))
  if (failed.length === 0) return undefined
  const tried = {...batch, records: failed, invocations: batch.invocations + 1, refusals: 0, last: invocation}
  return afterFailure(tried, failed.length < records.length, delivery)
}

const invokeOrRefuse = async (invoke: Invoker, ...call: Parameters<Invoker>): Promise<Invocation> => {
  try {
    return await invoke(...call)
  } catch (error) {
    return {ok: false, kind: 'unavailable', message: error instanceof Error ? error.message : String(error)}
  }
}

/**
 * The function was not called, so no retry is used up: "if unable to invoke the function due to throttling or other issues, it
 * retries until the records expire or exceed the maximum age" (docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html;
 * not said of Kafka).
 */
const isRefusal = (invocation: Invocation): invocation is Invocation & {ok: false} =>
  !invocation.ok && (invocation.kind === 'throttled' || invocation.kind === 'unavailable')

async function retryRefused(batch: Batch, reason: string, delivery: Delivery): Promise<Batch> {
  const refusals = batch.refusals + 1
  await pause(batch, refusals, reason, delivery)
  return {...batch, refusals}
}

function failedBy(invocation: Invocation, records: readonly SourceRecord[], rules: MappingRules): readonly SourceRecord[] {
  if (!invocation.ok) return records
  return rules.reportBatchItemFailures ? failedRecords(rules.topic, records, invocation.payload) : []
}

/**
 * Splits or retries the failed records of a batch, or gives them up.
 * "Splitting batches doesn't consume the retry quota", and with partial responses a batch "is bisected at the returned sequence number"
 * (docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html, …/services-kinesis-batchfailurereporting.html, as of
 * 2026-11-20; both said of Kinesis, taken to hold for Kafka). Not verified: that a partial response without bisect uses up a retry.
 */
async function afterFailure(batch: Batch, partial: boolean, delivery: Delivery): Promise<Batch | undefined> {
  const {rules, on} = delivery
  if (rules.bisect && partial) return batch
  if (rules.bisect && batch.records.length > 1) {
    const middle = Math.ceil(batch.records.length / 2)
    on({type: 'bisected', sizes: [middle, batch.records.length - middle]})
    // One after the other: the halves may share a partition.
    await deliverBatch({...batch, records: batch.records.slice(0, middle)}, delivery)
    return {...batch, records: batch.records.slice(middle)}
  }

  const failures = batch.failures + 1
  if (failures > maximumRetries(rules)) return giveUp(batch, 'RetriesExhausted', delivery)
  await pause(batch, failures, batch.last?.ok ? 'batch item failures' : (batch.last?.message ?? ''), delivery)
  return {...batch, failures}
}

function maximumRetries({maximumRetryAttempts, hasDestination}: MappingRules): number {
  if (maximumRetryAttempts >= 0) return maximumRetryAttempts
  return hasDestination ? RETRIES_WITH_DESTINATION : Infinity
}

async function pause(batch: Batch, failures: number, reason: string, {clock, random, on, signal}: Delivery): Promise<void> {
  const delayMs = retryDelay(failures, random)
  on({type: 'retrying', records: batch.records.length, delayMs, reason})
  await clock.sleep(delayMs, signal)
}

/** The batch without the records that are too old to be sent, which are given up first. */
async function withoutExpired(batch: Batch, delivery: Delivery): Promise<Batch> {
  const {rules, clock} = delivery
  const oldest = clock.now() - rules.maximumRecordAgeMs
  const expired = batch.records.filter((record) => record.timestamp < oldest)
  if (expired.length === 0) return batch
  await giveUp({...batch, records: expired}, 'MaximumRecordAgeExceeded', delivery)
  return {...batch, records: batch.records.filter((record) => record.timestamp >= oldest)}
}

/** Hands the records over, however long the destination is down: nothing is committed past them before. */
async function giveUp(batch: Batch, condition: GivenUp['condition'], delivery: Delivery): Promise<undefined> {
  const {rules, destination, clock, random, on, signal, done} = delivery
  const event = kafkaEvent(rules, batch.records)
  const givenUp: GivenUp = {
    condition,
    approximateInvokeCount: batch.invocations,
    lastInvocation: batch.last,
    event,
    payloadSize: Buffer.byteLength(JSON.stringify(event)),
    records: batch.records,
  }
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      await destination?.(givenUp)
      on({type: 'givenUp', givenUp, delivered: destination !== undefined})
      done(batch.records)
      return
    } catch (error) {
      on({type: 'destinationFailed', givenUp, error})
      await clock.sleep(retryDelay(failures, random), signal)
    }
  }
}
