import {
  Fn,
  // {{#esm=native}}
  aws_lambda as lambda,
  // {{/esm=native}}
  type Stack,
} from 'aws-cdk-lib'

import {largeMessages} from './large-messages.ts'
// {{#esm=native}}
import {mappingEnabled} from './parameters.ts'
// {{/esm=native}}
import {allow} from './policy.ts'
import {keptQueue} from './queue.ts'
import type {Kafka, Source} from './stack.ts'

const NAME = '{{name}}'

/** A topic, and the mapping that reads it. */
export function source(stack: Stack, {cluster, topic}: Kafka): Source {
  const bucket = largeMessages(stack)
  return {
    deadLetters: keptQueue(stack, 'DeadLetters', {queueName: `${NAME}-dead-letters`}),
    reads: readStatements(cluster, topic),
    environment: {LARGE_BUCKET: bucket.ref, REPORT_FAILURES: '{{provisioned}}'},
    needs: [allow('LargeMessages', 's3:PutObject', `${bucket.attrArn}/*`)],
    // {{#esm=native}}
    attach(fn) {
      const mapping = new lambda.CfnEventSourceMapping(stack, 'Mapping', {
        functionName: fn.ref,
        eventSourceArn: cluster,
        topics: [topic],
        amazonManagedKafkaEventSourceConfig: {consumerGroupId: `${NAME}.${topic}`},
        startingPosition: 'TRIM_HORIZON',
        batchSize: 100,
        maximumBatchingWindowInSeconds: 1,
        destinationConfig: {onFailure: {destination: `kafka://${topic}-failed`}},
        // {{#provisioned=true}}
        provisionedPollerConfig: {minimumPollers: 1, maximumPollers: 2},
        maximumRetryAttempts: 5,
        maximumRecordAgeInSeconds: 86_400,
        bisectBatchOnFunctionError: true,
        functionResponseTypes: ['ReportBatchItemFailures'],
        // {{/provisioned=true}}
        metricsConfig: {metrics: ['EventCount', 'ErrorCount', 'KafkaMetrics']},
      })
      mapping.addPropertyOverride('Enabled', mappingEnabled(stack))
    },
    // {{/esm=native}}
    waiting: {
      id: 'LagAlarm',
      name: 'lag',
      alarmDescription: 'Records wait; the target is slow, or a record blocks its partition',
      namespace: 'AWS/Lambda',
      metricName: 'OffsetLag',
      dimension: ['FunctionName', NAME],
      threshold: 10_000,
    },
  }
}

/** What the pollers need in the function's name: to read one topic in one group of one cluster. */
function readStatements(cluster: string, topic: string) {
  const parts = Fn.split(':cluster/', cluster)
  const [topics, groups] = [Fn.join(':topic/', parts), Fn.join(':group/', parts)]
  return [
    allow('Cluster', ['kafka-cluster:Connect', 'kafka-cluster:DescribeClusterDynamicConfiguration'], cluster),
    allow('ReadTopic', ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'], `${topics}/${topic}`),
    allow('WriteWhatFailed', ['kafka-cluster:DescribeTopic', 'kafka-cluster:WriteData'], `${topics}/${topic}-failed`),
    allow('Group', ['kafka-cluster:DescribeGroup', 'kafka-cluster:AlterGroup'], `${groups}/${NAME}.${topic}`),
    allow('Brokers', ['kafka:DescribeCluster', 'kafka:DescribeClusterV2', 'kafka:GetBootstrapBrokers'], cluster),
  ]
}
