import type {Deadline} from './deadline.ts'
import type {KafkaProducer, Message} from './kafka.ts'

/** What became of a message: stored, larger than its topic takes, or not known to be stored. */
export type Outcome = 'stored' | 'too large' | Error

/** What the caller needs after Kafka has answered: to commit, or to put aside what is too large. */
const RESERVE_MS = 1500

/**
 * Sends messages and says of each what became of it. Those of one key are stored in their order: after one that may be missing none
 * of its key is sent. A batch that is too large goes one by one, so that only a message that is too large alone is called so.
 */
export async function publish(messages: readonly Message[], producer: KafkaProducer, deadline: Deadline): Promise<Outcome[]> {
  const until: Deadline = {
    remainingMs: () => Math.max(0, deadline.remainingMs() - RESERVE_MS),
    passed: () => deadline.remainingMs() <= RESERVE_MS,
  }
  const send = async (some: readonly Message[]) => (await producer.send(some, until)).map(outcomeOf)
  const outcomes = await send(messages)
  const failed = new Map<string, Error>()
  for (const [index, message] of messages.entries()) {
    if (outcomes[index] !== 'too large' || messages.length === 1) continue
    const name = `${message.topic} ${message.key?.toString('base64')}`
    const [outcome] = failed.has(name) ? [failed.get(name)!] : await send([message])
    if (outcome instanceof Error) failed.set(name, outcome)
    outcomes[index] = outcome!
  }
  return outcomes
}

function outcomeOf(result: PromiseSettledResult<unknown>): Outcome {
  if (result.status === 'fulfilled') return 'stored'
  return isTooLarge(result.reason) ? 'too large' : result.reason
}

/** kafkajs wraps the broker's error in its own. */
function isTooLarge(error: unknown): boolean {
  const {type, cause} = error as {type?: string; cause?: unknown}
  return type === 'MESSAGE_TOO_LARGE' || (cause instanceof Error && isTooLarge(cause))
}
