import {CfnOutput, type Stack} from 'aws-cdk-lib'

import {allow} from './policy.ts'
import {keptQueue, named} from './queue.ts'
import type {Kafka, Target} from './stack.ts'

/** A queue. */
export function target(stack: Stack, _: Kafka): Target {
  const queue = keptQueue(stack, 'Queue', named('{{queue}}'))
  new CfnOutput(stack, 'QueueUrl', {value: queue.ref})
  return {environment: {QUEUE_URL: queue.ref}, needs: [allow('Queue', 'sqs:SendMessage', queue.attrArn)], vpcConfig: undefined}
}
