import assert from 'node:assert/strict'
import {after, before, beforeEach, describe, it} from 'node:test'

import {backlogOf, type OutboxSettings, purge, relayRows} from '../src/core/outbox.ts'
import {type Cursor, type QuerySettings, relayPage, type Sent} from '../src/core/query.ts'
import {startDatabase} from './database.ts'
import {topics} from './topics.ts'

const deadline = {remainingMs: () => 60_000, passed: () => false}

let db: Awaited<ReturnType<typeof startDatabase>>
before(async () => {
  db = await startDatabase()
})
beforeEach(() => db.fresh())
after(() => db.stop())

describe('the outbox', () => {
  const settings: OutboxSettings = {
    table: 'outbox',
    deadTable: 'outbox_dead',
    prefix: 'outbox.event.',
    aggregates: ['order', 'customer'],
    order: 'strict',
    afterwards: 'mark',
    headerColumns: ['tenant'],
    batchRows: 100,
    batchBytes: 10_000,
    keepHours: 1,
  }
  const insert = (type: string, id: string, payload: unknown) =>
    db.query(`insert into outbox (aggregatetype, aggregateid, type, payload, tenant) values ($1, $2, 'Changed', $3, 'acme')`, [
      type,
      id,
      payload === null ? null : JSON.stringify(payload),
    ])
  const waiting = () => db.query('select aggregateid, payload from outbox where published_at is null order by seq')

  it('is published in its order and marked', async () => {
    const {producer, stored} = topics()
    for (const n of [1, 2, 3]) await insert('order', 'o', {n})
    await insert('customer', 'c', null)

    const pass = await relayRows(db.query, producer, deadline, settings)

    assert.deepEqual(pass, {busy: false, rows: 4, published: 4, dead: 0, failures: []})
    const orders = stored.filter(({topic}) => topic === 'outbox.event.order')
    assert.deepEqual(
      orders.map(({key, value}) => [key, value]),
      [1, 2, 3].map((n) => ['o', `{"n": ${n}}`]),
    )
    const [{id} = {id: ''}] = await db.query<{id: string}>('select id from outbox order by seq')
    assert.deepEqual(orders[0]!.headers, {tenant: 'acme', id, type: 'Changed'})
    assert.deepEqual(await waiting(), [])
  })

  it('keeps what Kafka does not take, for the next pass', async () => {
    await insert('order', 'o', {n: 1})
    await insert('customer', 'c', {n: 1})
    const failing = topics({fails: ({topic}) => topic === 'outbox.event.order'})

    const pass = await relayRows(db.query, failing.producer, deadline, settings)

    assert.deepEqual([pass.published, pass.failures.length], [1, 1])
    assert.deepEqual(await waiting(), [{aggregateid: 'o', payload: {n: 1}}])
    const {producer, stored} = topics()
    await relayRows(db.query, producer, deadline, settings)
    assert.deepEqual(
      stored.map(({key}) => key),
      ['o'],
    )
  })

  it('buries what can never be published, with the reason', async () => {
    await insert('order', 'large', {text: 'x'.repeat(2000)})
    await insert('unknown', 'u', {})
    await insert('order', 'emoji', {text: '😀 \\u0000'})
    const {producer, stored} = topics()

    const {dead} = await relayRows(db.query, producer, deadline, settings)

    assert.equal(dead, 2)
    assert.deepEqual(await db.query('select aggregateid, reason from outbox_dead order by 1'), [
      {aggregateid: 'large', reason: 'larger than max.message.bytes of the topic'},
      {aggregateid: 'u', reason: '"unknown" is not in AGGREGATES'},
    ])
    assert.deepEqual(
      stored.map(({value}) => JSON.parse(value!)),
      [{text: '😀 \\u0000'}],
    )
  })

  it('takes no more at once than it may hold', async () => {
    for (const n of [1, 2, 3]) await insert('order', 'o', {n, text: 'x'.repeat(50)})
    const {producer} = topics()

    assert.equal((await relayRows(db.query, producer, deadline, {...settings, batchBytes: 100})).rows, 2)
    assert.equal((await relayRows(db.query, producer, deadline, {...settings, batchBytes: 1})).rows, 1)
  })

  it('is emptied as it is published, or when it is old', async () => {
    const {producer} = topics()
    const count = async () => (await db.query<{n: number}>('select count(*)::int as n from outbox'))[0]!.n
    await insert('order', 'o', {})
    assert.equal((await backlogOf(db.query, settings)).rows, 1)
    await relayRows(db.query, producer, deadline, {...settings, order: 'parallel', afterwards: 'delete'})
    assert.equal(await count(), 0)

    await insert('order', 'o', {})
    await relayRows(db.query, producer, deadline, settings)
    await purge(db.query, settings)
    assert.equal(await count(), 1)
    await db.query(`update outbox set published_at = now() - interval '2 hours'`)
    await purge(db.query, settings)
    assert.equal(await count(), 0)
  })
})

describe('the query', () => {
  const settings: QuerySettings = {
    table: 'public.orders',
    topic: 'orders',
    keyColumn: 'id',
    updatedColumn: 'updated_at',
    overlapMs: 60_000,
    watermarkTable: '_skk_watermarks',
    deadTable: '_skk_dead',
    batchRows: 2,
    envelope: false,
  }
  const change = (id: number, total: string, secondsAgo: number) =>
    db.query(
      `insert into orders values ($1, $2, now() - make_interval(secs => $3)) on conflict (id) do update set total = excluded.total, updated_at = excluded.updated_at`,
      [id, total, secondsAgo],
    )
  /** All pages of one invocation. */
  const run = async (broker: ReturnType<typeof topics>, sent: Sent = new Map()) => {
    let cursor: Cursor | undefined
    for (;;) {
      const pass = await relayPage(db.query, broker.producer, deadline, settings, sent, cursor)
      if (pass.rows === 0 || pass.failures.length > 0) return pass
      cursor = pass.cursor
    }
  }
  const totals = ({stored}: ReturnType<typeof topics>) =>
    stored.map(({key, value}) => [key, /"total": ([\d.]+)/.exec(value!)![1]])

  it('publishes what has changed, page after page, and each old row once', async () => {
    for (const id of [1, 2, 3, 4, 5]) await change(id, `${id}.10`, 1000 - id)
    const first = topics()
    await run(first)
    assert.deepEqual(
      totals(first),
      [1, 2, 3, 4, 5].map((id) => [String(id), `${id}.10`]),
    )

    await change(2, '12345678901234567890.5', 30)
    const second = topics()
    const sent: Sent = new Map()
    await run(second, sent)
    await run(second, sent)
    assert.deepEqual(totals(second), [['2', '12345678901234567890.5']])
  })

  it('finds a row whose transaction ended late', async () => {
    await change(1, '1', 5)
    const broker = topics()
    const sent: Sent = new Map()
    await run(broker, sent)
    await change(2, '2', 30)
    await run(broker, sent)

    assert.deepEqual(totals(broker), [
      ['1', '1'],
      ['2', '2'],
    ])
  })

  it('goes on before the row that failed', async () => {
    for (const id of [1, 2, 3]) await change(id, '1', 1000 - id)
    const failing = topics({fails: ({key}) => String(key) === '3'})
    assert.equal((await run(failing)).failures.length, 1)

    const broker = topics()
    await run(broker)
    assert.deepEqual(totals(broker).at(-1), ['3', '1'])
  })
})
