import {randomBytes} from 'node:crypto'

import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {makeQueue, type Sent, startSqs} from './queue.js'
import {type Deployment, type Envelope, startWorld, type World} from './world.js'

const MESSAGES = process.env['SKK_FULL'] ? 10_000 : 1000
const PARTITIONS = 4

let world: World
let sqs: Awaited<ReturnType<typeof startSqs>>
beforeAll(async () => {
  world = await startWorld()
  sqs = await startSqs()
})
afterAll(async () => {
  await sqs?.stop()
  await world?.stop()
})

/** Random bytes of random length: none is UTF-8, and one is empty. */
const payloads = (count: number): Buffer[] =>
  Array.from({length: count}, (_, index) =>
    index === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0xff, 0]), randomBytes(1 + (index % 500))]),
  )

const inBase64 = (value: Buffer): Sent =>
  value.length === 0
    ? {body: '-', attributes: {'skk.encoding': {DataType: 'String', StringValue: 'empty'}}}
    : {body: value.toString('base64'), attributes: {'skk.encoding': {DataType: 'String', StringValue: 'base64'}}}

/** What an envelope says of bytes. */
const bytesOf = (value: unknown): Buffer =>
  typeof value === 'string' ? Buffer.from(value) : Buffer.from((value as {base64: string}).base64, 'base64')

const header = ({headers}: Envelope, name: string) => headers.find(([one]) => one === name)?.[1]

/** How often each is there. */
function multiset(values: readonly Buffer[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values.map((one) => one.toString('base64')).sort()) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

/** How fast it was, for those who watch. */
function report(direction: string, count: number, started: number): void {
  const seconds = (performance.now() - started) / 1000
  process.stderr.write(`pattern-3 ${direction}: ${count} messages in ${seconds.toFixed(1)} s\n`)
}

describe('pattern-3 from SQS to Kafka', () => {
  /** The pattern between a queue and a topic of its name. */
  async function pattern({name, environment = {}, set = {}}: Deployment, {fifo = false} = {}) {
    await world.skk(['topics', 'create', name, '--partitions', String(PARTITIONS)])
    const suffix = fifo ? '.fifo' : ''
    const deadLetters = await makeQueue(sqs.url, `${name}-dead-letters${suffix}`)
    const queue = await makeQueue(sqs.url, `${name}${suffix}`, {VisibilityTimeout: '360'})
    const deployed = await world.callable('pattern-3', {
      name,
      set: {topic: name, ...set},
      environment: {SKK_BROKERS: world.bootstrap, DLQ_URL: deadLetters.url, ...environment},
    })
    onTestFinished(() => deployed.remove())
    return {queue, deadLetters, deployed, poll: () => queue.poll((event) => world.invoke(name, event))}
  }

  it(`stores the bytes of ${MESSAGES} messages and their ids`, async () => {
    const {queue, deadLetters, poll} = await pattern({name: 'sqs-many'})
    const values = payloads(MESSAGES)
    const ids = await queue.send(values.map(inBase64))

    const started = performance.now()
    await poll()
    report('sqs to kafka', MESSAGES, started)

    const records = await world.records('sqs-many')
    expect(multiset(records.map(({value}) => bytesOf(value)))).toEqual(multiset(values))
    const byId = new Map(ids.map((id, index) => [id, values[index]!]))
    for (const record of records) expect(bytesOf(record.value)).toEqual(byId.get(String(header(record, 'sqs.messageId'))))
    expect(await deadLetters.drain()).toEqual([])
  })

  it('puts 3 poison of 100 aside with the reason, as they came', async () => {
    const {queue, deadLetters, poll} = await pattern({name: 'sqs-poison', set: {format: 'json'}})
    const trace = {trace: {DataType: 'Binary', BinaryValue: '/w=='}}
    const poison = [
      {body: 'no json', attributes: trace},
      {body: 'no base64', attributes: {'skk.encoding': {DataType: 'String', StringValue: 'base64'}}},
      {body: JSON.stringify('x'.repeat(1_048_500))},
    ]
    const good: Sent[] = Array.from({length: 97}, (_, n) => ({body: JSON.stringify({n})}))
    for (const one of [...good.slice(0, 50), ...poison, ...good.slice(50)]) await queue.send([one])

    await poll()

    const stored = (await world.records('sqs-poison')).map(({value}) => String(value))
    expect(stored.sort()).toEqual(good.map(({body}) => body).sort())
    const letters = await deadLetters.drain()
    expect(letters.map(({Body}) => Body).sort()).toEqual(poison.map(({body}) => body).sort())
    const reasonOf = (body: string) => letters.find(({Body}) => Body === body)!.MessageAttributes!['skk.error']!.StringValue
    expect(poison.map(({body}) => reasonOf(body))).toEqual([
      'PoisonError: the message is not JSON',
      'PoisonError: the body is not base64',
      'PoisonError: larger than max.message.bytes of the topic',
    ])
    expect(letters.find(({Body}) => Body === 'no json')!.MessageAttributes).toMatchObject(trace)
  })

  it('keeps the order of each group through the key, of a queue that has one', async () => {
    const {queue, poll} = await pattern({name: 'sqs-groups', set: {fifo: 'true'}}, {fifo: true})
    const groups = ['a', 'b', 'c', 'd', 'e']
    const sent = Array.from({length: 200}, (_, n) => ({body: String(n), group: groups[n % groups.length]!}))
    await queue.send(sent)

    await poll()

    const records = await world.records('sqs-groups')
    for (const group of groups) {
      const own = records.filter(({key}) => key === group)
      expect(new Set(own.map(({partition}) => partition)).size).toBe(1)
      const inOrder = own.sort((one, other) => one.offset - other.offset).map(({value}) => Number(value))
      expect(inOrder).toEqual(sent.filter((one) => one.group === group).map(({body}) => Number(body)))
    }
  })

  it('names the messages that were not stored, which come again', async () => {
    const {queue, deployed} = await pattern({name: 'sqs-again', environment: {TOPIC: 'nobody-made-it'}})
    await queue.send([{body: 'a'}, {body: 'b'}])
    const batch: unknown[] = []
    let calls = 0
    const invoke = async (event: unknown) => {
      calls++
      if (calls === 2) await world.skk(['topics', 'create', 'nobody-made-it'])
      const answer = await world.invoke('sqs-again', event)
      batch.push(answer)
      return answer
    }

    await queue.poll(invoke)

    expect(batch[0]).toEqual({batchItemFailures: [expect.anything(), expect.anything()]})
    expect((await world.records('nobody-made-it')).map(({value}) => value).sort()).toEqual(['a', 'b'])
    expect(await deployed.log()).toContain('will come again')
  })
})
