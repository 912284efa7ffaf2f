import type {BatchHeader} from '../../../records/batch.js'
import {ERROR} from '../api/error-codes.js'

/** A batch that a producer wrote; `timestamp` is its largest, in epoch milliseconds. */
export type ProducedBatch = {firstSequence: number; lastSequence: number; baseOffset: number; timestamp: number}

/** What the log knows of a producer id: never changed, only replaced. The newest batch is last. */
export type Producer = {epoch: number; batches: readonly ProducedBatch[]; seenAt: number}

export type Verdict = {is: 'next'} | {is: 'duplicate'; of: ProducedBatch} | {is: 'refused'; errorCode: number; message: string}

/** As many as a Kafka producer may have in flight (`max.in.flight.requests.per.connection` of an idempotent one). */
const REMEMBERED_BATCHES = 5
const LAST_SEQUENCE = 2 ** 31 - 1
/** `transactional.id.expiration.ms`, by which Kafka 2.8 forgets producer ids too. */
const EXPIRY_MS = 7 * 24 * 60 * 60 * 1000
/** Every run of a client is a new id, and nothing but time takes them away: a bound for the memory. */
const MAX_PRODUCERS = 5_000

/** The sequence `count` after `sequence`; 0 follows 2^31 - 1. */
const sequenceAfter = (sequence: number, count: number): number => (sequence + count) % (LAST_SEQUENCE + 1)

/**
 * The producers of one partition, for idempotence. What is queued counts at once for the batches behind it, and is
 * forgotten as a whole when a write fails.
 */
export class ProducerStates {
  /** In the order in which they were last seen. */
  readonly #written = new Map<number, Producer>()
  readonly #queued = new Map<number, Producer>()

  /**
   * Judges a batch of an idempotent producer as Kafka 2.8's ProducerStateManager and ProducerAppendInfo do. An id that the
   * log does not know (never seen, expired, or its records deleted) may begin with any sequence: brokers since 2.4 answer
   * UNKNOWN_PRODUCER_ID to nobody. A retry of a batch older than the last five is out of order.
   */
  check({producerId, producerEpoch, baseSequence, lastOffsetDelta}: BatchHeader): Verdict {
    const producer = this.#get(producerId)
    if (producer === undefined) return {is: 'next'}
    const {epoch, batches} = producer
    if (producerEpoch < epoch) {
      const message = `epoch ${producerEpoch} of producer ${producerId} is smaller than the last seen epoch ${epoch}`
      return {is: 'refused', errorCode: ERROR.invalidProducerEpoch, message}
    }
    if (producerEpoch > epoch) return baseSequence === 0 ? {is: 'next'} : outOfOrder(producerId, baseSequence, 0)
    const lastSequence = sequenceAfter(baseSequence, lastOffsetDelta)
    const duplicate = batches.find((batch) => batch.firstSequence === baseSequence && batch.lastSequence === lastSequence)
    if (duplicate) return {is: 'duplicate', of: duplicate}
    const expected = sequenceAfter(batches.at(-1)!.lastSequence, 1)
    return baseSequence === expected ? {is: 'next'} : outOfOrder(producerId, baseSequence, expected)
  }

  /** Takes a batch into account that `check` found to be next, with the base offset that it will have. */
  queue(header: BatchHeader, now: number): Producer {
    const producer = withBatch(this.#get(header.producerId), header, now)
    this.#queued.set(header.producerId, producer)
    return producer
  }

  /** The batch that `queue` returned this for is written. */
  written(producerId: number, producer: Producer): void {
    if (this.#queued.get(producerId) === producer) this.#queued.delete(producerId)
    this.#put(producerId, producer)
  }

  /** Nothing that was queued will be written. */
  forgetQueued(): void {
    this.#queued.clear()
  }

  /** Takes a batch into account that is in the log already. */
  replay(header: BatchHeader, now: number): void {
    if (header.producerId >= 0) this.#put(header.producerId, withBatch(this.#written.get(header.producerId), header, now))
  }

  /** What is written, oldest first: enough to go on after a restart when the batches themselves are deleted. */
  snapshot(): [producerId: number, producer: Producer][] {
    return [...this.#written]
  }

  restore(snapshot: readonly [producerId: number, producer: Producer][]): void {
    for (const [producerId, producer] of snapshot) this.#put(producerId, producer)
  }

  /** The log turned out to end at `offset`. */
  forgetFrom(offset: number): void {
    for (const [producerId, producer] of this.#written) {
      const batches = producer.batches.filter(({baseOffset}) => baseOffset < offset)
      if (batches.length > 0) this.#written.set(producerId, {...producer, batches})
      else this.#written.delete(producerId)
    }
  }

  #get(producerId: number): Producer | undefined {
    return this.#queued.get(producerId) ?? this.#written.get(producerId)
  }

  #put(producerId: number, producer: Producer): void {
    this.#written.delete(producerId)
    this.#written.set(producerId, producer)
    for (const [oldest, {seenAt}] of this.#written) {
      if (this.#written.size <= MAX_PRODUCERS && producer.seenAt - seenAt < EXPIRY_MS) break
      this.#written.delete(oldest)
    }
  }
}

function withBatch(producer: Producer | undefined, header: BatchHeader, seenAt: number): Producer {
  const {producerEpoch: epoch, baseSequence: firstSequence, lastOffsetDelta, baseOffset, maxTimestamp: timestamp} = header
  const batch = {firstSequence, lastSequence: sequenceAfter(firstSequence, lastOffsetDelta), baseOffset, timestamp}
  const before = producer?.epoch === epoch ? producer.batches.slice(1 - REMEMBERED_BATCHES) : []
  return {epoch, batches: [...before, batch], seenAt}
}

function outOfOrder(producerId: number, sequence: number, expected: number): Verdict {
  const message = `sequence ${sequence} of producer ${producerId} where ${expected} was expected`
  return {is: 'refused', errorCode: ERROR.outOfOrderSequenceNumber, message}
}
