import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {makeProject, type Project} from '../templates/projects.js'
import {type Client, type Postgres, startPostgres} from './postgres.js'
import {sandboxesOf} from './sandboxes.js'
import {type Deployment, type Envelope, startWorld, type World} from './world.js'

const [ROWS, KILLS] = process.env['SKK_FULL'] ? [10_000, 20] : [1000, 6]
const WRITERS = 8
const AGGREGATES = 40

let world: World
let driver: Project
let pg: Postgres
beforeAll(async () => {
  world = await startWorld()
  driver = await makeProject('pattern-2')
  pg = await startPostgres(driver.dir)
  await pg.query(await readFile(join(driver.dir, 'sql/outbox.sql'), 'utf8'))
  await pg.query('CREATE TABLE aggregates (id int PRIMARY KEY, version int NOT NULL DEFAULT 0)')
  await pg.query('INSERT INTO aggregates SELECT generate_series(1, $1::int)', [AGGREGATES])
})
afterAll(async () => {
  await pg?.stop()
  await driver?.remove()
  await world?.stop()
})

async function pattern({environment = {}, ...options}: Omit<Deployment, 'partitions'>) {
  const variables = {...pg.environment, SKK_BROKERS: world.bootstrap, ...environment}
  const deployed = await world.callable('pattern-2', {...options, environment: variables})
  onTestFinished(() => deployed.remove())
  return deployed
}

/** Commits rows of an aggregate type, one after the other for each aggregate, at random speed; one in ten is rolled back. */
async function writeRows(type: string, count: number): Promise<Set<string>> {
  const committed = new Set<string>()
  const write = async (client: Client, share: number) => {
    for (let done = 0; done < share; ) {
      const keep = Math.random() >= 0.1
      const aggregate = 1 + Math.floor(Math.random() * AGGREGATES)
      await client.query('BEGIN')
      const locked = await client.query('UPDATE aggregates SET version = version + 1 WHERE id = $1 RETURNING version', [
        aggregate,
      ])
      const payload = {version: locked.rows[0].version, keep, text: '😀 \\u0000 "'}
      const text = `INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ($1, $2, 'Changed', $3) RETURNING id`
      const {rows} = await client.query(text, [type, String(aggregate), payload])
      await sleep(Math.random() * 10)
      await client.query(keep ? 'COMMIT' : 'ROLLBACK')
      if (!keep) continue
      committed.add(rows[0].id)
      done++
    }
    await client.end()
  }
  const clients = await Promise.all(Array.from({length: WRITERS}, () => pg.connect()))
  await Promise.all(clients.map((client) => write(client, count / WRITERS)))
  return committed
}

const waiting = async () =>
  (await pg.query('SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL'))[0]!['n'] as number

const idOf = ({headers}: Envelope) => headers.find(([name]) => name === 'id')![1] as string

/** Every row, none that was rolled back, duplicates alike, and each aggregate in the order of its versions. */
function expectOutbox(records: Envelope[], committed: Set<string>): number {
  const first = new Map<string, Envelope>()
  for (const record of records) {
    const seen = first.get(idOf(record))
    if (seen) expect([record.key, record.value, record.partition]).toEqual([seen.key, seen.value, seen.partition])
    else first.set(idOf(record), record)
  }
  expect([...first.keys()].sort()).toEqual([...committed].sort())
  const inOrder = [...first.values()].sort((a, b) => a.offset - b.offset)
  for (const one of new Set(inOrder.map(({key}) => key))) {
    const versions = inOrder.filter(({key}) => key === one).map(({value}) => JSON.parse(String(value)).version as number)
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
  }
  return records.length - first.size
}

describe('pattern-2, over a real database', () => {
  it('publishes every committed row in order while it is killed again and again', async () => {
    const name = 'pattern-2-killed'
    await world.skk(['topics', 'create', 'outbox.event.order', '--partitions', '4'])
    await pattern({name, set: {aggregates: 'order'}, environment: {LOOP_MS: '5000', POLL_MS: '10', BATCH_ROWS: '20'}})
    let writing = true
    const writes = writeRows('order', ROWS).finally(() => {
      writing = false
    })
    let kills = 0
    const kill = async () => {
      while (kills < KILLS) {
        await sleep(Math.random() * 400)
        // Only one that has begun to publish is worth it: a start takes longer than all of this.
        const busy = (await pg.query('SELECT 1 FROM pg_stat_activity WHERE application_name = $1', [name])).length > 0
        if (!busy) continue
        await sleep(Math.random() * 100)
        for (const pid of await sandboxesOf(name)) process.kill(pid, 'SIGKILL')
        kills++
      }
    }
    const killing = kill()
    let failed = 0
    while (writing || kills < KILLS || (await waiting()) > 0) await world.invoke(name).catch(() => failed++)
    await killing

    const duplicates = expectOutbox(await world.records('outbox.event.order'), await writes)
    process.stderr.write(`pattern-2: ${ROWS} rows, ${kills} kills, ${failed} calls failed, ${duplicates} duplicates\n`)
    expect(failed).toBeGreaterThan(0)
  })

  it('keeps the order with two relays at once', async () => {
    const name = 'pattern-2-two'
    await world.skk(['topics', 'create', 'outbox.event.customer', '--partitions', '4'])
    const {log} = await pattern({name, set: {aggregates: 'customer'}, environment: {BATCH_ROWS: '10'}})
    await pg.query('UPDATE aggregates SET version = 0')
    let writing = true
    const writes = writeRows('customer', ROWS / 4).finally(() => {
      writing = false
    })
    const relay = async () => {
      while (writing || (await waiting()) > 0) await world.invoke(name)
    }

    await Promise.all([relay(), relay()])

    expectOutbox(await world.records('outbox.event.customer'), await writes)
    expect(await log()).toContain('another relay is at work')
  })

  it('puts aside what its topic cannot take, and goes on', async () => {
    const name = 'pattern-2-dead'
    await world.skk(['topics', 'create', 'outbox.event.large'])
    await pattern({name, set: {aggregates: 'large'}})
    const insert = `INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ($1, 'a', 'Changed', $2)`
    await pg.query(insert, ['large', {text: 'x'.repeat(2_000_000)}])
    await pg.query(insert, ['nobody', {}])
    await pg.query(insert, ['large', {text: '😀'}])

    while ((await waiting()) > 0) await world.invoke(name)

    expect((await world.records('outbox.event.large')).map(({value}) => JSON.parse(String(value)))).toEqual([{text: '😀'}])
    expect((await pg.query('SELECT reason FROM outbox_dead ORDER BY 1')).map(({reason}) => reason)).toEqual([
      '"nobody" is not in AGGREGATES',
      'larger than max.message.bytes of the topic',
    ])
  })

  it('publishes the last state of every row by query', async () => {
    const name = 'pattern-2-query'
    await world.skk(['topics', 'create', 'stock', '--partitions', '4'])
    const {dir} = await pattern({name, set: {mode: 'query', table: 'stock', topic: 'stock'}, environment: {BATCH_ROWS: '50'}})
    await pg.query(await readFile(join(dir, 'sql/query.sql'), 'utf8'))
    await pg.query('CREATE TABLE stock (id bigint PRIMARY KEY, n numeric, updated_at timestamptz)')
    await pg.query('CREATE TRIGGER stock_updated BEFORE INSERT OR UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION set_updated_at()')
    let writing = true
    const write = async () => {
      const client = await pg.connect()
      const upsert = 'INSERT INTO stock VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = excluded.n'
      for (let n = 0; n < ROWS; n++) await client.query(upsert, [1 + Math.floor(Math.random() * 100), `${n}.10`])
      await client.end()
      writing = false
    }
    const writes = write()
    while (writing) await world.invoke(name)
    await writes
    await world.invoke(name)

    const published = new Map(
      (await world.records('stock')).sort((a, b) => a.offset - b.offset).map(({key, value}) => [key, String(value)]),
    )
    const rows = await pg.query('SELECT id::text, to_jsonb(stock)::text AS row FROM stock')
    expect(published).toEqual(new Map(rows.map(({id, row}) => [id, row])))
  })

  it('publishes what the trigger of the database calls out', async () => {
    const name = 'pattern-2-invoke'
    await world.skk(['topics', 'create', 'prices'])
    const {dir} = await pattern({name, set: {mode: 'invoke', topic: 'prices'}})
    // In the place of the extension of RDS: what would be called is kept.
    await pg.query(`CREATE SCHEMA aws_commons; CREATE SCHEMA aws_lambda; CREATE TABLE calls (seq serial, payload json);
      CREATE FUNCTION aws_commons.create_lambda_function_arn(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
      CREATE FUNCTION aws_lambda.invoke(text, json, text) RETURNS void LANGUAGE sql AS 'INSERT INTO calls (payload) VALUES ($2)'`)
    const sql = await readFile(join(dir, 'sql/invoke.sql'), 'utf8')
    await pg.query(sql.replace('CREATE EXTENSION IF NOT EXISTS aws_lambda CASCADE;', ''))
    await pg.query('CREATE TABLE prices (id bigint PRIMARY KEY, n numeric)')
    await pg.query(
      'CREATE TRIGGER prices_sent AFTER INSERT OR UPDATE OR DELETE ON prices FOR EACH ROW EXECUTE FUNCTION send_change()',
    )
    await pg.query('INSERT INTO prices VALUES (9007199254740993, 12345678901234567890.10)')
    await pg.query('UPDATE prices SET n = 2')
    await pg.query('DELETE FROM prices')

    for (const {payload} of await pg.query('SELECT payload FROM calls ORDER BY seq')) await world.invoke(name, payload)

    const records = await world.records('prices')
    expect(records.map(({value}) => value)).toEqual([
      '{"n": 12345678901234567890.10, "id": 9007199254740993}',
      '{"n": 2, "id": 9007199254740993}',
      null,
    ])
    expect(new Set(records.map(idOf)).size).toBe(3)
  })
})
