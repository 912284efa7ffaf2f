import type {Message} from '../lib/kafka.ts'
import type {Outcome} from '../lib/publish.ts'
import {PoisonError} from './incoming.ts'
import type {SqsRecord} from './message.ts'

/** What SQS keeps: the messages that are named come again, all others are done. */
export type SqsResponse = {batchItemFailures: {itemIdentifier: string}[]}

export type Counts = {in: number; ok: number; poison: number; left: number}

export type ForwardOptions = {
  /** The record of a message. Throws PoisonError. */
  recordOf(message: SqsRecord): Message
  publish(records: readonly Message[]): Promise<Outcome[]>
  /** Keeps a poison message somewhere; if that fails it comes again. */
  putAside(message: SqsRecord, error: PoisonError): Promise<void>
  /** Is told of a message that will come again. */
  onFailure(message: SqsRecord, error: unknown): void
}

/**
 * Stores messages in Kafka and returns which have to come again. In a queue that keeps an order nothing of a group is done after the
 * first of it that was not.
 */
export async function forward(
  messages: readonly SqsRecord[],
  {recordOf, publish, putAside, onFailure}: ForwardOptions,
): Promise<{response: SqsResponse; counts: Counts}> {
  const failed: SqsRecord[] = []
  const counts: Counts = {in: messages.length, ok: 0, poison: 0, left: 0}
  let stopped = new Set<string>()
  const fail = (message: SqsRecord, error: unknown) => {
    onFailure(message, error)
    stopped.add(laneOf(message))
    failed.push(message)
  }
  const bury = async (message: SqsRecord, error: PoisonError) => {
    try {
      await putAside(message, error)
      counts.poison++
    } catch (problem) {
      fail(message, problem)
    }
  }

  const ready: {message: SqsRecord; record: Message}[] = []
  for (const message of messages) {
    const record = attempt(() => recordOf(message))
    if (stopped.has(laneOf(message))) failed.push(message)
    else if (record instanceof PoisonError) await bury(message, record)
    else ready.push({message, record})
  }
  const outcomes = ready.length === 0 ? [] : await publish(ready.map(({record}) => record))
  // What is ready came before what has stopped its group.
  stopped = new Set()
  for (const [index, {message}] of ready.entries()) {
    const outcome = outcomes[index]!
    if (stopped.has(laneOf(message))) failed.push(message)
    else if (outcome instanceof Error) fail(message, outcome)
    else if (outcome === 'too large') await bury(message, new PoisonError('larger than max.message.bytes of the topic'))
    else counts.ok++
  }
  counts.left = failed.length
  return {response: {batchItemFailures: failed.map(({messageId}) => ({itemIdentifier: messageId}))}, counts}
}

/** A group of a queue that keeps an order; each message of another queue is alone. */
const laneOf = ({eventSourceARN, attributes, messageId}: SqsRecord): string =>
  eventSourceARN.endsWith('.fifo') ? `group ${attributes['MessageGroupId']}` : messageId

function attempt<Value>(work: () => Value): Value | PoisonError {
  try {
    return work()
  } catch (error) {
    if (error instanceof PoisonError) return error
    throw error
  }
}
