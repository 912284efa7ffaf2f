import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {describe, it} from 'node:test'

import {type AttemptOptions, attempt, RefusedError} from '../src/core/attempts.ts'
import {attributesOf, objectKeyOf, pointerTo} from '../src/core/letter.ts'
import {decode} from '../src/core/message.ts'
import {type KafkaEvent, type KafkaRecord, PoisonError} from '../src/lib/batch.ts'
import {deadLetter} from '../src/lib/dlq.ts'
import {readSettings} from '../src/settings.ts'

const recordsOf = (name: string): KafkaRecord[] =>
  Object.values((JSON.parse(readFileSync(`events/${name}.json`, 'utf8')) as KafkaEvent).records).flat()
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const [record] = recordsOf('golden') as [KafkaRecord]
const json = {format: 'json', required: []} as const

describe('a record', () => {
  it('is decoded: JSON, key, headers in order', () => {
    const {key, value, headers, ...place} = decode(record, json)

    assert.deepEqual(place, {topic: '{{topic}}', partition: 0, offset: 41, timestamp: 1795168800123})
    assert.deepEqual([String(key), value, headers], ['customer-1', {order: 1}, [['trace', Buffer.from('1')]]])
  })

  it('that is a tombstone has no value, whatever the format', () => {
    for (const format of ['json', 'bytes'] as const)
      assert.equal(decode({...record, value: null}, {format, required: ['id']}).value, null)
  })

  it('is poison when its value is not UTF-8, no JSON, or lacks a member', () => {
    const refused = (value: string, required: string[] = []) =>
      assert.throws(() => decode({...record, value}, {format: 'json', required}), PoisonError)

    refused('/wCA')
    refused('')
    refused(base64('{"order":'))
    refused(base64('[]'), ['id'])
    refused(base64('null'), ['id'])
    refused(base64('{"__proto__":{"id":1}}'), ['id'])
    assert.deepEqual(decode({...record, value: base64('{"id":null}')}, {format: 'json', required: ['id']}).value, {id: null})
  })

  it('is never poison when any bytes will do', () => {
    for (const hostile of recordsOf('hostile')) {
      const {value} = decode(hostile, {format: 'bytes', required: []})
      assert.deepEqual(value, hostile.value == null ? null : Buffer.from(hostile.value, 'base64'))
    }
  })

  it('is not quoted by the reason why it is refused', () => {
    assert.throws(
      () => decode({...record, value: base64('{"card":"4111"')}, json),
      ({message}: Error) => !/4111|card/.test(message),
    )
  })
})

describe('attempt', () => {
  const options = (given: Partial<AttemptOptions> = {}) => {
    const pauses: number[] = []
    const deadline = {remainingMs: () => 30_000, passed: () => false}
    const sleep = async (ms: number) => pauses.push(ms)
    return {pauses, options: {maxAttempts: 3, deadline, sleep, random: () => 1, ...given}}
  }
  const failing = (times: number, error: Error) => {
    let calls = 0
    return async () => {
      if (++calls <= times) throw error
    }
  }

  it('tries again with growing pauses until it succeeds', async () => {
    const {pauses, options: three} = options()

    assert.equal(await attempt(failing(2, new Error('busy')), three), 3)
    assert.deepEqual(pauses, [200, 400])
  })

  it('gives up after its attempts, to be called again', async () => {
    await assert.rejects(attempt(failing(9, new Error('busy')), options().options), /busy, after 3 attempts/)
  })

  it('does not wait past the deadline', async () => {
    const deadline = {remainingMs: () => 100, passed: () => false}

    await assert.rejects(attempt(failing(9, new Error('busy')), options({deadline}).options), /no time/)
  })

  it('does not try poison again, and tells at which attempt it was seen', async () => {
    let calls = 0
    const work = async () => {
      throw ++calls === 1 ? new Error('busy') : new PoisonError('bad')
    }

    await assert.rejects(attempt(work, options().options), (error) => error instanceof RefusedError && error.attempt === 2)
  })
})

describe('a dead letter', () => {
  it('has attributes that SQS takes, whatever the reason', () => {
    const attributes = attributesOf(record, new RefusedError(`\0\u{10FFFF}\n${'😀'.repeat(200)}`, 2))

    assert.deepEqual(
      {...attributes, 'skk.error': ''},
      {'skk.error': '', 'skk.topic': '{{topic}}', 'skk.partition': '0', 'skk.offset': '41', 'skk.attempt': '2'},
    )
    assert.match(attributes['skk.error']!, /^PoisonError: [\x20-\uFFFD]{100,243}$/)
    assert.ok(attributes['skk.error']!.isWellFormed())
  })

  it('that is too large is kept in one place, to which the rest points', () => {
    const letter = deadLetter(record, new Error('bad'))
    const key = objectKeyOf(letter)

    assert.equal(key, '{{topic}}/0/00000000000000000041.json')
    const {at, ...pointer} = pointerTo(letter, {bucket: 'b', key}) as Record<string, unknown>
    assert.deepEqual(pointer, {
      topic: '{{topic}}',
      partition: 0,
      offset: 41,
      timestamp: 1795168800123,
      timestampType: 'CREATE_TIME',
      error: {name: 'Error', message: 'bad'},
      function: 'local',
      stored: {bucket: 'b', key},
    })
  })
})

describe('the settings', () => {
  it('have defaults for everything', () => {
    const {format, required, order, maxAttempts} = readSettings({})

    assert.deepEqual([format, required, order, maxAttempts], ['json', [], 'partition', 3])
  })

  it('tell all that is wrong at once', () => {
    const bad = {FORMAT: 'bytes', REQUIRED: 'id', ORDER: 'any', MAX_ATTEMPTS: '0'}

    assert.throws(() => readSettings(bad), /(?=.*REQUIRED)(?=.*ORDER)(?=.*MAX_ATTEMPTS)/)
  })
})
