import {Fn, aws_lambda as lambda, type Stack} from 'aws-cdk-lib'

import {largeMessages} from './large-messages.ts'
import {mappingEnabled, needed, SECRET_ARN} from './parameters.ts'
import {allow} from './policy.ts'
import {keptQueue} from './queue.ts'
import type {Kafka, Source} from './stack.ts'

const BROKER_ARN = 'arn:[a-z-]+:mq:[a-z0-9-]+:\\d{12}:broker:.+'

/** A queue of RabbitMQ, and the mapping that reads it. */
export function source(stack: Stack, _: Kafka): Source {
  const broker = needed(stack, 'BrokerArn', 'ARN of the RabbitMQ broker of Amazon MQ', BROKER_ARN)
  const secret = needed(stack, 'BrokerSecretArn', 'ARN of the secret with username and password of the broker', SECRET_ARN)
  const bucket = largeMessages(stack)
  return {
    deadLetters: keptQueue(stack, 'DeadLetters', {queueName: '{{name}}-dead-letters'}),
    reads: [allow('Broker', 'mq:DescribeBroker', broker), allow('BrokerSecret', 'secretsmanager:GetSecretValue', secret)],
    environment: {LARGE_BUCKET: bucket.ref},
    needs: [allow('LargeMessages', 's3:PutObject', `${bucket.attrArn}/*`)],
    attach(fn) {
      const mapping = new lambda.CfnEventSourceMapping(stack, 'Mapping', {
        functionName: fn.ref,
        eventSourceArn: broker,
        queues: ['{{queue}}'],
        batchSize: 100,
        maximumBatchingWindowInSeconds: 1,
        sourceAccessConfigurations: [
          {type: 'BASIC_AUTH', uri: secret},
          {type: 'VIRTUAL_HOST', uri: '{{vhost}}'},
        ],
      })
      mapping.addPropertyOverride('Enabled', mappingEnabled(stack))
    },
    waiting: {
      id: 'DepthAlarm',
      name: 'depth',
      alarmDescription: 'Messages wait in the queue; the function fails, or is too slow',
      namespace: 'AWS/AmazonMQ',
      metricName: 'MessageCount',
      // The seventh part of the ARN is the name.
      dimension: ['Broker', Fn.select(6, Fn.split(':', broker))],
      besides: [
        ['VirtualHost', '{{vhost}}'],
        ['Queue', '{{queue}}'],
      ],
      threshold: 10_000,
    },
  }
}
