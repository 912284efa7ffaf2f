import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {type ChangeSettings, changeOf, runsOf} from '../src/core/change.ts'
import {parseExactly} from '../src/core/json.ts'
import {type PartitionOptions, writePartitions} from '../src/core/partitions.ts'
import {refuseUnknownColumns, statementOf} from '../src/core/statement.ts'
import {type KafkaEvent, type KafkaRecord, PoisonError} from '../src/lib/batch.ts'
import {readSettings} from '../src/settings.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

function record(key: string | null, value: string | null, offset = 0): KafkaRecord {
  const data = {key: key === null ? null : base64(key), value: value === null ? null : base64(value)}
  return {topic: 'orders', partition: 3, offset, timestamp: 0, timestampType: 'CREATE_TIME', headers: [], ...data}
}

const settings: ChangeSettings = {
  pkMode: 'record_key',
  pkFields: ['id'],
  keyFormat: 'text',
  deletes: true,
  fields: [],
  offsetColumn: '',
}

describe('JSON', () => {
  it('keeps the digits of numbers that JavaScript cannot hold', () => {
    const text = '{"a":12345678901234567890.120,"b":[1e400,1],"c":"x"}'

    assert.equal(JSON.stringify(parseExactly(text)), text)
  })
})

describe('a change', () => {
  it('has its key from where the settings say', () => {
    const one = record('7', '{"id":8,"name":"Ada"}', 5)
    const rowWith = (own: Partial<ChangeSettings>) => changeOf(one, {...settings, ...own}).row

    assert.deepEqual(rowWith({}), {id: '7', name: 'Ada'})
    assert.deepEqual(rowWith({keyFormat: 'json'}), {id: 7, name: 'Ada'})
    assert.deepEqual(rowWith({pkMode: 'record_value'}), {id: 8, name: 'Ada'})
    assert.deepEqual(rowWith({pkMode: 'kafka', pkFields: ['t', 'p', 'o'], fields: ['name']}), {
      t: 'orders',
      p: 3,
      o: 5,
      name: 'Ada',
    })
    assert.deepEqual(rowWith({pkMode: 'none', fields: ['name'], offsetColumn: '_at'}), {name: 'Ada', _at: 5})
  })

  it('takes the fields of a key that is an object', () => {
    const {pk, row} = changeOf(record('{"a":1,"b":2}', '{"c":3}'), {...settings, keyFormat: 'json', pkFields: []})

    assert.deepEqual([pk, row], [['a', 'b'], {c: 3, a: 1, b: 2}])
  })

  it('deletes where there is no value', () => {
    assert.deepEqual(changeOf(record('7', null), settings).kind, 'delete')
    assert.throws(() => changeOf(record('7', null), {...settings, deletes: false}), PoisonError)
  })

  it('is none of a record that is no row', () => {
    for (const [key, value] of [
      [null, '{"a":1}'],
      ['7', ''],
      ['7', '[1]'],
      ['7', 'null'],
      ['7', '12345678901234567890'],
      ['7', '{"a":'],
    ] as const)
      assert.throws(() => changeOf(record(key, value), settings), PoisonError, String(value))
    assert.throws(() => changeOf(record('{"a":1}', '{}'), {...settings, keyFormat: 'json', pkFields: ['a', 'b']}), /lacks "b"/)
  })
})

describe('runs', () => {
  it('end where the kind of change or the columns change, so that the order stays', () => {
    const changes = [
      record('a', '{"x":1,"y":1}'),
      record('b', '{"y":1,"x":1}'),
      record('a', '{"x":2}'),
      record('a', null),
      record('b', null),
      record('a', '{"x":3}'),
    ].map((one) => changeOf(one, settings))

    assert.deepEqual(
      runsOf(changes).map((run) => run.length),
      [2, 1, 2, 1],
    )
  })
})

describe('a statement', () => {
  const columns = new Map([
    ['id', 'text'],
    ['order', 'integer'],
    ['a"; drop table b; --', 'text'],
  ])
  const target = {table: '"orders"', insertMode: 'upsert' as const, offsetColumn: ''}
  const made = (value: string, insertMode: 'insert' | 'upsert' | 'update' = 'upsert') =>
    statementOf([changeOf(record('k', value), settings)], columns, {...target, insertMode}).text

  it('quotes whatever a column is called', () => {
    const text = made('{"order":1,"a\\"; drop table b; --":"x"}')

    assert.match(text, /^INSERT INTO "orders" AS old \("order", "a""; drop table b; --", "id"\)/)
    assert.match(text, /ON CONFLICT \("id"\) DO UPDATE SET "order" = EXCLUDED\."order", "a""; drop table b; --" = EXCLUDED/)
  })

  it('knows only columns that the table has', () => {
    const change = changeOf(record('k', '{"order); drop table b; --":1}'), settings)

    assert.throws(() => refuseUnknownColumns(change, columns), /no column "order\); drop/)
  })

  it('does nothing to a row that is only its key', () => assert.match(made('{}'), /DO NOTHING$/))

  it('lets an INSERT fail on its key, and an UPDATE make no row', () => {
    assert.doesNotMatch(made('{"order":1}', 'insert'), /CONFLICT|DISTINCT/)
    assert.match(
      made('{"order":1}', 'update'),
      /^UPDATE "orders" AS old SET "order" = new."order" FROM .* WHERE old."id" = new."id"$/,
    )
  })
})

describe('partitions', () => {
  const event = (...partitions: number[][]): KafkaEvent => ({
    eventSource: 'aws:kafka',
    records: Object.fromEntries(
      partitions.map((offsets, index) => [
        `orders-${index}`,
        offsets.map((offset) => ({...record('k', '{}', offset), partition: index})),
      ]),
    ),
  })
  const run = async (given: KafkaEvent, options: Partial<PartitionOptions>) => {
    const pauses: number[] = []
    const {response, counts} = await writePartitions(given, {
      deadline: {remainingMs: () => 10_000, passed: () => false},
      batchRows: 2,
      maxRetries: 2,
      write: async (records) => ({poison: [], ok: records.length, skipped: 0}),
      mayPass: () => true,
      onFailure: () => {},
      sleep: async (ms) => pauses.push(ms),
      random: () => 1,
      ...options,
    })
    return {failures: response.batchItemFailures.map(({itemIdentifier}) => itemIdentifier), counts, pauses}
  }
  const failing =
    (offset: number, times = Number.POSITIVE_INFINITY): PartitionOptions['write'] =>
    async (records) => {
      if (records.some((one) => one.offset === offset) && times-- > 0) throw new Error('down')
      return {poison: [], ok: records.length, skipped: 0}
    }

  it('are written in parts, and stop at the one that fails', async () => {
    const {failures, counts} = await run(event([1, 2, 3, 4, 5], [7]), {write: failing(4)})

    assert.deepEqual(failures, [{partition: 'orders-0', offset: 3}])
    assert.deepEqual(counts, {in: 6, ok: 3, poison: 0, left: 3, skipped: 0})
  })

  it('are tried again while the error may pass', async () => {
    assert.deepEqual(await run(event([1]), {write: failing(1, 2)}).then(({failures, pauses}) => [failures, pauses]), [
      [],
      [100, 200],
    ])
    assert.deepEqual((await run(event([1]), {write: failing(1, 3)})).failures, [{partition: 'orders-0', offset: 1}])
    assert.deepEqual((await run(event([1]), {write: failing(1, 1), mayPass: () => false})).pauses, [])
  })

  it('are left where the time ends', async () => {
    let written = 0
    const deadline = {remainingMs: () => 0, passed: () => written > 0}
    const write: PartitionOptions['write'] = async (records) => {
      written += records.length
      return {poison: [], ok: records.length, skipped: 0}
    }

    assert.deepEqual((await run(event([1, 2, 3]), {deadline, write})).failures, [{partition: 'orders-0', offset: 3}])
  })
})

describe('the settings', () => {
  const database = {DB_HOST: 'db.example.com', DB_NAME: 'app', DB_SECRET_ID: 'app-db'}

  it('are an upsert by the key, with offsets in a table', () => {
    const {sink} = readSettings({...database, PK_FIELDS: 'id'})

    assert.deepEqual(
      [sink.insertMode, sink.pkMode, sink.offsetsTable, sink.offsetColumn],
      ['upsert', 'record_key', '_skk_offsets', ''],
    )
    assert.equal(readSettings({...database, PK_FIELDS: 'id', GUARD: 'column'}).sink.offsetColumn, '_skk_offset')
  })

  it('refuse what contradicts itself, all at once', () => {
    const bad = {...database, PK_MODE: 'none', DELETE_ENABLED: 'true', GUARD: 'any'}

    assert.throws(() => readSettings(bad), /(?=.*INSERT_MODE)(?=.*DELETE_ENABLED)(?=.*GUARD)/)
    assert.throws(() => readSettings({...database, PK_FIELDS: 'a,b'}), /PK_FIELDS/)
    assert.throws(() => readSettings({...database, PK_FIELDS: 'id', INSERT_MODE: 'insert', GUARD: 'column'}), /GUARD/)
  })
})
