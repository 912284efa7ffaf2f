import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {createServer} from 'node:net'
import {after, before, describe, it} from 'node:test'

import {startDatabase} from './database.ts'

const read = (name: string): unknown => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

let starts = 0

/** The handler as Lambda starts it, with a database on this machine, a broker that is not there and so many milliseconds. */
async function started(env: Record<string, string>, timeoutMs = 20_000) {
  Object.assign(process.env, {
    SKK_BROKERS: '127.0.0.1:1',
    SKK_AUTH: 'none',
    DB_HOST: '127.0.0.1',
    DB_NAME: 'postgres',
    DB_USER: 'postgres',
    DB_AUTH: 'none',
    AGGREGATES: 'order',
    QUERY_TABLE: 'orders',
    TOPIC: 'orders',
    KEY_COLUMN: 'id',
    ORDER: 'strict',
    LOG_LEVEL: 'SILENT',
    ...env,
  })
  const {handler}: typeof import('../src/handler.ts') = await import(`../src/handler.ts?${++starts}`)
  const ends = Date.now() + timeoutMs
  return (event: unknown) => handler(event, {awsRequestId: '1', getRemainingTimeInMillis: () => ends - Date.now()})
}

describe('the handler', () => {
  let db: Awaited<ReturnType<typeof startDatabase>>
  before(async () => {
    db = await startDatabase()
    await db.fresh()
  })
  after(() => db.stop())
  const port = () => ({DB_PORT: String(db.port)})

  it('has nothing to do where nothing was written', async () => {
    const run = await started({MODE: 'outbox', ...port()})

    assert.deepEqual(await run(read('golden')), {published: 0, dead: 0})
  })

  it('fails and marks nothing while Kafka is away', async () => {
    await db.query(`insert into outbox (aggregatetype, aggregateid, type, payload) values ('order', 'o', 't', '{}')`)
    const run = await started({MODE: 'outbox', ...port()}, 6000)

    await assert.rejects(run({}))
    assert.deepEqual(await db.query('select published_at from outbox'), [{published_at: null}])
  })

  it('moves no watermark while Kafka is away', async () => {
    await db.query(`insert into orders values (1, 1, '2020-01-01Z')`)
    const run = await started({MODE: 'query', ...port()}, 6000)

    await assert.rejects(run({}))
    assert.deepEqual(await db.query('select watermark::text from _skk_watermarks'), [{watermark: '-infinity'}])
  })

  it('fails for the database to be heard, when it calls the function itself', async () => {
    const run = await started({MODE: 'invoke'}, 6000)

    await assert.rejects(run(read('golden')))
    await assert.rejects(run({op: 'TRUNCATE'}), /EventError|op/)
  })

  it('asks nobody for anything before it is called', async () => {
    let connections = 0
    const server = createServer((socket) => {
      connections++
      socket.destroy()
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    await started({MODE: 'outbox', DB_PORT: String((server.address() as {port: number}).port)})

    await new Promise((resolve) => server.close(resolve))
    assert.equal(connections, 0)
  })
})
