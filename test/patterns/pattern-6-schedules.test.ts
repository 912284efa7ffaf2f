/** The built function of pattern-6 against moto: random schedules of what a poller and a dying process can do to it. */
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'

import {afterAll, beforeAll, expect, it, vi} from 'vitest'

import {seededRandom} from '../../src/lib/seeded-random.js'
import {makeProject, npmRun, type Project} from '../templates/projects.js'
import {type AwsProxy, startAwsProxy} from './aws-proxy.js'
import {filesOf, linesOf, makeBucketAndTable} from './files.js'
import {motoCall, startMoto} from './world.js'

const SCHEDULES = Number(process.env['SKK_SEEDS'] ?? (process.env['SKK_FULL'] ? 500 : 50))
const FIRST_SEED = Number(process.env['SKK_SEED'] ?? Math.floor(Math.random() * 1_000_000))
const HOUR = 3_600_000
const BUCKET = 'lake'
const TABLE = 'watermarks'

type KafkaEvent = {eventSource: string; records: Record<string, object[]>}
type Handler = (event: KafkaEvent, context: object) => Promise<{batchItemFailures: {itemIdentifier: {partition: string}}[]}>

let moto: Awaited<ReturnType<typeof startMoto>>
let proxy: AwsProxy
let project: Project
let handler: Handler
beforeAll(async () => {
  moto = await startMoto()
  proxy = await startAwsProxy(moto.url)
  await makeBucketAndTable(moto.url, BUCKET, TABLE)
  project = await makeProject('pattern-6', {set: {delivery: 'exactly-once'}})
  await npmRun(project.dir, 'build')
  Object.assign(process.env, {
    BUCKET,
    WATERMARK_TABLE: TABLE,
    DELIVERY: 'exactly-once',
    CLAIM_SECONDS: '20',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_S3: proxy.url,
    AWS_ENDPOINT_URL_DYNAMODB: proxy.url,
    // A dead process does not try again.
    AWS_MAX_ATTEMPTS: '1',
    LOG_LEVEL: 'SILENT',
  })
  const built = pathToFileURL(join(project.dir, 'dist/handler.mjs')).href
  handler = (await import(/* @vite-ignore */ built)).handler
})
afterAll(async () => {
  await proxy?.stop()
  await moto?.stop()
  await project?.remove()
})

type Produced = {topic: string; partition: number; offset: number; timestamp: number; value: string | null}

/** Whole numbers below a limit. */
type Random = (below: number) => number

/** Records whose times jump between three hours; some have no value. */
const recordsOf = (topic: string, partition: number, random: Random): Produced[] =>
  Array.from({length: 4 + random(17)}, (_, offset) => ({
    topic,
    partition,
    offset,
    timestamp: Date.parse('2026-11-20T10:00:00Z') + random(3) * HOUR + random(2) * (HOUR - 1),
    value: random(5) === 0 ? null : `${partition}:${offset}`,
  }))

const eventOf = (batches: readonly Produced[][]): KafkaEvent => ({
  eventSource: 'aws:kafka',
  records: Object.fromEntries(
    batches.map((records) => [
      `${records[0]!.topic}-${records[0]!.partition}`,
      records.map(({value, ...place}) => ({
        ...place,
        timestampType: 'CREATE_TIME',
        ...(value !== null && {value: Buffer.from(value).toString('base64')}),
        headers: [],
      })),
    ]),
  ),
})

const contextOf = (ms: number) => {
  const ends = Date.now() + ms
  return {awsRequestId: 'schedule', getRemainingTimeInMillis: () => ends - Date.now()}
}

const counts = {invocations: 0, deaths: 0, refusals: 0, repeated: 0, overlaps: 0, givenUp: 0}

/** From that request on nothing of the invocation reaches AWS, or of that one the answer is lost and nothing else does. */
function dieAt(request: number, when: 'before' | 'after'): void {
  let asked = 0
  proxy.before = () => {
    asked++
    return asked > request || (asked === request && when === 'before') ? 'drop' : undefined
  }
  proxy.after = () => (asked >= request ? 'drop' : undefined)
}

/** One request fails, and the function goes on. */
function refuse(request: number, when: 'before' | 'after'): void {
  let asked = 0
  proxy[when] = () => (++asked === request ? 'drop' : undefined)
}

function live(): void {
  proxy.before = () => undefined
  proxy.after = () => undefined
}

/** As if a claim were long over: whoever had it is dead. */
async function letTimePass(topic: string, partitions: number): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const {Item} = await motoCall(moto.url, 'dynamodb', 'GetItem', {TableName: TABLE, Key: {id: {S: `${topic}-${partition}`}}})
    if (!Item?.until) continue
    await motoCall(moto.url, 'dynamodb', 'PutItem', {TableName: TABLE, Item: {...Item, until: {N: '0'}}})
  }
}

/** Another invocation for the same records while one is writing: it must leave them alone. */
async function overlapping(event: KafkaEvent, topic: string): Promise<Awaited<ReturnType<Handler>>> {
  let other: ReturnType<Handler> | undefined
  proxy.before = async (what) => {
    if (other || !what.startsWith('PUT')) return undefined
    other = handler(event, contextOf(2500))
    const {batchItemFailures} = await other
    // The one that writes has claimed at least one of its partitions.
    expect(batchItemFailures.length, topic).toBeGreaterThan(0)
    counts.overlaps++
    return undefined
  }
  return handler(event, contextOf(60_000))
}

/**
 * What happens to an invocation, each as often as it stands here. What is given up on is the beginning of what died before, and dies
 * early.
 */
const FATES = [
  ...Array(4).fill('dies'),
  ...Array(3).fill('given up'),
  'refused',
  'refused',
  'overlaps',
  'repeated',
  ...Array(3).fill('well'),
]

/** The answer that the poller gets, which is none of the dead. */
async function invoke(fate: string, batches: readonly Produced[][], topic: string, random: Random) {
  const event = eventOf(batches)
  const [request, when] = [
    1 + random(fate === 'given up' ? 2 : 5 * batches.length),
    random(2) === 0 ? 'before' : 'after',
  ] as const
  const dies = fate === 'dies' || fate === 'given up'
  if (dies) dieAt(request, when)
  if (fate === 'refused') refuse(request, when)
  const answered = await (fate === 'overlaps' ? overlapping(event, topic) : handler(event, contextOf(60_000)))
  live()
  return dies ? undefined : answered
}

/** A poller with its positions: it begins anew where it was not answered, in other bounds, and may repeat what was done. */
async function poll(topic: string, logs: readonly Produced[][], random: Random): Promise<Set<string>> {
  const positions = logs.map(() => 0)
  const givenUp = new Set<string>()
  let largest = 12
  while (logs.some((log, partition) => positions[partition]! < log.length)) {
    const batches = logs
      .map((log, partition) => {
        const from = Math.max(0, positions[partition]! - (random(3) === 0 ? random(5) : 0))
        return log.slice(from, Math.min(log.length, positions[partition]! + 1 + random(largest)))
      })
      .filter((records) => records.length > 0)
    const fate: string = FATES[random(FATES.length)]
    const answered = await invoke(fate, batches, topic, random)
    counts.invocations++
    if (fate === 'overlaps' || fate === 'well') expect(answered).toEqual({batchItemFailures: []})
    // Halved after each failure, as a mapping does.
    largest = answered ? 12 : Math.max(1, largest >> 1)
    if (fate === 'dies' || fate === 'given up') counts.deaths++
    if (fate === 'refused') counts.refusals++
    if (fate === 'repeated') counts.repeated++
    if (!answered || fate === 'refused') await letTimePass(topic, logs.length)
    const failed = new Set(answered?.batchItemFailures.map(({itemIdentifier: {partition}}) => partition))
    for (const records of batches) {
      const [{partition}, end] = [records[0]!, records.at(-1)!.offset + 1]
      const done = answered && fate !== 'repeated' && !failed.has(`${topic}-${partition}`)
      if (!done && fate !== 'given up') continue
      if (!done) for (const {offset} of records) givenUp.add(`${partition}:${offset}`)
      positions[partition] = Math.max(positions[partition]!, end)
    }
  }
  counts.givenUp += givenUp.size
  return givenUp
}

async function runSchedule(seed: number): Promise<void> {
  const next = seededRandom(seed)
  const random: Random = (below) => Math.floor(next() * below)
  const topic = `schedule-${seed}`
  const logs = Array.from({length: 1 + random(2)}, (_, partition) => recordsOf(topic, partition, random))

  const givenUp = await poll(topic, logs, random)

  const stored = linesOf(await filesOf(moto.url, BUCKET, `topics/${topic}/`))
  const found = stored.map((line): Produced => {
    const {partition, offset, timestamp, value} = line
    return {topic: line.topic, partition, offset, timestamp: Date.parse(timestamp), value}
  })
  const places = found.map(placeOf)
  expect(new Set(places).size, `${places}`).toBe(places.length)
  // What the mapping gave up on may have been written by whoever died.
  const wanted = logs.flat().filter((record) => !givenUp.has(placeOf(record)) || places.includes(placeOf(record)))
  expect(found.sort(byPlace)).toEqual(wanted)
}

const placeOf = ({partition, offset}: Produced): string => `${partition}:${offset}`
const byPlace = (a: Produced, b: Produced): number => a.partition - b.partition || a.offset - b.offset

it(`has each record once after each of ${SCHEDULES} random schedules of splits, halves, deaths and repetitions`, async () => {
  process.stderr.write(`seeds ${FIRST_SEED} to ${FIRST_SEED + SCHEDULES - 1}; SKK_SEED=N SKK_SEEDS=1 repeats one\n`)
  const metrics = vi.spyOn(console, 'log').mockImplementation(() => {})
  const started = performance.now()
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed++) {
    try {
      await runSchedule(seed)
    } catch (error) {
      throw new Error(`SKK_SEED=${seed} SKK_SEEDS=1 repeats it`, {cause: error})
    }
  }
  metrics.mockRestore()
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const {invocations, deaths, refusals, repeated, overlaps, givenUp} = counts
  process.stderr.write(
    `pattern-6: ${SCHEDULES} schedules, ${invocations} invocations, ${deaths} deaths, ${refusals} refusals, ${repeated} repeated, ` +
      `${overlaps} overlaps, ${givenUp} records given up, ${seconds} s\n`,
  )
}, 1_800_000)
