import {describe, expect, it} from 'vitest'
import {estimateMonthlyCost, settableTopicConfigs, topicConfigRefusal} from '../../src/lib/limits.js'

const config = (name: string) => settableTopicConfigs.find((candidate) => candidate.name === name)!

describe('the settable topic configs', () => {
  it('are the seven of MSK Serverless, cleanup.policy only at creation', () => {
    expect(settableTopicConfigs.map(({name}) => name)).toHaveLength(7)
    expect(settableTopicConfigs.filter(({alterable}) => !alterable).map(({name}) => name)).toEqual(['cleanup.policy'])
  })

  it.each(settableTopicConfigs.map((each) => [each.name, each.default]))('%s takes its own default %s', (name, value) => {
    expect(config(name).invalid(value)).toBeUndefined()
  })

  it.each([
    ['retention.ms', '-1', undefined],
    ['retention.ms', '-2', 'Value must be at least -1'],
    ['retention.ms', 'a week', 'Not a number of type LONG'],
    ['retention.ms', '1e9', 'Not a number of type LONG'],
    ['retention.ms', '', 'Not a number of type LONG'],
    ['retention.bytes', '9223372036854775807', undefined],
    ['retention.bytes', '9223372036854775808', 'Value must be no more than 9223372036854775807'],
    ['max.message.bytes', '8388608', undefined],
    ['max.message.bytes', '8388609', 'Value must be no more than 8388608'],
    ['cleanup.policy', 'compact', undefined],
    ['cleanup.policy', 'Compact', 'String must be one of: compact, delete'],
    ['message.timestamp.type', 'LogAppendTime', undefined],
    ['compression.type', 'brotli', 'String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer'],
  ])('%s=%s: %s', (name, value, reason) => {
    expect(config(name).invalid(value)).toBe(reason)
  })

  it('are refused in the words of AWS', () => {
    expect(topicConfigRefusal('segment.bytes')).toBe(
      "Amazon MSK Serverless can't alter topic configuration segment.bytes. Only the following topic configurations are alterable: " +
        '[compression.type, max.message.bytes, message.timestamp.difference.max.ms, message.timestamp.type, retention.bytes, retention.ms]. ' +
        'For all topic configurations, MSK Serverless uses defaults that follow best practices.',
    )
  })
})

it('an idle cluster costs $547.50 a month, ten partitions $10.95 more', () => {
  expect(estimateMonthlyCost({partitions: 0})).toBeCloseTo(547.5)
  expect(estimateMonthlyCost({partitions: 10})).toBeCloseTo(547.5 + 10.95)
  expect(
    estimateMonthlyCost({partitions: 0, gigabytesInPerMonth: 100, gigabytesOutPerMonth: 200, storedGigabytes: 50}),
  ).toBeCloseTo(572.5)
})
