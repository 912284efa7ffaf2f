import {CfnParameter, type Stack, Token} from 'aws-cdk-lib'

import {network} from './network.ts'
import {needed, SECRET_ARN} from './parameters.ts'
import {allow} from './policy.ts'
import type {Kafka, Target} from './stack.ts'

/** An exchange of RabbitMQ. */
export function target(stack: Stack, _: Kafka): Target {
  const port = new CfnParameter(stack, 'BrokerPort', {
    description: 'Port of the broker, with TLS',
    type: 'Number',
    default: 5671,
  }).valueAsNumber
  const secret = needed(stack, 'BrokerSecretArn', 'ARN of the secret with username and password of the broker', SECRET_ARN)
  return {
    environment: {
      AMQP_HOST: needed(stack, 'BrokerHost', 'Host of the RabbitMQ broker'),
      AMQP_PORT: Token.asString(port),
      AMQP_VHOST: '{{vhost}}',
      AMQP_SECRET_ID: secret,
      EXCHANGE: '{{exchange}}',
      ROUTING_KEY: '{{queue}}',
      ROUTING_KEY_FROM: '{{routing-key-from}}',
    },
    needs: [allow('BrokerSecret', 'secretsmanager:GetSecretValue', secret)],
    vpcConfig: network(stack, 'Broker', port),
  }
}
