import {describe, expect, it} from 'vitest'

import {SkkError} from '../../../src/lib/errors.js'
import {BrokerError, type Subject} from '../../../src/lib/kafka/broker-error.js'
import {explain, type Named, topicNotFound} from '../../../src/lib/kafka/errors.js'

const ARN = 'arn:aws:kafka:us-east-1:123456789012:cluster/shop/0a1b-s1'
const target: Named = {
  describe: 'prod',
  auth: 'iam',
  tls: true,
  region: 'us-east-1',
  clusterArn: ARN,
  accessKeyId: () => 'READER',
}

const explained = (code: number, subject: Subject, text: string | null = null): SkkError =>
  explain(new BrokerError(code, subject, text), target) as SkkError

describe('a denial', () => {
  it.each([
    [29, {api: 'Produce', topic: 'orders'}, 'WriteData', 'topic/shop/0a1b-s1/orders'],
    [29, {api: 'Fetch', topic: 'orders'}, 'ReadData', 'topic/shop/0a1b-s1/orders'],
    [29, {api: 'Metadata', topic: 'orders'}, 'DescribeTopic', 'topic/shop/0a1b-s1/orders'],
    [29, {api: 'ListOffsets', topic: 'orders'}, 'DescribeTopic', 'topic/shop/0a1b-s1/orders'],
    [29, {api: 'CreateTopics', topic: 'orders'}, 'CreateTopic', 'topic/shop/0a1b-s1/orders'],
    [29, {api: 'DeleteTopics', topic: 'orders'}, 'DeleteTopic', 'topic/shop/0a1b-s1/orders'],
    [29, {api: 'CreatePartitions', topic: 'orders'}, 'AlterTopic', 'topic/shop/0a1b-s1/orders'],
    [29, {api: 'DescribeConfigs', topic: 'orders'}, 'DescribeTopicDynamicConfiguration', 'topic/shop/0a1b-s1/orders'],
    [29, {api: 'IncrementalAlterConfigs', topic: 'orders'}, 'AlterTopicDynamicConfiguration', 'topic/shop/0a1b-s1/orders'],
    [30, {api: 'JoinGroup', group: 'app'}, 'AlterGroup', 'group/shop/0a1b-s1/app'],
    [30, {api: 'OffsetFetch', group: 'app'}, 'DescribeGroup', 'group/shop/0a1b-s1/app'],
    [31, {api: 'InitProducerId'}, 'WriteDataIdempotently', 'cluster/shop/0a1b-s1'],
  ])('with code %i names who may not do what on which resource: %o', (code, subject, action, resource) => {
    const failure = explained(code, subject)

    expect(failure).toMatchObject({code: 'ACCESS_DENIED', exitCode: 4})
    expect(failure.message).toBe(
      `access key "READER" may not do kafka-cluster:${action} on arn:aws:kafka:us-east-1:123456789012:${resource}`,
    )
  })

  it('has stars for what is not known of a cluster that is only an address', () => {
    const {clusterArn: _, ...unknown} = target

    const failure = explain(new BrokerError(29, {api: 'Produce', topic: 'orders'}), unknown) as SkkError

    expect(failure.message).toContain('arn:aws:kafka:us-east-1:*:topic/*/*/orders')
  })
})

describe('a refused login', () => {
  it('names the access key, and what may be wrong', () => {
    const failure = explained(58, {api: 'SaslAuthenticate'}, 'Access denied')

    expect(failure.message).toBe('"prod" refused access key "READER": Access denied')
    expect(failure).toMatchObject({exitCode: 4, hint: expect.stringContaining('kafka-cluster:Connect')})
  })

  it('before the credentials were found speaks of them without a name', () => {
    const failure = explain(new BrokerError(58, {api: ''}), {...target, accessKeyId: () => undefined}) as SkkError

    expect(failure.message).toBe('"prod" refused the credentials for "prod"')
  })

  it.each([
    [33, 'does not offer login with IAM (OAUTHBEARER)'],
    [34, 'takes no login on this port'],
  ])('with code %i is another kind of login, which is no matter of keys', (code, message) => {
    expect(explained(code, {api: 'SaslHandshake'})).toMatchObject({
      code: 'AUTHENTICATION_MISMATCH',
      exitCode: 4,
      message: `"prod" ${message}`,
      hint: expect.stringContaining('`--auth none`'),
    })
  })
})

describe('an answer', () => {
  it.each([
    [3, {topic: 'orders'}, 'TOPIC_NOT_FOUND', 3],
    [17, {topic: 'a b'}, 'INVALID_TOPIC', 2],
    [36, {topic: 'orders'}, 'TOPIC_ALREADY_EXISTS', 6],
    [40, {topic: 'orders'}, 'INVALID_CONFIG', 2],
    [44, {topic: 'orders'}, 'POLICY_VIOLATION', 2],
    [7, {topic: 'orders'}, 'REQUEST_TIMED_OUT', 5],
    [58, {}, 'AUTHENTICATION_FAILED', 4],
    [89, {topic: 'orders'}, 'THROTTLED', 5],
    [-1, {}, 'UNKNOWN_SERVER_ERROR', 5],
    [999, {}, 'ERROR_999', 5],
  ])('with error code %i about %o is %s, exit %i', (code, about, name, exitCode) => {
    expect(explained(code, {api: 'CreateTopics', ...about})).toMatchObject({code: name, exitCode})
  })

  it('keeps what the broker says, as a lowercase sentence', () => {
    const failure = explained(40, {api: 'CreateTopics', topic: 'orders'}, 'Unknown topic config name: colour.')

    expect(failure.message).toBe('topic "orders": unknown topic config name: colour')
  })

  it('of kafkajs means the same, however deep it is wrapped', () => {
    const inner = Object.assign(new Error('This server does not host this topic-partition'), {
      name: 'KafkaJSProtocolError',
      type: 'X',
      code: 36,
    })
    const outer = Object.assign(new Error('retries exceeded', {cause: inner}), {name: 'KafkaJSNumberOfRetriesExceeded'})

    expect(explain(outer, target)).toMatchObject({code: 'TOPIC_ALREADY_EXISTS', exitCode: 6})
  })
})

describe('an error of our own', () => {
  it('is found again inside those of kafkajs', () => {
    const ours = new SkkError('no', {code: 'OURS', exit: 'usage'})

    expect(explain(new Error('retries exceeded', {cause: ours}), target)).toBe(ours)
  })

  it('stays what it is when it is a bug', () => {
    const bug = new TypeError('undefined is not a function')

    expect(explain(bug, target)).toBe(bug)
  })
})

describe('a topic that does not exist', () => {
  it('comes with the nearest name', () => {
    expect(topicNotFound('ordrs', ['audit', 'orders']).hint).toBe('Did you mean "orders"? See all with `skk topics list`.')
  })

  it('or with the command that creates it', () => {
    expect(topicNotFound('shipments', ['audit']).hint).toContain('`skk topics create shipments`')
  })
})
