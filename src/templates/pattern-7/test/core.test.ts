import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {type Format, itemText, PoisonError} from '../src/core/attribute.ts'
import {messagesOf, type StreamRecord} from '../src/core/change.ts'
import {readSettings} from '../src/settings.ts'
import {changes, eventOf, settings} from './records.ts'

describe('an item', () => {
  const DIGITS = '12345678901234567890123456789012345678'

  it('keeps every type, and every digit of a number', () => {
    const item = {
      n: {N: DIGITS},
      s: {S: ''},
      b: {B: '/wCA'},
      t: {BOOL: true},
      x: {NULL: true},
      l: {L: [{M: {}}]},
      m: {M: {a: {N: '-0.1'}}},
    }

    assert.equal(
      itemText(item, 'typed'),
      `{"b":{"B":"/wCA"},"l":{"L":[{"M":{}}]},"m":{"M":{"a":{"N":"-0.1"}}},"n":{"N":"${DIGITS}"},"s":{"S":""},"t":{"BOOL":true},"x":{"NULL":true}}`,
    )
    assert.equal(itemText(item, 'plain'), `{"b":"/wCA","l":[{}],"m":{"a":-0.1},"n":${DIGITS},"s":"","t":true,"x":null}`)
  })

  it('is the same text in whatever order its members and sets are', () => {
    const one = {a: {SS: ['b', 'a']}, c: {NS: ['10', '9', `${DIGITS}9`, `${DIGITS}8`]}, d: {BS: ['/w==', 'AA==']}}
    const other = {d: {BS: ['AA==', '/w==']}, c: {NS: [`${DIGITS}8`, '9', `${DIGITS}9`, '10']}, a: {SS: ['a', 'b']}}

    for (const format of ['typed', 'plain'] as Format[]) assert.equal(itemText(one, format), itemText(other, format))
    assert.equal(itemText({c: {NS: ['10', '9']}}, 'plain'), '{"c":[9,10]}')
  })

  it('is poison when it is none of DynamoDB, and no value is quoted', () => {
    const deep = JSON.parse(`${'{"L":['.repeat(100)}{"NULL":true}${']}'.repeat(100)}`)
    const bad = [
      1,
      null,
      {},
      {S: 1},
      {N: '1e'},
      {N: '01'},
      {N: 'secret'},
      {N: 1},
      {B: 'secret!'},
      {X: 'secret'},
      {S: 'secret', N: '1'},
      deep,
    ]

    for (const value of [
      ...bad,
      {toString: 'secret'},
      {BOOL: 'secret'},
      {NULL: false},
      {SS: 'secret'},
      {NS: [1]},
      {M: []},
      {L: {}},
    ])
      assert.throws(
        () => itemText({a: value}, 'typed'),
        (error) => error instanceof PoisonError && !/secret/.test(error.message) && /item\.a/.test(error.message),
        JSON.stringify(value),
      )
  })
})

describe('a change', () => {
  const texts = (record: StreamRecord, more = {}) =>
    messagesOf(record, {...settings, ...more}).map(({value}) => (value === null ? null : JSON.parse(String(value))))
  const [insert, modify, remove, , expired] = eventOf('golden').Records as [
    StreamRecord,
    StreamRecord,
    StreamRecord,
    StreamRecord,
    StreamRecord,
  ]

  it('is told with the item before and after, its key, its headers and its time', () => {
    const [message, ...others] = messagesOf(modify, settings)

    assert.deepEqual(others, [])
    assert.equal(String(message!.key), '{"id":{"S":"a"}}')
    assert.deepEqual([message!.topic, message!.timestamp], ['{{topic}}', 1_795_168_800_000])
    assert.deepEqual(message!.headers, {
      eventID: modify.eventID,
      SequenceNumber: modify.dynamodb.SequenceNumber,
      eventName: 'MODIFY',
      op: 'u',
    })
    const {before, after, op, source} = JSON.parse(String(message!.value))
    assert.deepEqual([before.total, after.total, op], [{N: '12.5'}, {N: '13'}, 'u'])
    assert.deepEqual([source.table, source.sequenceNumber], ['{{table}}', modify.dynamodb.SequenceNumber])
  })

  it('is an insert, or a delete with its tombstone', () => {
    assert.deepEqual(
      texts(insert).map(({op, before, after}) => [op, before, after.id]),
      [['c', null, {S: 'a'}]],
    )
    const [told, tombstone] = texts(remove)
    assert.deepEqual([told.op, told.before.id, told.after, tombstone], ['d', {S: 'a'}, null, null])
    assert.equal(texts(remove, {tombstone: false}).length, 1)
  })

  it('may be the item alone', () => {
    const plain = {envelope: false, format: 'plain'}

    assert.deepEqual(texts(modify, plain), [{id: 'a', tags: ['blue', 'red'], total: 13}])
    assert.deepEqual(texts(remove, plain), [null])
    assert.equal(String(messagesOf(modify, {...settings, format: 'plain'})[0]!.key), '{"id":"a"}')
  })

  it('says which deletes are those of TTL', () => {
    const ttl = (record: StreamRecord) => messagesOf(record, settings).map(({headers}) => headers!['ttl'])

    assert.deepEqual(
      [ttl(expired), ttl(remove)],
      [
        ['true', 'true'],
        [undefined, undefined],
      ],
    )
    assert.deepEqual([texts(expired)[0].source.ttl, texts(remove)[0].source.ttl], [true, false])
    assert.deepEqual(eventOf('hostile').Records.map(ttl).slice(-2), [
      ['true', 'true'],
      [undefined, undefined],
    ])
  })

  it('has one key for an item, and keeps what is hostile in it', () => {
    const told = eventOf('hostile').Records.flatMap((record) => messagesOf(record, settings))

    assert.deepEqual(
      [...new Set(told.map(({key}) => String(key)))],
      ['{"at":{"N":"12345678901234567890123456789012345678"},"id":{"S":"😀"}}'],
    )
    const {after, op} = JSON.parse(String(told[3]!.value))
    assert.deepEqual([op, after.toString, after.half], ['u', {S: '"},"op":"d'}, {S: '\ud83d'}])
    assert.deepEqual(Object.entries(after).find(([name]) => name === '__proto__')![1], {M: {constructor: {S: 'x'}}})
  })

  it('is left out on request when nothing has changed', () => {
    const same = eventOf('hostile').Records[4]!

    assert.deepEqual([texts(same).length, texts(same, {skipUnchanged: true}).length], [1, 0])
    assert.equal(texts(modify, {skipUnchanged: true}).length, 1)
  })

  it('blames the settings or the stream, not the record, for what they lack', () => {
    const {NewImage: _, ...keysOnly} = modify.dynamodb
    const elsewhere = {...modify, eventSourceARN: 'arn:aws:dynamodb:us-east-1:123456789012:table/toString/stream/x'}

    for (const record of [{...modify, dynamodb: keysOnly}, elsewhere, {...modify, eventName: 'constructor'}])
      assert.throws(
        () => messagesOf(record, settings),
        (error) => !(error instanceof PoisonError),
      )
    const {OldImage: __, ...newOnly} = modify.dynamodb
    assert.throws(() => texts({...modify, dynamodb: newOnly}), /NEW_AND_OLD_IMAGES/)
    assert.equal(texts({...modify, dynamodb: newOnly}, {envelope: false}).length, 1)
  })

  it('needs no image that there cannot be', () => {
    assert.deepEqual(
      changes(['a', {}], ['a', {}], ['a', undefined])
        .flatMap((record) => texts(record))
        .map((one) => one?.op ?? null),
      ['c', 'u', 'd', null],
    )
  })
})

describe('the settings', () => {
  const good = {SKK_BROKERS: '127.0.0.1:9098', TOPIC_MAP: '{"orders":"shop.orders"}'}

  it('tell everything unless told otherwise', () => {
    const {change, portionBytes} = readSettings(good)

    assert.deepEqual(change, {...settings, topics: {orders: 'shop.orders'}})
    assert.equal(portionBytes, 900_000)
  })

  it('name all mistakes at once', () => {
    const bad = {TOPIC_MAP: '{"a":"one","b":"one","c":"no topic"}', ENVELOPE: 'false', TOMBSTONE: 'false', FORMAT: 'xml'}

    assert.throws(() => readSettings(bad), /(?=.*SKK_BROKERS)(?=.*another topic)(?=.*names of topics)(?=.*TOMBSTONE)(?=.*FORMAT)/)
    assert.throws(() => readSettings({...good, TOPIC_MAP: ''}), /TOPIC_MAP/)
  })
})
