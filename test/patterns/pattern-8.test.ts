import {randomBytes} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {eventually, run} from '../engines/processes.js'
import {type Deployed, motoCall, startMoto, startWorld, type World} from './world.js'

const PATIENCE_MS = 180_000
const RECORDS = process.env['SKK_FULL'] ? 1000 : 100
const PARTITIONS = 4
const BUCKET = 'large-letters'

let world: World
let moto: Awaited<ReturnType<typeof startMoto>>
beforeAll(async () => {
  world = await startWorld()
  moto = await startMoto()
  await fetch(`${moto.url}/${BUCKET}`, {method: 'PUT'})
})
afterAll(async () => {
  await moto?.stop()
  await world?.stop()
})

const sqs = (action: string, body: unknown) => motoCall(moto.url, 'sqs', action, body)

type Letter = {body: any; attributes: Record<string, string>; message: any}

/** The pattern with a queue for dead letters; what it finds there stays there. */
async function pattern(name: string, environment: Record<string, string> = {}) {
  const {QueueUrl} = await sqs('CreateQueue', {QueueName: `${name}-dead-letters`})
  const deployed: Deployed = await world.deployed('pattern-8', {
    name,
    partitions: PARTITIONS,
    environment: {DLQ_URL: QueueUrl, LARGE_LETTERS_BUCKET: BUCKET, AWS_ENDPOINT_URL_S3: moto.url, ...environment},
  })
  onTestFinished(() => deployed.remove())
  const letters = async (): Promise<Letter[]> => {
    const asking = {QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 0, MessageAttributeNames: ['All']}
    const {Messages = []} = await sqs('ReceiveMessage', asking)
    return Messages.map((message: any) => {
      const named = Object.entries<any>(message.MessageAttributes ?? {}).map(([key, {StringValue}]) => [key, StringValue])
      return {body: JSON.parse(message.Body), attributes: Object.fromEntries(named), message}
    })
  }
  const lag = async (): Promise<number> => {
    const {stdout} = await world.skk(['groups', 'describe', `${name}.${name}`, '--json'])
    return JSON.parse(stdout).lag
  }
  const untilDone = () => eventually(async () => (await lag()) === 0, PATIENCE_MS)
  return {deployed, letters, lag, untilDone, QueueUrl}
}

const good = (number: number) => ({key: `k${number}`, value: JSON.stringify({order: number})})
const bytes = (buffer: Buffer) => ({base64: buffer.toString('base64')})

/** One record for each, as envelopes. */
async function produce({topic}: Deployed, records: readonly object[], flags: readonly string[] = []): Promise<void> {
  const input = records.map((record) => `${JSON.stringify(record)}\n`).join('')
  await world.skk(['produce', topic, '--format', 'records', ...flags], {input})
}

/** How many records the function says that it has done, in its metrics. */
async function done(deployed: Deployed): Promise<number> {
  const counts = (await deployed.log()).matchAll(/"RecordsOk":(\d+)/g)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

describe('pattern-8, behind a mapping of skk local', () => {
  it(`works past 3 poison of ${RECORDS} records: no lag stays, and the letters are those records, byte for byte`, async () => {
    const {deployed, letters, untilDone} = await pattern('poisoned')
    const poison = [
      {key: null, value: bytes(Buffer.concat([Buffer.from([0xff, 0]), randomBytes(500)])), headers: []},
      {
        key: bytes(Buffer.from([0, 0xfe])),
        value: '',
        headers: [
          ['trace', '1'],
          ['trace', bytes(Buffer.from([0xff]))],
        ],
      },
      {key: '', value: '{"order":', headers: [['', '']]},
    ]
    const records: object[] = Array.from({length: RECORDS - poison.length}, (_, number) => good(number))
    for (const [index, one] of poison.entries()) records.splice(Math.floor(((index + 0.5) * RECORDS) / 3), 0, one)

    await produce(deployed, records)
    await untilDone()

    await eventually(async () => (await letters()).length >= poison.length, PATIENCE_MS)
    const found = await letters()
    expect(found).toHaveLength(poison.length)
    expect(await done(deployed)).toBe(RECORDS - poison.length)
    const stored = await world.records(deployed.topic)
    for (const {body, attributes} of found) {
      const {partition, offset} = body
      const source: any = stored.find((record) => record.partition === partition && record.offset === offset)
      expect({key: raw(body.key), value: raw(body.value)}).toEqual({key: encoded(source.key), value: encoded(source.value)})
      expect(body.headers.flatMap(Object.entries)).toEqual(
        source.headers.map(([name, value]: [string, unknown]) => [name, [...Buffer.from(encoded(value)!, 'base64')]]),
      )
      expect(new Date(body.timestamp).toISOString()).toBe(source.timestamp)
      expect(attributes).toMatchObject({
        'skk.topic': 'poisoned',
        'skk.partition': `${partition}`,
        'skk.offset': `${offset}`,
        'skk.attempt': '1',
      })
    }
    const values = poison.map(({value}) => encoded(value)).sort()
    expect(found.map(({body}) => body.value).sort()).toEqual(values)
    expect(await world.records('poisoned-failed')).toEqual([])
  })

  it('loses nothing when the queue is away: the mapping puts the record aside in the end', async () => {
    const {deployed, untilDone, lag} = await pattern('queueless', {DLQ_URL: 'http://127.0.0.1:1/0/away', MAX_ATTEMPTS: '1'})

    await produce(deployed, [good(1), {key: 'k', value: 'no json'}, good(2)])
    await eventually(async () => (await world.records('queueless-failed')).length > 0, PATIENCE_MS)
    await untilDone()

    expect(await done(deployed)).toBe(2)
    expect(await world.records('queueless-failed')).toHaveLength(1)
    expect(await lag()).toBe(0)
  })

  it('makes records of letters again as its README says, of a large one from the bucket', async () => {
    const {deployed, letters, untilDone, QueueUrl} = await pattern('mended')
    const large = bytes(randomBytes(900_000))
    const trace = [['trace', bytes(Buffer.from([0xfe]))]]
    await produce(deployed, [{key: bytes(Buffer.from([0xff])), value: 'no json', headers: trace}])
    await produce(deployed, [{key: 'a', value: large, headers: []}])
    await untilDone()
    await eventually(async () => (await letters()).length > 1, PATIENCE_MS)
    const received = await sqs('ReceiveMessage', {QueueUrl, MaxNumberOfMessages: 10})
    const {stored, value} = received.Messages.map(({Body}: any) => JSON.parse(Body)).find((letter: any) => letter.stored)
    expect([stored.bucket, value]).toEqual([BUCKET, undefined])
    const kept = await (await fetch(`${moto.url}/${stored.bucket}/${stored.key}`, {headers: signedForS3})).text()

    const again = (input: string) => run('node', ['scripts/letters.mjs'], {cwd: deployed.dir, input})
    const [small, whole] = [await again(JSON.stringify(received)), await again(kept)]
    await world.skk(['topics', 'create', 'mended-copy'])
    await world.skk(['produce', 'mended-copy', '--format', 'records'], {input: small.stdout + whole.stdout})

    // The queue does not have all of them, and that is said.
    expect([small.code, whole.code]).toEqual([1, 0])
    expect(small.stderr).toContain(`s3://${BUCKET}/${stored.key}`)
    const content = ({key, value, headers, timestamp}: any) => JSON.stringify({key, value, headers, timestamp})
    const sources = (await world.records('mended')).map(content)
    expect((await world.records('mended-copy')).map(content).sort()).toEqual(sources.sort())
    const readme = await readFile(join(deployed.dir, 'README.md'), 'utf8')
    expect(readme).toContain('node scripts/letters.mjs < letters.json | skk produce mended')
  })
})

/** moto gives what is not public to whoever has signed, with whatever. */
const signedForS3 = {
  authorization: 'AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none',
}

const raw = (base64: string | null | undefined): string | null => base64 ?? null

/** What an envelope says of bytes, as base64. */
function encoded(value: unknown): string | null {
  if (value === null) return null
  return typeof value === 'string' ? Buffer.from(value).toString('base64') : (value as {base64: string}).base64
}
