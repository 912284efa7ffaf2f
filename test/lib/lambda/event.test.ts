import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {EventSize, encodedSize, kafkaEvent, PAYLOAD_LIMIT_BYTES, type SourceRecord} from '../../../src/lib/lambda/event.js'
import {record} from './mapping-world.js'

const seed = Number(process.env['SKK_SEED'] ?? Date.now() % 2 ** 31)

const source = {
  topic: 'mytopic',
  eventSourceArn: 'arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2priv-2pub/751d2973-a626-431c-9d4e-d7975eb44dd7-2',
  bootstrapServers: 'b-2.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092',
}

describe('the event', () => {
  it('has the shape of the sample in with-msk.html', () => {
    const sample = record(0, 15, {
      timestamp: 1545084650987,
      // The sample's own key is no base64 that an encoder would write.
      key: Buffer.from('key'),
      value: Buffer.from('Hello, this is a test.'),
      headers: [{key: Buffer.from('headerKey'), value: Buffer.from('headerValue')}],
    })

    expect(JSON.stringify(kafkaEvent(source, [sample]))).toBe(
      JSON.stringify({
        eventSource: 'aws:kafka',
        eventSourceArn: source.eventSourceArn,
        bootstrapServers: source.bootstrapServers,
        records: {
          'mytopic-0': [
            {
              topic: 'mytopic',
              partition: 0,
              offset: 15,
              timestamp: 1545084650987,
              timestampType: 'CREATE_TIME',
              key: 'a2V5',
              value: 'SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==',
              headers: [{headerKey: [104, 101, 97, 100, 101, 114, 86, 97, 108, 117, 101]}],
            },
          ],
        },
      }),
    )
  })

  it('groups mixed partitions and keeps the order of each', () => {
    const {records} = kafkaEvent(source, [record(1, 7), record(0, 3), record(1, 8), record(0, 4)])
    const offsets = Object.entries(records).map(([name, list]) => [name, list.map(({offset}) => offset)])

    expect(offsets).toEqual([
      ['mytopic-1', [7, 8]],
      ['mytopic-0', [3, 4]],
    ])
  })

  it('lacks the key and the value that a record has not', () => {
    const [tombstone] = kafkaEvent(source, [record(0, 0, {key: null, value: null})]).records['mytopic-0']!

    expect(tombstone).not.toHaveProperty('key')
    expect(tombstone).not.toHaveProperty('value')
    expect(tombstone!.headers).toEqual([])
  })

  it('tells an empty key and value from missing ones', () => {
    const [empty] = kafkaEvent(source, [record(0, 0, {key: Buffer.alloc(0), value: Buffer.alloc(0)})]).records['mytopic-0']!

    expect(empty).toMatchObject({key: '', value: ''})
  })

  it('keeps the order and the duplicates of headers, whatever their names', () => {
    const headers = ['b', 'a', 'b', '__proto__'].map((key, index) => ({key: Buffer.from(key), value: Buffer.from([index, 255])}))
    const [sent] = kafkaEvent(source, [record(0, 0, {headers})]).records['mytopic-0']!

    expect(JSON.stringify(sent!.headers)).toBe('[{"b":[0,255]},{"a":[1,255]},{"b":[2,255]},{"__proto__":[3,255]}]')
  })

  it('says which clock set the timestamp', () => {
    const [sent] = kafkaEvent(source, [record(0, 0, {timestampType: 'LOG_APPEND_TIME'})]).records['mytopic-0']!

    expect(sent!.timestampType).toBe('LOG_APPEND_TIME')
  })
})

describe('the size of an event', () => {
  const bytes = (maxLength: number) => fc.uint8Array({maxLength}).map((array) => Buffer.from(array))
  const anyRecord: fc.Arbitrary<SourceRecord> = fc.record({
    partition: fc.nat({max: 12}),
    offset: fc.nat({max: 2 ** 31 - 1}),
    timestamp: fc.integer({min: -1, max: 4_000_000_000_000}),
    timestampType: fc.constantFrom('CREATE_TIME', 'LOG_APPEND_TIME'),
    key: fc.option(bytes(9)),
    value: fc.option(bytes(40)),
    headers: fc.array(
      fc.record({
        key: fc.oneof(
          fc.string({unit: 'binary'}).map((name) => Buffer.from(name)),
          bytes(5),
        ),
        value: fc.option(bytes(9)),
      }),
      {maxLength: 3},
    ),
  })

  it(`is that of its JSON, at every step (seed ${seed})`, () => {
    fc.assert(
      fc.property(fc.array(anyRecord, {maxLength: 8}), (records) => {
        const size = new EventSize(source)
        for (const [index, next] of records.entries()) {
          const predicted = size.with(next.partition, encodedSize(source.topic, next))
          size.add(next.partition, encodedSize(source.topic, next))
          const actual = Buffer.byteLength(JSON.stringify(kafkaEvent(source, records.slice(0, index + 1))))
          expect([predicted, size.bytes]).toEqual([actual, actual])
        }
      }),
      {seed},
    )
  })

  it('of the payload limit is the 6 MB of Lambda’s quota', () => {
    expect(PAYLOAD_LIMIT_BYTES).toBe(6_291_456)
  })
})
