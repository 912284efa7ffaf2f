import {CfnOutput, aws_lambda as lambda, type Stack} from 'aws-cdk-lib'

import {mappingEnabled} from './parameters.ts'
import {allow} from './policy.ts'
import {IS_FIFO, keptQueue, named} from './queue.ts'
import type {Kafka, Source} from './stack.ts'

const READ = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility']

/** A queue, and the mapping that reads it. */
export function source(stack: Stack, _: Kafka): Source {
  const deadLetters = keptQueue(stack, 'DeadLetters', named('{{name}}-dead-letters'))
  // Messages stay hidden for six times as long as the function may run, as Lambda asks for.
  const queue = keptQueue(stack, 'Queue', {
    ...named('{{queue}}'),
    visibilityTimeout: 360,
    redrivePolicy: {deadLetterTargetArn: deadLetters.attrArn, maxReceiveCount: 5},
  })
  new CfnOutput(stack, 'QueueUrl', {value: queue.ref})
  return {
    deadLetters,
    reads: [allow('Queue', READ, queue.attrArn)],
    environment: {},
    needs: [],
    attach(fn, concurrency) {
      const mapping = new lambda.CfnEventSourceMapping(stack, 'Mapping', {
        functionName: fn.ref,
        eventSourceArn: queue.attrArn,
        // A queue that keeps an order has small batches, and no window.
        ...(IS_FIFO ? {batchSize: 10} : {batchSize: 100, maximumBatchingWindowInSeconds: 1}),
        // Without it pollers read more than the function may take, and messages go to the dead letters for that alone.
        scalingConfig: {maximumConcurrency: concurrency},
        functionResponseTypes: ['ReportBatchItemFailures'],
      })
      mapping.addPropertyOverride('Enabled', mappingEnabled(stack))
    },
    waiting: {
      id: 'AgeAlarm',
      name: 'age',
      alarmDescription: 'A message waits for more than ten minutes',
      namespace: 'AWS/SQS',
      metricName: 'ApproximateAgeOfOldestMessage',
      dimension: ['QueueName', queue.attrQueueName],
      threshold: 600,
    },
  }
}
