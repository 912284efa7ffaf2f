import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import type {KafkaProducer, Message} from '../../src/lib/kafka.ts'
import {type Outcome, publish} from '../../src/lib/publish.ts'

const deadline = {remainingMs: () => 60_000, passed: () => false}
const message = (key: string, value: string): Message => ({topic: 'orders', key: Buffer.from(key), value: Buffer.from(value)})

/** As kafkajs says it. */
const tooLarge = () => Object.assign(new Error(), {cause: Object.assign(new Error(), {type: 'MESSAGE_TOO_LARGE'})})

/** A producer that takes so many bytes at once and refuses what it is told to, and the values that it has stored. */
function brokerOf({largest, refuses = () => false}: {largest: number; refuses?(message: Message): boolean}) {
  const stored: string[] = []
  const send: KafkaProducer['send'] = async (messages) => {
    const bytes = messages.reduce((sum, {value}) => sum + value!.length, 0)
    const reason = bytes > largest ? tooLarge() : messages.some(refuses) ? new Error('refused') : undefined
    if (!reason) stored.push(...messages.map(({value}) => String(value)))
    return messages.map(({topic}) =>
      reason ? {status: 'rejected', reason} : {status: 'fulfilled', value: {topic, partition: 0, offset: 0n}},
    )
  }
  return {producer: {partitionsOf: async () => 1, send, close: async () => {}}, stored}
}

const words = (outcomes: Outcome[]) => outcomes.map((outcome) => (outcome instanceof Error ? outcome.message : outcome))

describe('publish', () => {
  it('sends all at once', async () => {
    const {producer, stored} = brokerOf({largest: 10})

    assert.deepEqual(await publish([message('a', '1'), message('b', '2')], producer, deadline), ['stored', 'stored'])
    assert.deepEqual(stored, ['1', '2'])
  })

  it('sends one by one what is too large together, in its order, and names what is too large alone', async () => {
    const {producer, stored} = brokerOf({largest: 10})

    const outcomes = await publish(
      [message('a', '12345'), message('a', '12345678901'), message('b', '123456')],
      producer,
      deadline,
    )

    assert.deepEqual(outcomes, ['stored', 'too large', 'stored'])
    assert.deepEqual(stored, ['12345', '123456'])
  })

  it('sends nothing of a key after one that failed', async () => {
    const {producer, stored} = brokerOf({largest: 10, refuses: ({value}) => String(value) === 'refused'})

    const outcomes = await publish([message('a', 'refused'), message('b', '1234567'), message('a', 'x')], producer, deadline)

    assert.deepEqual(words(outcomes), ['refused', 'stored', 'refused'])
    assert.deepEqual(stored, ['1234567'])
  })

  it('leaves its caller time for what comes after', async () => {
    let leftMs = 0
    const {producer} = brokerOf({largest: 10})
    const send: KafkaProducer['send'] = async (messages, until) => {
      leftMs = until.remainingMs()
      return producer.send(messages, until)
    }

    await publish([message('a', 'x')], {...producer, send}, {remainingMs: () => 2000, passed: () => false})

    assert.equal(leftMs, 500)
  })
})
