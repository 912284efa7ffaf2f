import {
  CfnOutput,
  CfnParameter,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  RemovalPolicy,
  Stack,
  type aws_sqs as sqs,
} from 'aws-cdk-lib'
import * as assets from 'aws-cdk-lib/aws-s3-assets'
import type {Construct} from 'constructs'

import {type Alarm, alarmsOf} from './alarms.ts'
import {parameter} from './parameters.ts'
import {allow, document, type Statement} from './policy.ts'
import {source} from './source.ts'
import {target} from './target.ts'

const NAME = '{{name}}'

/** The cluster by its ARN, and the topic. */
export type Kafka = {cluster: string; topic: string}

/** What the function gets from one side of it: variables, and what it may do. */
type Side = {environment: Record<string, string>; needs: Statement[]}

export type Source = Side & {
  /** What can never be carried, with the reason. */
  deadLetters: sqs.CfnQueue
  /** What the pollers may do, in the function's name. */
  reads: Statement[]
  /** Absent where the mapping is made after the stack. */
  attach?(fn: lambda.CfnFunction, concurrency: number): void
  /** The alarm that something waits for too long. */
  waiting: Pick<Alarm, 'name' | 'alarmDescription' | 'namespace' | 'metricName' | 'dimension' | 'besides' | 'threshold'> & {
    id: string
  }
}

export type Target = Side & {vpcConfig: {subnetIds: string[]; securityGroupIds: string[]} | undefined}

/** Carries messages between a broker and Kafka. */
export class PatternStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: 'Carries messages between a broker and Kafka',
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
    const topic = parameter(this, 'Topic', 'Topic of Kafka', '{{topic}}')
    const concurrency = new CfnParameter(this, 'MaximumConcurrency', {
      description: 'Instances of the function at most',
      type: 'Number',
      minValue: 2,
      default: 10,
    }).valueAsNumber
    const kafka = {cluster, topic}
    const from = source(this, kafka)
    const to = target(this, kafka)

    const logGroup = new logs.CfnLogGroup(this, 'FunctionLogs', {logGroupName: `/aws/lambda/${NAME}`, retentionInDays: 30})
    logGroup.applyRemovalPolicy(RemovalPolicy.DESTROY)

    const role = new iam.CfnRole(this, 'FunctionRole', {
      assumeRolePolicyDocument: document([
        {Effect: 'Allow', Principal: {Service: 'lambda.amazonaws.com'}, Action: 'sts:AssumeRole'},
      ]),
      policies: [
        {
          policyName: 'function',
          policyDocument: document([
            allow('Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.attrArn),
            allow('DeadLetters', 'sqs:SendMessage', from.deadLetters.attrArn),
            ...from.needs,
            ...to.needs,
          ]),
        },
        {policyName: 'mapping', policyDocument: document([...from.reads, allow('Network', NETWORK, '*')])},
      ],
    })

    const code = new assets.Asset(this, 'Code', {path: '../dist'})
    const fn = new lambda.CfnFunction(this, 'Function', {
      functionName: NAME,
      description: 'Carries messages between a broker and Kafka',
      code: {s3Bucket: code.s3BucketName, s3Key: code.s3ObjectKey},
      handler: 'handler.handler',
      runtime: '{{runtime}}',
      architectures: ['arm64'],
      memorySize: 1024,
      timeout: 60,
      reservedConcurrentExecutions: concurrency,
      role: role.attrArn,
      loggingConfig: {logGroup: logGroup.ref, logFormat: 'JSON'},
      ...(to.vpcConfig && {vpcConfig: to.vpcConfig}),
      environment: {
        variables: {FORMAT: '{{format}}', DLQ_URL: from.deadLetters.ref, ...from.environment, ...to.environment},
      },
    })
    from.attach?.(fn, concurrency)

    this.alarms(fn.ref, from)
    new CfnOutput(this, 'FunctionName', {value: fn.ref})
    new CfnOutput(this, 'DeadLettersUrl', {value: from.deadLetters.ref})
  }

  private alarms(functionName: string, {deadLetters, waiting: {id, ...waiting}}: Source): void {
    const alarm = alarmsOf(this, NAME)
    const once = {period: 300, evaluationPeriods: 1}
    const lasting = {period: 300, evaluationPeriods: 3}
    const any = {threshold: 1, comparisonOperator: 'GreaterThanOrEqualToThreshold'}
    const above = (threshold: number) => ({threshold, comparisonOperator: 'GreaterThanThreshold'})
    const ofLambda = {namespace: 'AWS/Lambda', dimension: ['FunctionName', functionName] as [string, string]}
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
    alarm(id, {...waiting, statistic: 'Maximum', ...lasting, comparisonOperator: 'GreaterThanThreshold'})
    alarm('DeadLettersAlarm', {
      name: 'dead-letters',
      alarmDescription: 'Messages were put aside',
      namespace: 'AWS/SQS',
      metricName: 'ApproximateNumberOfMessagesVisible',
      dimension: ['QueueName', deadLetters.attrQueueName],
      statistic: 'Maximum',
      ...once,
      ...any,
    })
    alarm('PoisonAlarm', {
      name: 'poison',
      alarmDescription: 'Many messages are refused; more likely their sender or the target changed than all of them are wrong',
      namespace: 'KafkaFunctions',
      metricName: 'RecordsPoison',
      dimension: ['FunctionName', functionName],
      statistic: 'Sum',
      ...once,
      ...above(100),
    })
  }
}

/** Of the function in a VPC, and of pollers. EC2 has no narrower resource for these. */
const NETWORK = [
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSecurityGroups',
  'ec2:DescribeSubnets',
  'ec2:DescribeVpcs',
  // {{#to!=sqs}}
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
  // {{/to!=sqs}}
]
