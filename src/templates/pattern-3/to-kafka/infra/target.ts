import {Fn, type Stack} from 'aws-cdk-lib'

import {network} from './network.ts'
import {needed} from './parameters.ts'
import {allow} from './policy.ts'
import type {Kafka, Target} from './stack.ts'

/** A topic, which the function writes itself. */
export function target(stack: Stack, {cluster, topic}: Kafka): Target {
  const write = ['kafka-cluster:DescribeTopic', 'kafka-cluster:WriteData']
  return {
    environment: {
      SKK_BROKERS: needed(stack, 'BootstrapBrokers', 'Brokers of the cluster, as host:port, separated by commas'),
      TOPIC: topic,
      KEY_FROM: '{{key-from}}',
    },
    needs: [
      allow('Cluster', 'kafka-cluster:Connect', cluster),
      allow('WriteTopic', write, `${Fn.join(':topic/', Fn.split(':cluster/', cluster))}/${topic}`),
    ],
    vpcConfig: network(stack, 'Cluster', 9098),
  }
}
