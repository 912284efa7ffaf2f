import {RemovalPolicy, type Stack, aws_sqs as sqs} from 'aws-cdk-lib'

/** A queue that outlives the stack, and keeps what nobody has read for two weeks. */
export function keptQueue(stack: Stack, id: string, props: sqs.CfnQueueProps): sqs.CfnQueue {
  const queue = new sqs.CfnQueue(stack, id, {messageRetentionPeriod: 1_209_600, sqsManagedSseEnabled: true, ...props})
  queue.applyRemovalPolicy(RemovalPolicy.RETAIN)
  return queue
}

export const IS_FIFO: boolean = '{{fifo}}' === ('true' as string)

/** The name of a queue that keeps an order ends in `.fifo`. */
export const named = (name: string): sqs.CfnQueueProps =>
  IS_FIFO ? {queueName: `${name}.fifo`, fifoQueue: true} : {queueName: name}
