import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {after, describe, it, type TestContext} from 'node:test'

import type {KafkaEvent} from '../src/lib/batch.ts'
import {closeDatabase, database} from './database.ts'

const read = (name: string): KafkaEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))
const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** One partition with records of these keys and values, from an offset on. */
function eventOf(changes: readonly (readonly [key: string, value: object | null])[], from = 0): KafkaEvent {
  const records = changes.map(([key, value], index) => ({
    topic: 'orders',
    partition: 0,
    offset: from + index,
    timestamp: 0,
    timestampType: 'CREATE_TIME',
    key: base64(key),
    value: value && base64(JSON.stringify(value)),
    headers: [],
  }))
  return {eventSource: 'aws:kafka', records: {'orders-0': records}}
}

/** A queue that keeps its letters, or refuses them. */
async function queue(test: TestContext, works = true) {
  const letters: any[] = []
  const server = createServer(async (request, response) => {
    const {MessageBody} = JSON.parse(Buffer.concat(await request.toArray()).toString())
    if (!works) return void response.writeHead(403).end('{}')
    letters.push(JSON.parse(MessageBody))
    const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex')
    response.setHeader('content-type', 'application/x-amz-json-1.0').end(JSON.stringify({MessageId: '1', MD5OfMessageBody}))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  test.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {letters, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dead`}
}

let starts = 0

/** The handler as Lambda starts it, with a database and a queue on this machine. */
async function started(
  test: TestContext,
  {env = {}, schema = '', queueWorks = true}: {env?: object; schema?: string; queueWorks?: boolean} = {},
) {
  const db = await database(test, schema)
  const {letters, url} = await queue(test, queueWorks)
  Object.assign(process.env, {
    ...db.env,
    DLQ_URL: url,
    REPORT_FAILURES: 'true',
    GUARD: 'table',
    BATCH_ROWS: '3000',
    MAX_RETRIES: '0',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    LOG_LEVEL: 'SILENT',
    ...env,
  })
  const {handler}: typeof import('../src/handler.ts') = await import(`../src/handler.ts?${++starts}`)
  const ends = Date.now() + 120_000
  const context = {awsRequestId: '1', getRemainingTimeInMillis: () => ends - Date.now()}
  return {run: (event: KafkaEvent) => handler(event, context), rows: db.rows, letters}
}

const ALL = 'select id, name, total from customers order by id'
const NOTHING_LEFT = {batchItemFailures: []}

describe('the handler', () => {
  after(closeDatabase)

  it('writes the golden event, and twice makes no difference', async (test) => {
    const {run, rows} = await started(test)
    const expected = [
      {id: 'c-1', name: 'Ada', total: '12.50'},
      {id: 'c-2', name: 'Grace', total: '7.00'},
      {id: 'c-3', name: 'Linus', total: '1.00'},
    ]

    assert.deepEqual(await run(read('golden')), NOTHING_LEFT)
    assert.deepEqual(await rows(ALL), expected)
    await run(read('golden'))
    assert.deepEqual(await rows(ALL), expected)
    assert.deepEqual(await rows('select "partition", next_offset::int from _skk_offsets order by 1'), [
      {partition: 0, next_offset: 43},
      {partition: 1, next_offset: 8},
    ])
  })

  it('writes what is a row of the hostile event, and puts the rest aside whole', async (test) => {
    const {run, rows, letters} = await started(test)
    const event = read('hostile')

    assert.deepEqual(await run(event), NOTHING_LEFT)
    const written = await rows('select id, name, total, extra::text from customers order by id collate "C"')
    assert.deepEqual(
      written.map(({id}) => id),
      ["Robert'); DROP TABLE customers; --", 'digits', 'emoji', 'k', 'late', 'nested', 'same', 'twice'],
    )
    const byId = Object.fromEntries(written.map((row) => [row['id'], row]))
    assert.equal(byId['digits'].total, '12345678901234567890123456789012345678.10')
    assert.equal(byId['nested'].extra, '{"a": [1, {"b": null}], "big": 9007199254740993}')
    assert.deepEqual([byId['same'].name, byId['twice'].name, byId['emoji'].name], ['last', '2', '😀'])
    // "gone" is a delete of nothing, and one "same" is older than the other.
    assert.equal(letters.length, Object.values(event.records).flat().length - written.length - 2)
  })

  it('keeps the last of five updates, and the order of upsert, delete and upsert', async (test) => {
    const {run, rows} = await started(test)

    await run(
      eventOf([
        ['a', {name: '1'}],
        ['a', {name: '2', total: 2}],
        ['a', {name: '3'}],
        ['b', {name: 'kept', total: 5}],
        ['b', null],
        ['b', {name: 'new'}],
        ['c', {name: 'x'}],
        ['c', null],
        ['a', {name: '5'}],
      ]),
    )

    assert.deepEqual(await rows(ALL), [
      {id: 'a', name: '5', total: '2.00'},
      {id: 'b', name: 'new', total: null},
    ])
  })

  it('puts one bad row aside, keeps the versions before it, and writes all others', async (test) => {
    const {run, rows, letters} = await started(test)
    const changes = Array.from({length: 300}, (_, index) => [`k${index % 150}`, {total: index === 222 ? -1 : index}] as const)

    assert.deepEqual(await run(eventOf(changes)), NOTHING_LEFT)

    assert.deepEqual(await rows('select count(*)::int as n, sum(total)::int as sum from customers'), [
      {n: 150, sum: Array.from({length: 150}, (_, index) => (index === 72 ? 72 : index + 150)).reduce((a, b) => a + b)},
    ])
    assert.deepEqual(
      letters.map(({offset, error}) => [offset, error.message.slice(0, 5)]),
      [[222, '23514']],
    )
  })

  it('writes nothing of a batch whose dead letter is lost', async (test) => {
    const {run, rows} = await started(test, {queueWorks: false})

    const {batchItemFailures} = await run(
      eventOf([
        ['a', {total: 1}],
        ['b', {total: -1}],
      ]),
    )

    assert.deepEqual(batchItemFailures, [{itemIdentifier: {partition: 'orders-0', offset: 0}}])
    assert.deepEqual(await rows(ALL), [])
  })

  it('ignores an older offset that comes after a newer one, by the table and by the column', async (test) => {
    const schema = 'alter table customers add _skk_offset bigint'
    for (const GUARD of ['table', 'column']) {
      const {run, rows} = await started(test, {env: {GUARD}, schema})
      await run(eventOf([['a', {name: 'new'}]], 9))
      await run(
        eventOf(
          [
            ['a', {name: 'old'}],
            ['a', null],
          ],
          4,
        ),
      )
      assert.deepEqual(await rows('select name from customers'), [{name: 'new'}], GUARD)
    }
  })

  it('inserts each record once without any key', async (test) => {
    const env = {INSERT_MODE: 'insert', PK_MODE: 'none', PK_FIELDS: '', DELETE_ENABLED: 'false', TABLE_FORMAT: 'public.{topic}'}
    const {run, rows} = await started(test, {env, schema: 'create table orders (n int)'})
    const event = eventOf(Array.from({length: 5}, (_, n) => ['', {n}] as const))

    await run(event)
    await run(event)

    assert.deepEqual(
      await rows('select n from orders'),
      [0, 1, 2, 3, 4].map((n) => ({n})),
    )
  })

  it('leaves the batch where it is while the table is not there, and blames no record', async (test) => {
    const {run, letters} = await started(test, {env: {TABLE_FORMAT: 'nowhere'}})

    const {batchItemFailures} = await run(eventOf([['a', {name: 'x'}]]))

    assert.deepEqual([batchItemFailures.length, letters], [1, []])
  })

  it('fails as a whole when the mapping reads no reports', async (test) => {
    const {run} = await started(test, {env: {TABLE_FORMAT: 'nowhere', REPORT_FAILURES: 'false'}})

    await assert.rejects(run(eventOf([['a', {name: 'x'}]])), /not everything was done/)
  })
})
