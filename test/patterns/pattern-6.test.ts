import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {eventually} from '../engines/processes.js'
import {type AwsProxy, startAwsProxy} from './aws-proxy.js'
import {filesOf, linesOf, makeBucketAndTable, parquetRowsOf} from './files.js'
import {sandboxesOf} from './sandboxes.js'
import {type Deployment, startMoto, startWorld, type World} from './world.js'

const PATIENCE_MS = 120_000
const RECORDS = process.env['SKK_FULL'] ? 1200 : 120
const PARTITIONS = 3
const HOUR = 3_600_000
const BUCKET = 'lake'
const TABLE = 'watermarks'

let world: World
let moto: Awaited<ReturnType<typeof startMoto>>
beforeAll(async () => {
  world = await startWorld()
  moto = await startMoto()
  await makeBucketAndTable(moto.url, BUCKET, TABLE)
})
afterAll(async () => {
  await moto?.stop()
  await world?.stop()
})

/** The pattern, attached with small batches that do not wait; between it and moto is a proxy. */
async function pattern({name, set = {}, environment = {}}: Deployment, batchSize = 10) {
  const proxy = await startAwsProxy(moto.url)
  onTestFinished(() => proxy.stop())
  const deployed = await world.deployed('pattern-6', {
    name,
    set,
    partitions: PARTITIONS,
    attached: false,
    environment: {
      BUCKET,
      WATERMARK_TABLE: TABLE,
      CLAIM_SECONDS: '1',
      AWS_ENDPOINT_URL_S3: proxy.url,
      AWS_ENDPOINT_URL_DYNAMODB: proxy.url,
      ...environment,
    },
  })
  onTestFinished(() => deployed.remove())
  await world.skk(['topics', 'create', `${name}-failed`])
  const small = ['--batch-size', String(batchSize), '--batching-window', '0s']
  await world.skk(['esm', 'attach', '--retry', '--yes', ...small], {cwd: deployed.dir})
  const group = `${name}.${name}`
  const drained = () =>
    eventually(async () => {
      const {stdout} = await world.skk(['groups', 'describe', group, '--json'])
      return JSON.parse(stdout).lag === 0
    }, PATIENCE_MS)
  const mapping = ['--function', name, '--topic', name]
  /** The poller begins once more at the first record, as after a restore. */
  const replay = async () => {
    await world.skk(['esm', 'pause', ...mapping])
    await world.skk(['groups', 'reset', group, '--topic', name, '--to', 'earliest', '--yes'])
    await world.skk(['esm', 'resume', ...mapping])
    await drained()
  }
  const files = () => filesOf(moto.url, BUCKET, `topics/${name}/`)
  return {deployed, proxy, drained, replay, files}
}

/** The beginning of this hour: what the records are before and after. */
const HOUR_BEGINS = Math.floor(Date.now() / HOUR) * HOUR

/** Envelopes around an hour's beginning; some have no value, some bytes that are no text, some no key. */
const envelopes = (count: number): string[] =>
  Array.from({length: count}, (_, n) => {
    const value = n % 7 === 3 ? null : n % 7 === 5 ? {base64: Buffer.from([n % 256, 0xff, 0]).toString('base64')} : `{"n":${n}}`
    const timestamp = new Date(HOUR_BEGINS + (n % 5) - 2).toISOString()
    const headers =
      n % 3 === 0
        ? [
            ['trace', String(n)],
            ['trace', {base64: '/w=='}],
          ]
        : []
    return JSON.stringify({timestamp, key: n % 11 === 0 ? null : `k${n}`, value, headers})
  })

const inOrder = (a: any, b: any) => a.partition - b.partition || a.offset - b.offset
const hourOf = (key: string): string => /hour=(\d\d)/.exec(key)![1]!
const utcHour = (time: string | number): string => new Date(time).toISOString().slice(11, 13)

/** Kills the function at those of its requests, before they are passed on or before their answer is. */
function killAt(proxy: AwsProxy, name: string, moments: readonly {request: RegExp; count: number; when: 'before' | 'after'}[]) {
  const seen = moments.map(() => 0)
  let kills = 0
  const hook = (when: 'before' | 'after') => async (what: string) => {
    for (const [index, moment] of moments.entries()) {
      if (moment.when !== when || !moment.request.test(what) || ++seen[index]! !== moment.count) continue
      kills++
      for (const pid of await sandboxesOf(name)) process.kill(pid, 'SIGKILL')
      return 'drop' as const
    }
    return undefined
  }
  proxy.before = hook('before')
  proxy.after = hook('after')
  return () => kills
}

const CLAIM = {request: /^UpdateItem$/}
const PUT = {request: /^PUT /}

describe('pattern-6, behind a mapping of skk local', () => {
  it('has each record once, and whole, in the directory of its hour, when the function is killed between its steps', async () => {
    const {deployed, proxy, drained, replay, files} = await pattern({name: 'once', set: {delivery: 'exactly-once'}})
    const kills = killAt(proxy, 'once', [
      {...PUT, count: 1, when: 'after'},
      {...PUT, count: 6, when: 'before'},
      {...CLAIM, count: 5, when: 'after'},
      {...CLAIM, count: 12, when: 'before'},
    ])

    await deployed.produce(envelopes(RECORDS), ['--format', 'records'])
    await drained()

    expect(kills()).toBe(4)
    const stored = await files()
    const produced = await world.records('once')
    expect(produced).toHaveLength(RECORDS)
    expect(linesOf(stored).sort(inOrder)).toEqual(produced.sort(inOrder))
    for (const file of stored)
      expect(new Set(linesOf([file]).map(({timestamp}) => utcHour(timestamp)))).toEqual(new Set([hourOf(file.key)]))
    expect(new Set(stored.map(({key}) => hourOf(key))).size).toBe(2)
    expect(await world.records('once-failed')).toEqual([])

    const skipped = async () =>
      [...(await deployed.log()).matchAll(/"RecordsSkipped":(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
    const before = await skipped()
    await replay()
    await eventually(async () => (await skipped()) - before >= RECORDS, PATIENCE_MS)
    expect(await files()).toEqual(stored)
  })

  it('makes Parquet that pyarrow reads: each record once, with nulls, bytes, headers and times', async () => {
    const {deployed, proxy, drained, files} = await pattern(
      {name: 'columns', set: {delivery: 'exactly-once', format: 'parquet'}},
      50,
    )
    const kills = killAt(proxy, 'columns', [{...PUT, count: 2, when: 'after'}])

    await deployed.produce(envelopes(RECORDS), ['--format', 'records'])
    await drained()

    const bytes = (json: any) => (json === null ? null : {base64: json.base64 ?? Buffer.from(json).toString('base64')})
    const produced = (await world.records('columns')).map(({key, value, headers, timestamp, ...place}: any) => ({
      ...place,
      timestamp: Date.parse(timestamp),
      key: bytes(key),
      value: bytes(value),
      headers: headers.map(([name, of]: [string, unknown]) => ({name, value: bytes(of)})),
    }))
    const stored = await files()
    expect(kills()).toBe(1)
    expect((await parquetRowsOf(stored)).sort(inOrder)).toEqual(produced.sort(inOrder))
    expect(stored.every(({key}) => key.endsWith('.parquet'))).toBe(true)
    expect(new Set(produced.map(({value}) => value === null))).toEqual(new Set([true, false]))
  })

  it('loses nothing without the table, in one file for each partition and batch', async () => {
    const {deployed, proxy, drained, files} = await pattern({name: 'least'})
    const kills = killAt(proxy, 'least', [
      {...PUT, count: 2, when: 'before'},
      {...PUT, count: 4, when: 'after'},
    ])

    await deployed.produce(envelopes(RECORDS), ['--format', 'records'])
    await drained()

    expect(kills()).toBe(2)
    const stored = await files()
    const lines = linesOf(stored)
    const produced = await world.records('least')
    const once = new Map(lines.map((line) => [`${line.partition}:${line.offset}`, line]))
    expect([...once.values()].sort(inOrder)).toEqual(produced.sort(inOrder))
    process.stderr.write(`pattern-6: at least once, ${lines.length} lines for ${RECORDS} records after ${kills()} kills\n`)
    for (const file of stored) {
      const own = linesOf([file])
      const [, partition, first, last] = /\+(\d+)\+(\d+)-(\d+)\.ndjson\.gz$/.exec(file.key)!.map(Number)
      expect([own[0].offset, own.at(-1).offset, own.length]).toEqual([first, last, last! - first! + 1])
      expect(new Set(own.map((line) => line.partition))).toEqual(new Set([partition]))
      expect(hourOf(file.key)).toBe(utcHour(own[0].timestamp))
    }
  })
})
