import {describe, expect, it} from 'vitest'

import {readTopicsManifest} from '../../../../src/lib/kafka/topics/manifest.js'

const read = (yaml: string, serverless = true) => readTopicsManifest(yaml, 'topics.yaml', {serverless})

describe('a manifest of topics', () => {
  it('has names, partitions and configuration as text, with all digits of large numbers', async () => {
    const manifest = await read(`
prefix: shop.
topics:
  - {name: shop.orders, partitions: 4, config: {retention.ms: 86400000, cleanup.policy: compact}}
  - {name: shop.prices, config: {message.timestamp.difference.max.ms: 9223372036854775807, retention.bytes: null}}
  - name: shop.bare
`)

    expect(manifest).toEqual({
      prefix: 'shop.',
      topics: [
        {name: 'shop.orders', partitions: 4, config: {'retention.ms': '86400000', 'cleanup.policy': 'compact'}},
        {name: 'shop.prices', config: {'message.timestamp.difference.max.ms': '9223372036854775807', 'retention.bytes': null}},
        {name: 'shop.bare', config: {}},
      ],
    })
  })

  it.each([
    ['topics: [{name: a, partition: 3}]', 'unknown key "partition" of topic 1 in "topics.yaml"', 'partitions'],
    ['topic: []', 'unknown key "topic" of "topics.yaml"', 'topics'],
    ['topics: [{partitions: 1}]', 'topic 1 in "topics.yaml" has no name', 'Write it'],
    ['topics: [{name: a/b}]', 'name of topic 1', ''],
    ['topics: [{name: __consumer_offsets}]', 'internal to Kafka', ''],
    [
      'topics: [{name: a, partitions: 0}]',
      'partitions of topic 1 in "topics.yaml" must be a whole number of at least 1, not 0',
      '',
    ],
    ['topics: [{name: a, partitions: 1.5}]', 'partitions of topic 1', ''],
    ['topics: [{name: a, partitions: "3"}]', 'partitions of topic 1', ''],
    ['topics: [{name: a, config: {retention.ms: [1]}}]', 'retention.ms of topic 1', ''],
    ['topics: [{name: a}, {name: a}]', 'has topic "a" twice', ''],
    ['topics: [{name: a.b}, {name: a_b}]', 'differ only in "." and "_"', ''],
    ['{prefix: x., topics: [{name: y.a}]}', 'topic "y.a" does not begin with the file\'s prefix "x."', ''],
    ['{prefix: "", topics: []}', 'prefix of "topics.yaml"', ''],
    ['topics: {', 'is not YAML', ''],
    ['[]', 'must have "topics"', ''],
    ['topics: [{name: a, config: {segment.bytes: 1}}]', "can't alter topic configuration segment.bytes", ''],
    ['topics: [{name: a, config: {retention.ms: soon}}]', '"soon" is no value for "retention.ms"', ''],
  ])('%s is refused with its place', async (yaml, message, hint) => {
    await expect(read(yaml)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    })
  })

  it('outside Serverless has whatever the brokers know', async () => {
    const {topics} = await read('topics: [{name: a, config: {segment.bytes: 1}}]', false)

    expect(topics[0]!.config).toEqual({'segment.bytes': '1'})
  })

  it('may be empty', async () => expect(await read('')).toEqual({topics: []}))
})
