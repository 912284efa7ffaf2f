import {
  CfnOutput,
  CfnParameter,
  Fn,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  RemovalPolicy,
  Stack,
  // {{#auth!=none}}
  aws_secretsmanager as secrets,
  // {{/auth!=none}}
  aws_sqs as sqs,
} from 'aws-cdk-lib'
import * as assets from 'aws-cdk-lib/aws-s3-assets'
import type {Construct} from 'constructs'

import {above, alarmsOf, any, lasting, once} from './alarms.ts'

const NAME = '{{name}}'

/** Sends the records of a Kafka topic to an HTTP endpoint. */
export class PatternStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: 'Sends the records of a Kafka topic to an HTTP endpoint',
      // {{#region}}
      env: {region: '{{region}}'},
      // {{/region}}
    })
    const cluster = new CfnParameter(this, 'ClusterArn', {
      description: 'ARN of the MSK Serverless cluster, with its UUID',
      allowedPattern: 'arn:[a-z-]+:kafka:[a-z0-9-]+:\\d{12}:cluster/[\\w-]+/[\\w-]+',
      // {{#cluster-arn}}
      default: '{{cluster-arn}}',
      // {{/cluster-arn}}
    }).valueAsString
    const topic = this.parameter('Topic', 'Topic that is read', '{{topic}}')
    const endpoint = this.parameter('EndpointUrl', 'Address that records are sent to', '{{endpoint-url}}')
    const hosts = this.parameter('AllowedHosts', 'Hosts that the address may have, separated by commas', '{{endpoint-url.host}}')
    const concurrency = new CfnParameter(this, 'MaximumConcurrency', {
      description: 'Instances of the function at most, which is how many callers the endpoint sees',
      type: 'Number',
      minValue: 1,
      default: 10,
    })

    const logGroup = new logs.CfnLogGroup(this, 'FunctionLogs', {logGroupName: `/aws/lambda/${NAME}`, retentionInDays: 30})
    logGroup.applyRemovalPolicy(RemovalPolicy.DESTROY)

    // Records that the endpoint will never take, whole, with the reason.
    const deadLetters = new sqs.CfnQueue(this, 'DeadLetters', {
      queueName: `${NAME}-dead-letters`,
      messageRetentionPeriod: 1_209_600,
      sqsManagedSseEnabled: true,
    })
    deadLetters.applyRemovalPolicy(RemovalPolicy.RETAIN)

    // {{#auth!=none}}
    // Made with a random value: put yours in before the mapping is turned on.
    const secret = new secrets.CfnSecret(this, 'EndpointSecret', {
      name: `${NAME}-endpoint`,
      description: 'How the endpoint knows us',
      generateSecretString: {},
    })
    secret.applyRemovalPolicy(RemovalPolicy.RETAIN)

    // {{/auth!=none}}
    const role = new iam.CfnRole(this, 'FunctionRole', {
      assumeRolePolicyDocument: document([
        {Effect: 'Allow', Principal: {Service: 'lambda.amazonaws.com'}, Action: 'sts:AssumeRole'},
      ]),
      policies: [
        {
          policyName: 'function',
          policyDocument: document([
            allow('Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.attrArn),
            allow('DeadLetters', 'sqs:SendMessage', deadLetters.attrArn),
            // {{#auth!=none}}
            allow('EndpointSecret', 'secretsmanager:GetSecretValue', secret.ref),
            // {{/auth!=none}}
          ]),
        },
        {policyName: 'mapping', policyDocument: document(mappingStatements(cluster, topic))},
      ],
    })

    const code = new assets.Asset(this, 'Code', {path: '../dist'})
    const fn = new lambda.CfnFunction(this, 'Function', {
      functionName: NAME,
      description: 'Sends the records of a Kafka topic to an HTTP endpoint',
      code: {s3Bucket: code.s3BucketName, s3Key: code.s3ObjectKey},
      handler: 'handler.handler',
      runtime: '{{runtime}}',
      architectures: ['arm64'],
      memorySize: 1024,
      timeout: 60,
      reservedConcurrentExecutions: concurrency.valueAsNumber,
      role: role.attrArn,
      loggingConfig: {logGroup: logGroup.ref, logFormat: 'JSON'},
      environment: {
        variables: {
          ENDPOINT_URL: endpoint,
          ALLOWED_HOSTS: hosts,
          AUTH: '{{auth}}',
          // {{#auth!=none}}
          AUTH_SECRET_ID: secret.ref,
          // {{/auth!=none}}
          BODY: '{{body}}',
          ORDER: '{{order}}',
          DLQ_URL: deadLetters.ref,
          REPORT_FAILURES: '{{provisioned}}',
        },
      },
    })

    // {{#esm=native}}
    const mapping = new lambda.CfnEventSourceMapping(this, 'Mapping', {
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
    const enabled = new CfnParameter(this, 'MappingEnabled', {
      description: 'Whether the mapping calls the function',
      allowedValues: ['true', 'false'],
      default: 'true',
    })
    mapping.addPropertyOverride('Enabled', enabled.valueAsString)

    // {{/esm=native}}
    this.alarms(fn.ref, deadLetters.attrQueueName)
    new CfnOutput(this, 'FunctionName', {value: fn.ref})
    new CfnOutput(this, 'DeadLettersUrl', {value: deadLetters.ref})
  }

  private parameter(id: string, description: string, value: string): string {
    return new CfnParameter(this, id, {description, default: value}).valueAsString
  }

  private alarms(functionName: string, queueName: string): void {
    const alarm = alarmsOf(this, NAME)
    const ofLambda = {namespace: 'AWS/Lambda', dimension: ['FunctionName', functionName] as [string, string]}
    const own = {namespace: 'KafkaFunctions', dimension: ['FunctionName', functionName] as [string, string]}
    alarm('ErrorsAlarm', {
      name: 'errors',
      alarmDescription: 'Invocations fail as a whole',
      metricName: 'Errors',
      statistic: 'Sum',
      ...ofLambda,
      ...once,
      ...any,
    })
    alarm('ThrottlesAlarm', {
      name: 'throttles',
      alarmDescription: 'Invocations wait for a free instance',
      metricName: 'Throttles',
      statistic: 'Sum',
      ...ofLambda,
      ...lasting,
      ...any,
    })
    alarm('DurationAlarm', {
      name: 'duration',
      alarmDescription: 'The slowest batches take more than 80 % of the time that they have',
      metricName: 'Duration',
      extendedStatistic: 'p99',
      ...ofLambda,
      ...lasting,
      ...above(48_000),
    })
    alarm('LagAlarm', {
      name: 'lag',
      alarmDescription: 'Records wait; the endpoint is slow, or a record blocks its partition',
      metricName: 'OffsetLag',
      statistic: 'Maximum',
      ...ofLambda,
      ...lasting,
      ...above(10_000),
    })
    alarm('DeadLettersAlarm', {
      name: 'dead-letters',
      alarmDescription: 'Records were put aside',
      namespace: 'AWS/SQS',
      metricName: 'ApproximateNumberOfMessagesVisible',
      dimension: ['QueueName', queueName],
      statistic: 'Maximum',
      ...once,
      ...any,
    })
    alarm('BreakerAlarm', {
      name: 'breaker',
      alarmDescription: 'The endpoint failed so often in a row that it is left alone',
      metricName: 'BreakerOpen',
      statistic: 'Maximum',
      ...own,
      ...once,
      ...any,
    })
    alarm('PoisonAlarm', {
      name: 'poison',
      alarmDescription: 'The endpoint refuses many records; more likely it changed than all of them are wrong',
      metricName: 'RecordsPoison',
      statistic: 'Sum',
      ...own,
      ...once,
      ...above(100),
    })
  }
}

const document = (Statement: unknown[]) => ({Version: '2012-10-17', Statement})

const allow = (Sid: string, Action: string | string[], Resource: string) => ({Sid, Effect: 'Allow', Action, Resource})

/** What the pollers need in the function's name: to read one topic in one group of one cluster, and to reach it. */
function mappingStatements(cluster: string, topic: string) {
  const parts = Fn.split(':cluster/', cluster)
  const [topics, groups] = [Fn.join(':topic/', parts), Fn.join(':group/', parts)]
  return [
    allow('Cluster', ['kafka-cluster:Connect', 'kafka-cluster:DescribeClusterDynamicConfiguration'], cluster),
    allow('ReadTopic', ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'], `${topics}/${topic}`),
    allow('WriteWhatFailed', ['kafka-cluster:DescribeTopic', 'kafka-cluster:WriteData'], `${topics}/${topic}-failed`),
    allow('Group', ['kafka-cluster:DescribeGroup', 'kafka-cluster:AlterGroup'], `${groups}/${NAME}.${topic}`),
    allow('Brokers', ['kafka:DescribeCluster', 'kafka:DescribeClusterV2', 'kafka:GetBootstrapBrokers'], cluster),
    // EC2 has no narrower resource for these.
    allow(
      'Network',
      [
        'ec2:CreateNetworkInterface',
        'ec2:DeleteNetworkInterface',
        'ec2:DescribeNetworkInterfaces',
        'ec2:DescribeSecurityGroups',
        'ec2:DescribeSubnets',
        'ec2:DescribeVpcs',
      ],
      '*',
    ),
  ]
}
