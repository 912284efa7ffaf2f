import {randomBytes} from 'node:crypto'

import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {eventually} from '../engines/processes.js'
import {makeProject, type Project} from '../templates/projects.js'
import {makeAmqpQueue} from './amqp-queue.js'
import {asEnvelope, bytesOf, headerOf, multiset, payloads} from './payloads.js'
import {makeQueue, type Sent, startSqs} from './queue.js'
import {type Delivery, type Rabbitmq, startRabbitmq} from './rabbitmq.js'
import {type Deployment, motoCall, startMoto, startWorld, type World} from './world.js'

const MESSAGES = process.env['SKK_FULL'] ? 10_000 : 1000
const PARTITIONS = 4
const PATIENCE_MS = 180_000

let world: World
let sqs: Awaited<ReturnType<typeof startSqs>>
let moto: Awaited<ReturnType<typeof startMoto>>
let driver: Project
let rabbitmq: Rabbitmq
beforeAll(async () => {
  world = await startWorld()
  sqs = await startSqs()
  moto = await startMoto()
  driver = await makeProject('pattern-3')
  rabbitmq = await startRabbitmq(driver.dir)
})
afterAll(async () => {
  await rabbitmq?.stop()
  await driver?.remove()
  await moto?.stop()
  await sqs?.stop()
  await world?.stop()
})

const inBase64 = (value: Buffer): Sent =>
  value.length === 0
    ? {body: '-', attributes: {'skk.encoding': {DataType: 'String', StringValue: 'empty'}}}
    : {body: value.toString('base64'), attributes: {'skk.encoding': {DataType: 'String', StringValue: 'base64'}}}

/** One record for each, as envelopes. */
async function produce(topic: string, records: readonly object[]): Promise<void> {
  const input = records.map((record) => `${JSON.stringify(record)}\n`).join('')
  await world.skk(['produce', topic, '--format', 'records'], {input})
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

  it(`stores the bytes of ${MESSAGES} messages and their ids, and puts 3 poison of 100 aside as they came`, async () => {
    const {queue, deadLetters, poll} = await pattern({name: 'sqs-many'})
    const values = payloads(MESSAGES)
    const ids = await queue.send(values.map(inBase64))

    const started = performance.now()
    await poll()
    report('sqs to kafka', MESSAGES, started)

    const records = await world.records('sqs-many')
    expect(multiset(records.map(({value}) => bytesOf(value)))).toEqual(multiset(values))
    const byId = new Map(ids.map((id, index) => [id, values[index]!]))
    for (const record of records) expect(bytesOf(record.value)).toEqual(byId.get(String(headerOf(record, 'sqs.messageId'))))
    expect(await deadLetters.drain()).toEqual([])

    const encoded = (encoding: string) => ({'skk.encoding': {DataType: 'String', StringValue: encoding}})
    const trace = {trace: {DataType: 'Binary', BinaryValue: '/w=='}}
    const poison = [
      {body: 'no base64', attributes: {...trace, ...encoded('base64')}},
      {body: 'x', attributes: encoded('gzip')},
      {body: 'x'.repeat(1_048_500)},
    ]
    const good: Sent[] = Array.from({length: 97}, (_, n) => ({body: `good ${n}`}))
    for (const one of [...good.slice(0, 50), ...poison, ...good.slice(50)]) await queue.send([one])

    await poll()

    const stored = (await world.records('sqs-many')).map(({value}) => value).filter((value) => typeof value === 'string')
    expect(stored.filter((value) => value !== '').sort()).toEqual(good.map(({body}) => body).sort())
    const letters = await deadLetters.drain()
    expect(letters.map(({Body}) => Body).sort()).toEqual(poison.map(({body}) => body).sort())
    const reasonOf = (body: string) => letters.find(({Body}) => Body === body)!.MessageAttributes!['skk.error']!.StringValue
    expect(poison.map(({body}) => reasonOf(body))).toEqual([
      'PoisonError: the body is not base64',
      'PoisonError: the attribute skk.encoding is not base64, empty, tombstone or text',
      'PoisonError: larger than max.message.bytes of the topic',
    ])
    expect(letters.find(({Body}) => Body === 'no base64')!.MessageAttributes).toMatchObject(trace)
  })

  it('keeps the order of each group through the key, of a queue that has one, and names what was not stored', async () => {
    const environment = {TOPIC: 'made-late'}
    const {queue, deployed} = await pattern({name: 'sqs-groups', set: {fifo: 'true'}, environment}, {fifo: true})
    const groups = ['a', 'b', 'c', 'd', 'e']
    const sent = Array.from({length: 200}, (_, n) => ({body: String(n), group: groups[n % groups.length]!}))
    await queue.send(sent)
    const failures: number[] = []
    const invoke = async (event: unknown) => {
      if (failures.length === 1) await world.skk(['topics', 'create', 'made-late', '--partitions', String(PARTITIONS)])
      const answer = (await world.invoke('sqs-groups', event)) as {batchItemFailures: unknown[]}
      failures.push(answer.batchItemFailures.length)
      return answer
    }

    await queue.poll(invoke)

    expect(failures[0]).toBeGreaterThan(0)
    expect(failures.slice(1).every((count) => count === 0)).toBe(true)
    const records = await world.records('made-late')
    for (const group of groups) {
      const own = records.filter(({key}) => key === group)
      expect(new Set(own.map(({partition}) => partition)).size).toBe(1)
      const inOrder = own.sort((one, other) => one.offset - other.offset).map(({value}) => Number(value))
      expect(inOrder).toEqual(sent.filter((one) => one.group === group).map(({body}) => Number(body)))
    }
    expect(await deployed.log()).toContain('will come again')
  })
})

describe('pattern-3 from Kafka to SQS', () => {
  /** The pattern between a topic and a queue of its name. */
  async function pattern({name, environment = {}, set = {}}: Deployment, {fifo = false} = {}) {
    const deadLetters = await makeQueue(sqs.url, `${name}-dead-letters`)
    const queue = await makeQueue(sqs.url, `${name}${fifo ? '.fifo' : ''}`, {VisibilityTimeout: '360'})
    await fetch(`${moto.url}/${name}`, {method: 'PUT'})
    const deployed = await world.deployed('pattern-3', {
      name,
      partitions: PARTITIONS,
      set: {from: 'kafka', to: 'sqs', ...set},
      environment: {
        QUEUE_URL: queue.url,
        DLQ_URL: deadLetters.url,
        LARGE_BUCKET: name,
        AWS_ENDPOINT_URL_S3: moto.url,
        ...environment,
      },
    })
    onTestFinished(() => deployed.remove())
    /** Reads the queue until so many are there. */
    const messages = async (count: number) => {
      const all: Awaited<ReturnType<typeof queue.drain>> = []
      await eventually(async () => all.push(...(await queue.drain())) >= count, PATIENCE_MS)
      return all
    }
    return {queue, deadLetters, deployed, messages}
  }

  const attribute = ({MessageAttributes = {}}: {MessageAttributes?: Sent['attributes']}, name: string) =>
    MessageAttributes[name]?.StringValue

  it(`sends the bytes of ${MESSAGES} records and where they come from, the largest by way of a bucket`, async () => {
    const {messages, deadLetters} = await pattern({name: 'topic-many'})
    const large = Buffer.concat([Buffer.from([0xff]), randomBytes(900_000)])
    const values = [...payloads(MESSAGES - 2), null, large]
    const started = performance.now()
    await produce('topic-many', values.map(asEnvelope))

    const sent = await messages(MESSAGES)
    report('kafka to sqs', MESSAGES, started)

    const fetched = async (body: string) => {
      const {stored} = JSON.parse(body)
      const kept: any = await (await fetch(`${moto.url}/${stored.bucket}/${stored.key}`, {headers: signedForS3})).json()
      return Buffer.from(kept.value, 'base64')
    }
    const decoded = await Promise.all(
      sent.map(async (message) => {
        const encoding = attribute(message, 'skk.encoding')
        if (encoding === 'stored') return fetched(message.Body)
        if (encoding === 'tombstone') return Buffer.from('tombstone')
        return encoding === 'empty' ? Buffer.alloc(0) : Buffer.from(message.Body, encoding === 'base64' ? 'base64' : 'utf8')
      }),
    )
    expect(sent.filter((message) => attribute(message, 'skk.encoding') === 'stored')).toHaveLength(1)
    expect(multiset(decoded)).toEqual(multiset(values.map((value) => value ?? Buffer.from('tombstone'))))
    const records = await world.records('topic-many')
    const ids = records.map(({partition, offset}) => `topic-many-${partition}-${offset}`)
    expect(sent.map((message) => attribute(message, 'kafka.id')).sort()).toEqual(ids.sort())
    expect(await deadLetters.drain()).toEqual([])
  })

  it('puts 3 poison of 100 aside with the reason, whole', async () => {
    const {messages, deadLetters} = await pattern({name: 'topic-poison', set: {format: 'json'}})
    const poison = [Buffer.from('no json'), Buffer.from([0xff, 0]), Buffer.alloc(0)]
    const good = Array.from({length: 97}, (_, n) => Buffer.from(JSON.stringify({n})))
    const values = [...good.slice(0, 50), ...poison, ...good.slice(50)]

    await produce('topic-poison', values.map(asEnvelope))

    const sent = await messages(97)
    expect(sent.map(({Body}) => Body).sort()).toEqual(good.map(String).sort())
    const letters = (await deadLetters.drain()).map(({Body}) => JSON.parse(Body))
    expect(letters.map(({value}) => value).sort()).toEqual(poison.map((value) => value.toString('base64')).sort())
    expect(letters.map(({error}) => error.message)).toEqual(Array(3).fill('the value is not JSON'))
  })

  it('keeps the order of each key in a queue that has one', async () => {
    const {messages} = await pattern({name: 'topic-keys', set: {fifo: 'true'}}, {fifo: true})
    const keys = ['a', 'b', 'c', 'd', 'e']
    const numbers = Array.from({length: 200}, (_, n) => n)

    await produce(
      'topic-keys',
      numbers.map((n) => ({key: keys[n % keys.length], value: String(n)})),
    )

    const sent = await messages(numbers.length)
    for (const [index, key] of keys.entries()) {
      const own = sent.filter((message) => attribute(message, 'kafka.key') === key).map(({Body}) => Number(Body))
      expect(own).toEqual(numbers.filter((n) => n % keys.length === index))
    }
  })
})

describe('pattern-3 from RabbitMQ to Kafka', () => {
  /** The pattern between a queue of RabbitMQ and a topic of its name. */
  async function pattern({name, environment = {}, set = {}}: Deployment) {
    await world.skk(['topics', 'create', name, '--partitions', String(PARTITIONS)])
    const deadLetters = await makeQueue(sqs.url, `${name}-dead-letters`)
    const deployed = await world.callable('pattern-3', {
      name,
      set: {from: 'rabbitmq', topic: name, queue: name, ...set},
      environment: {SKK_BROKERS: world.bootstrap, DLQ_URL: deadLetters.url, ...environment},
    })
    onTestFinished(() => deployed.remove())
    const queue = await makeAmqpQueue(rabbitmq, name)
    return {deadLetters, queue, invoke: (event: unknown) => world.invoke(name, event)}
  }

  it(`stores the bytes of ${MESSAGES} messages and their ids`, async () => {
    const {deadLetters, queue, invoke} = await pattern({name: 'rabbit-many'})
    const values = payloads(MESSAGES)
    const headers = {trace: 'ä', attempt: 7}
    await queue.publish(values.map((content, index) => ({content, properties: {messageId: `m-${index}`, headers}})))

    const started = performance.now()
    await queue.poll(invoke)
    report('rabbitmq to kafka', MESSAGES, started)

    const records = await world.records('rabbit-many')
    expect(multiset(records.map(({value}) => bytesOf(value)))).toEqual(multiset(values))
    for (const record of records) {
      const index = Number(String(headerOf(record, 'amqp.messageId')).slice(2))
      expect(bytesOf(record.value)).toEqual(values[index])
      expect([headerOf(record, 'trace'), headerOf(record, 'attempt')]).toEqual(['ä', '7'])
    }
    expect(await deadLetters.drain()).toEqual([])
  })

  it('puts 3 poison of 100 aside with the reason, whole', async () => {
    const {deadLetters, queue, invoke} = await pattern({name: 'rabbit-poison', set: {format: 'json', 'key-from': 'json:n'}})
    const poison = [Buffer.from('no json'), Buffer.from([0xff, 0]), Buffer.from('{"n":{}}')]
    const good = Array.from({length: 97}, (_, n) => Buffer.from(JSON.stringify({n})))
    const contents = [...good.slice(0, 50), ...poison, ...good.slice(50)]
    await queue.publish(contents.map((content) => ({content})))

    await queue.poll(invoke)

    const records = await world.records('rabbit-poison')
    expect(records.map(({value}) => String(value)).sort()).toEqual(good.map(String).sort())
    for (const {key, value} of records) expect(key).toBe(String(JSON.parse(String(value)).n))
    const letters = (await deadLetters.drain()).map(({Body}) => JSON.parse(Body))
    expect(letters.map(({data}) => data).sort()).toEqual(poison.map((content) => content.toString('base64')).sort())
    expect(letters.map(({error}) => error.message).sort()).toEqual([
      'the message is not JSON',
      'the message is not JSON',
      'what the message has as its key is no text',
    ])
  })

  it('loses nothing when RabbitMQ is restarted between the storing of a batch and its acknowledgement', async () => {
    const {queue, invoke} = await pattern({name: 'rabbit-restart'})
    const contents = Array.from({length: 300}, (_, n) => Buffer.from(String(n)))
    await queue.publish(contents.map((content, n) => ({content, properties: {messageId: `m-${n}`}})))
    let calls = 0
    const restarting = async (event: unknown) => {
      await invoke(event)
      calls++
      if (calls !== 2) return
      await rabbitmq.kill()
      await rabbitmq.start()
    }

    const redelivered = await queue.poll(restarting)

    const records = await world.records('rabbit-restart')
    expect([...new Set(records.map(({value}) => String(value)))].sort()).toEqual(contents.map(String).sort())
    // The second batch was stored and not acknowledged; which acknowledgements of the first had reached the disk nobody knows.
    expect(redelivered).toBeGreaterThanOrEqual(100)
    expect(records.length).toBeGreaterThanOrEqual(contents.length + 100)
    expect(records.length).toBeLessThanOrEqual(contents.length + redelivered)
    for (const record of records) expect(headerOf(record, 'amqp.messageId')).toBe(`m-${record.value}`)
  })
})

describe('pattern-3 from Kafka to RabbitMQ', () => {
  /** The pattern between a topic and a queue of its name, with a password from Secrets Manager. */
  async function pattern({name, environment = {}, set = {}}: Deployment) {
    const deadLetters = await makeQueue(sqs.url, `${name}-dead-letters`)
    const SecretString = JSON.stringify({username: 'guest', password: 'guest'})
    await motoCall(moto.url, 'secretsmanager', 'CreateSecret', {Name: `${name}-broker`, SecretString})
    const queue = await makeAmqpQueue(rabbitmq, name)
    const deployed = await world.deployed('pattern-3', {
      name,
      partitions: PARTITIONS,
      set: {from: 'kafka', to: 'rabbitmq', queue: name, ...set},
      environment: {
        DLQ_URL: deadLetters.url,
        AMQP_PORT: String(rabbitmq.port),
        AMQP_AUTH: 'secret',
        AMQP_SECRET_ID: `${name}-broker`,
        AWS_ENDPOINT_URL_SECRETS_MANAGER: moto.url,
        ...environment,
      },
    })
    onTestFinished(() => deployed.remove())
    /** Reads the queue until so many different messages are there; all that came. */
    const messages = async (count: number): Promise<Delivery[]> => {
      const all: Delivery[] = []
      await eventually(async () => {
        all.push(...(await queue.drain()))
        return new Set(all.map(({properties}) => properties.messageId)).size >= count
      }, PATIENCE_MS)
      return all
    }
    return {deadLetters, deployed, queue, messages}
  }

  it(`publishes the bytes of ${MESSAGES} records in the order of their partitions, and where they come from`, async () => {
    const {messages, deadLetters} = await pattern({name: 'to-many'})
    const values = payloads(MESSAGES)
    const started = performance.now()
    await produce('to-many', values.map(asEnvelope))

    const published = await messages(MESSAGES)
    report('kafka to rabbitmq', MESSAGES, started)

    expect(multiset(published.map(({content}) => content))).toEqual(multiset(values))
    const records = await world.records('to-many')
    const ids = records.map(({partition, offset}) => `to-many-${partition}-${offset}`)
    expect(published.map(({properties}) => properties.messageId).sort()).toEqual(ids.sort())
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const own = published.filter(({properties}) => properties.headers!['kafka.partition'] === partition)
      const offsets = own.map(({properties}) => Number(properties.headers!['kafka.offset']))
      expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
    }
    for (const {properties, content} of published) expect(content).toEqual(values[Number(properties.headers!['trace'])])
    expect(await deadLetters.drain()).toEqual([])
  })

  it('puts 3 poison of 100 aside with the reason, whole', async () => {
    const set = {format: 'json', 'routing-key-from': 'key'}
    const {messages, deadLetters} = await pattern({name: 'to-poison', set})
    const good = Array.from({length: 97}, (_, n) => ({key: 'to-poison', value: JSON.stringify({n})}))
    const poison = [
      {key: 'to-poison', value: 'no json'},
      {key: 'nobody-is-bound', value: '1'},
      {key: 'to-poison', value: '2', headers: [['x'.repeat(300), 'v']]},
    ]

    await produce('to-poison', [...good.slice(0, 50), ...poison, ...good.slice(50)])

    const published = await messages(97)
    expect(published.map(({content}) => String(content)).sort()).toEqual(good.map(({value}) => value).sort())
    let letters: {value: string; error: {message: string}}[] = []
    await eventually(async () => {
      letters = [...letters, ...(await deadLetters.drain()).map(({Body}) => JSON.parse(Body))]
      return letters.length >= 3
    }, PATIENCE_MS)
    const reasons = letters.map(({value, error}) => [Buffer.from(value, 'base64').toString(), error.message])
    expect(reasons.sort()).toEqual([
      ['1', 'no queue is bound to "" for "nobody-is-bound"'],
      ['2', expect.stringContaining('AMQP cannot have it')],
      ['no json', 'the value is not JSON'],
    ])
  })

  it('loses nothing when RabbitMQ is restarted in the middle of a batch', async () => {
    const {queue, messages, deployed} = await pattern({name: 'to-restart'})
    const values = Array.from({length: 3000}, (_, n) => Buffer.from(String(n)))

    await produce('to-restart', values.map(asEnvelope))
    let confirmed = 0
    await eventually(async () => {
      confirmed = await queue.count()
      return confirmed > 0
    }, PATIENCE_MS)
    await rabbitmq.kill()
    await rabbitmq.start()

    const published = await messages(values.length)
    const found = new Set(published.map(({content}) => String(content)))
    expect([...found].sort()).toEqual(values.map(String).sort())
    process.stderr.write(`pattern-3 restarted after ${confirmed} messages: ${published.length - values.length} duplicates\n`)
    expect(confirmed).toBeLessThan(values.length)
    expect(await world.records('to-restart-failed')).toEqual([])
    expect(await deployed.log()).not.toContain('Task timed out')
  })
})

/** moto gives what is not public to whoever has signed, with whatever. */
const signedForS3 = {
  authorization: 'AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none',
}
