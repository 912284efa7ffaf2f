import type {Message} from '../lib/kafka.ts'
import type {Outcome} from '../lib/publish.ts'
import {PoisonError} from './incoming.ts'
import type {RmqEvent, RmqMessage} from './message.ts'

/** A message, and the `queue::vhost` that it was in. */
export type Queued = {queue: string; message: RmqMessage}

export type Counts = {in: number; ok: number; poison: number; left: number}

export type ForwardOptions = {
  /** The record of a message. Throws PoisonError. */
  recordOf(message: RmqMessage): Message
  publish(records: readonly Message[]): Promise<Outcome[]>
  /** Keeps a poison message somewhere. */
  putAside(queued: Queued, error: PoisonError): Promise<void>
}

/**
 * Stores the messages of an event in Kafka, then puts aside what can never be stored. Lambda takes no answer in part from RabbitMQ:
 * `failure` is why all of them have to come again. What is put aside is put aside last, so that it is not each time.
 */
export async function forward(
  {rmqMessagesByQueue}: RmqEvent,
  {recordOf, publish, putAside}: ForwardOptions,
): Promise<{counts: Counts; failure: unknown}> {
  const all = Object.entries(rmqMessagesByQueue).flatMap(([queue, messages]) => messages.map((message) => ({queue, message})))
  const poison: {queued: Queued; error: PoisonError}[] = []
  const ready: {queued: Queued; record: Message}[] = []
  for (const queued of all) {
    try {
      ready.push({queued, record: recordOf(queued.message)})
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error
      poison.push({queued, error})
    }
  }
  const outcomes = ready.length === 0 ? [] : await publish(ready.map(({record}) => record))
  for (const [index, {queued}] of ready.entries())
    if (outcomes[index] === 'too large')
      poison.push({queued, error: new PoisonError('larger than max.message.bytes of the topic')})

  const ok = outcomes.filter((outcome) => outcome === 'stored').length
  const counts: Counts = {in: all.length, ok, poison: 0, left: all.length - ok}
  let failure: unknown = outcomes.find((outcome) => outcome instanceof Error)
  for (const {queued, error} of poison) {
    if (failure !== undefined) break
    try {
      await putAside(queued, error)
      counts.poison++
      counts.left--
    } catch (problem) {
      failure = problem
    }
  }
  return {counts, failure}
}
