import {connect as connectTo, createServer, type Server, type Socket} from 'node:net'

import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {eventually} from '../engines/processes.js'
import {makeProject, type Project} from '../templates/projects.js'
import {type Postgres, startPostgres} from './postgres.js'
import {sandboxesOf} from './sandboxes.js'
import {type Deployment, motoCall, startMoto, startWorld, type World} from './world.js'

const PATIENCE_MS = 90_000
const [RECORDS, ROUNDS] = process.env['SKK_FULL'] ? [30_000, 5] : [3000, 2]

let world: World
let moto: Awaited<ReturnType<typeof startMoto>>
let driver: Project
let pg: Postgres
beforeAll(async () => {
  world = await startWorld()
  moto = await startMoto()
  driver = await makeProject('pattern-5')
  pg = await startPostgres(driver.dir)
  await pg.query(
    'CREATE TABLE _skk_offsets (topic text, "partition" int, next_offset bigint NOT NULL, PRIMARY KEY (topic, "partition"))',
  )
})
afterAll(async () => {
  await pg?.stop()
  await driver?.remove()
  await moto?.stop()
  await world?.stop()
})

const sqs = (action: string, body: unknown) => motoCall(moto.url, 'sqs', action, body)

/** The pattern with a table of those columns and a queue for dead letters. */
async function pattern({environment = {}, ...options}: Deployment, columns: string) {
  await pg.query(`CREATE TABLE "${options.name}" (${columns})`)
  const {QueueUrl} = await sqs('CreateQueue', {QueueName: `${options.name}-dead-letters`})
  const deployed = await world.deployed('pattern-5', {
    ...options,
    environment: {...pg.environment, DLQ_URL: QueueUrl, ...environment},
  })
  onTestFinished(() => deployed.remove())
  const letters = async () => {
    const {Messages = []} = await sqs('ReceiveMessage', {QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 0})
    return Messages.map(({Body}: {Body: string}) => JSON.parse(Body))
  }
  const group = `${options.name}.${options.name}`
  const drained = () =>
    eventually(async () => {
      const {stdout} = await world.skk(['groups', 'describe', group, '--json'])
      return JSON.parse(stdout).lag === 0
    }, PATIENCE_MS)
  const mapping = ['--function', options.name, '--topic', options.name]
  /** The poller begins once more at the first record, as after a restore. */
  const replay = async () => {
    await world.skk(['esm', 'pause', ...mapping])
    await world.skk(['groups', 'reset', group, '--topic', options.name, '--to', 'earliest', '--yes'])
    await world.skk(['esm', 'resume', ...mapping])
    await drained()
  }
  const checksum = async () => {
    const [row] = await pg.query(
      `SELECT count(*)::int AS rows, md5(string_agg(t::text, ';' ORDER BY t::text)) AS sum FROM "${options.name}" t`,
    )
    return row
  }
  return {deployed, letters, drained, replay, checksum, rows: (rest = '') => pg.query(`SELECT * FROM "${options.name}" ${rest}`)}
}

const KEYED = ['--key-separator', ':']
const lineOf = (key: string, value: object) => `${key}:${JSON.stringify(value)}`

/** The same whole numbers below a limit each time. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48_271) % 0x7fffffff
    return state % below
  }
}

describe('pattern-5, behind a mapping of skk local', () => {
  it('writes all, and says how many rows a second; one bad row is put aside and all others are in', async () => {
    const {deployed, letters, drained, checksum, replay} = await pattern(
      {name: 'bulk', partitions: 3},
      'id text PRIMARY KEY, n int NOT NULL CHECK (n >= 0), word text',
    )
    const lines = Array.from({length: RECORDS}, (_, n) => lineOf(`k${n}`, {n: n === 1234 ? -1 : n, word: `word ${n}`}))

    const started = performance.now()
    await deployed.produce(lines, KEYED)
    await drained()
    const seconds = (performance.now() - started) / 1000

    expect(await checksum()).toMatchObject({rows: RECORDS - 1})
    const log = await deployed.log()
    const busyMs = [...log.matchAll(/"SinkLatency":(\d+)/g)].reduce((sum, [, ms]) => sum + Number(ms), 0)
    const rate = Math.round((RECORDS / busyMs) * 1000)
    process.stderr.write(
      `pattern-5: ${RECORDS} rows, ${rate} rows/s while the function runs, ${seconds.toFixed(1)} s from produce to lag 0\n`,
    )
    const before = await checksum()
    expect((await letters()).map(({error}: any) => error.message.slice(0, 5))).toEqual(['23514'])
    await replay()
    expect(await checksum()).toEqual(before)
  })

  it('ends with the same table when any prefix is replayed twice, guarded by the table and by the column', async () => {
    const replayed = async (GUARD: string, columns: string) => {
      const name = `replay-${GUARD}`
      const {deployed, drained, replay, checksum} = await pattern({name, environment: {GUARD, DELETE_ENABLED: 'true'}}, columns)
      const random = randomFrom(7)
      for (let round = 0; round < ROUNDS; round++) {
        const lines = Array.from({length: 40}, (_, index) => {
          const key = `k${random(8)}`
          if (random(4) === 0) return JSON.stringify({key, value: null})
          const value = random(2) === 0 ? {n: index} : {n: index, note: `${round}`}
          return JSON.stringify({key, value: JSON.stringify(value)})
        })
        await deployed.produce(lines, ['--format', 'records'])
        await drained()
        const before = await checksum()
        expect(before!['rows']).toBeGreaterThan(0)
        for (const _ of [1, 2]) {
          await replay()
          expect(await checksum()).toEqual(before)
        }
      }
    }

    await Promise.all([
      replayed('table', 'id text PRIMARY KEY, n int, note text'),
      replayed('column', 'id text PRIMARY KEY, n int, note text, _skk_offset bigint'),
    ])
  })

  it('makes one row of five updates, and keeps the order of upsert, delete and upsert', async () => {
    const {deployed, drained, rows} = await pattern(
      {name: 'updates', environment: {DELETE_ENABLED: 'true'}},
      'id text PRIMARY KEY, n int, note text',
    )
    const change = (key: string, value: object | null) => JSON.stringify({key, value: value && JSON.stringify(value)})
    const five = [1, 2, 3, 4, 5].map((n) => change('five', {n}))

    await deployed.produce(
      [...five, change('new', {n: 1, note: 'old'}), change('new', null), change('new', {n: 2})],
      ['--format', 'records'],
    )
    await drained()

    expect(await rows('ORDER BY id')).toEqual([
      {id: 'five', n: 5, note: null},
      {id: 'new', n: 2, note: null},
    ])
  })

  it('has its effect once when it is killed between COMMIT and its answer', async () => {
    const proxy = await killingProxy(pg.port, 'pattern-5-killed')
    onTestFinished(() => proxy.stop())
    const environment = {DB_PORT: String(proxy.port), INSERT_MODE: 'insert', PK_MODE: 'none'}
    const {deployed, drained, rows} = await pattern({name: 'pattern-5-killed', environment}, 'n int')

    await deployed.produce(Array.from({length: 20}, (_, n) => JSON.stringify({n})))
    await drained()

    expect(proxy.kills()).toBe(1)
    expect((await rows('ORDER BY n')).map(({n}) => n)).toEqual(Array.from({length: 20}, (_, n) => n))
    // The mapping may bring them again in halves.
    const skipped = [...(await deployed.log()).matchAll(/"RecordsSkipped":(\d+)/g)].reduce(
      (sum, [, records]) => sum + Number(records),
      0,
    )
    expect(skipped).toBe(20)
  })

  it('quotes names, and puts aside what would be another statement', async () => {
    const {deployed, drained, rows, letters} = await pattern(
      {name: 'hostile'},
      'id text PRIMARY KEY, "order" int, "Mixed Case" text, "a""b" text',
    )
    const injection = 'x"); DROP TABLE "hostile"; --'

    await deployed.produce(
      [
        lineOf('good', {order: 1, 'Mixed Case': "'); DROP TABLE hostile; --", 'a"b': '$1'}),
        lineOf('bad', {[injection]: 1}),
        lineOf('case', {ORDER: 1}),
        lineOf("'); DROP TABLE hostile; --", {order: 2}),
      ],
      KEYED,
    )
    await drained()

    expect(await rows('ORDER BY "order"')).toEqual([
      {id: 'good', order: 1, 'Mixed Case': "'); DROP TABLE hostile; --", 'a"b': '$1'},
      {id: "'); DROP TABLE hostile; --", order: 2, 'Mixed Case': null, 'a"b': null},
    ])
    expect((await letters()).map(({error}: any) => error.message).sort()).toEqual([
      'the table has no column "ORDER"',
      `the table has no column ${JSON.stringify(injection)}`,
    ])
  })

  it('waits out a deadlock and a lock, and writes then', async () => {
    const {deployed, drained, rows} = await pattern({name: 'locked', environment: {GUARD: 'none'}}, 'id text PRIMARY KEY, n int')
    await pg.query(`INSERT INTO locked VALUES ('a', 0), ('b', 0)`)
    const other = await pg.connect()
    await other.query('BEGIN')
    await other.query(`UPDATE locked SET n = -1 WHERE id = 'b'`)

    await deployed.produce([lineOf('a', {n: 1}), lineOf('b', {n: 1})], KEYED)
    const waits = async () =>
      (await pg.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'locked' AND wait_event_type = 'Lock'`)).length > 0
    await eventually(waits, PATIENCE_MS)
    // The sink has "a" and waits for "b": asking for "a" closes the circle, and one of the two is the victim.
    await other.query(`UPDATE locked SET n = -1 WHERE id = 'a'`).catch(({code}) => expect(code).toBe('40P01'))
    await other.query('COMMIT')
    await other.end()
    await drained()

    expect(await rows('ORDER BY id')).toEqual([
      {id: 'a', n: 1},
      {id: 'b', n: 1},
    ])
  })
})

/** Passes everything on, except that the first answer to a COMMIT never arrives: the function's process is killed instead. */
async function killingProxy(port: number, name: string): Promise<{port: number; kills(): number; stop(): Promise<void>}> {
  let kills = 0
  const sockets = new Set<Socket>()
  const server: Server = createServer((client) => {
    const upstream = connectTo(port, '127.0.0.1')
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}))
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    client.pipe(upstream)
    upstream.on('data', async (bytes) => {
      if (kills > 0 || !bytes.includes('COMMIT\0')) return void client.write(bytes)
      kills++
      for (const pid of await sandboxesOf(name)) process.kill(pid, 'SIGKILL')
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const {port: own} = server.address() as {port: number}
  const stop = () => {
    for (const socket of sockets) socket.destroy()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return {port: own, kills: () => kills, stop}
}
