import {
  CfnOutput,
  CfnParameter,
  // {{#delivery=exactly-once}}
  aws_dynamodb as dynamodb,
  // {{/delivery=exactly-once}}
  Fn,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  RemovalPolicy,
  Stack,
  aws_s3 as s3,
} from 'aws-cdk-lib'
import * as assets from 'aws-cdk-lib/aws-s3-assets'
import type {Construct} from 'constructs'

import {alarmsOf} from './alarms.ts'

const NAME = '{{name}}'

/** Keeps a Kafka topic as files on S3. */
export class PatternStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: 'Keeps a Kafka topic as files on S3',
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
    const concurrency = new CfnParameter(this, 'MaximumConcurrency', {
      description: 'Instances of the function at most',
      type: 'Number',
      minValue: 1,
      default: 10,
    })

    const logGroup = new logs.CfnLogGroup(this, 'FunctionLogs', {logGroupName: `/aws/lambda/${NAME}`, retentionInDays: 30})
    logGroup.applyRemovalPolicy(RemovalPolicy.DESTROY)

    const files = new s3.CfnBucket(this, 'Files', {
      publicAccessBlockConfiguration: {
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      bucketEncryption: {
        serverSideEncryptionConfiguration: [{serverSideEncryptionByDefault: {sseAlgorithm: 'aws:kms'}, bucketKeyEnabled: true}],
      },
      lifecycleConfiguration: {rules: [{id: 'errors', status: 'Enabled', prefix: 'errors/', expirationInDays: 90}]},
    })
    files.applyRemovalPolicy(RemovalPolicy.RETAIN)

    // {{#delivery=exactly-once}}
    // How far each partition was written. Without it everything would be written again.
    const watermarks = new dynamodb.CfnTable(this, 'Watermarks', {
      billingMode: 'PAY_PER_REQUEST',
      attributeDefinitions: [{attributeName: 'id', attributeType: 'S'}],
      keySchema: [{attributeName: 'id', keyType: 'HASH'}],
      pointInTimeRecoverySpecification: {pointInTimeRecoveryEnabled: true},
    })
    watermarks.applyRemovalPolicy(RemovalPolicy.RETAIN)

    // {{/delivery=exactly-once}}
    const role = new iam.CfnRole(this, 'FunctionRole', {
      assumeRolePolicyDocument: document([
        {Effect: 'Allow', Principal: {Service: 'lambda.amazonaws.com'}, Action: 'sts:AssumeRole'},
      ]),
      policies: [
        {
          policyName: 'function',
          policyDocument: document([
            allow('Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.attrArn),
            // {{#delivery=at-least-once}}
            allow('Files', 's3:PutObject', [`${files.attrArn}/topics/*`, `${files.attrArn}/errors/*`]),
            // {{/delivery=at-least-once}}
            // {{#delivery=exactly-once}}
            allow('Files', ['s3:PutObject', 's3:DeleteObject'], [`${files.attrArn}/topics/*`, `${files.attrArn}/errors/*`]),
            allow('Watermarks', ['dynamodb:GetItem', 'dynamodb:UpdateItem'], watermarks.attrArn),
            // {{/delivery=exactly-once}}
          ]),
        },
        {policyName: 'mapping', policyDocument: document(mappingStatements(cluster, topic))},
      ],
    })

    const code = new assets.Asset(this, 'Code', {path: '../dist'})
    const fn = new lambda.CfnFunction(this, 'Function', {
      functionName: NAME,
      description: 'Keeps a Kafka topic as files on S3',
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
          BUCKET: files.ref,
          PREFIX: 'topics',
          FORMAT: '{{format}}',
          COMPRESSION: '{{compression}}',
          VALUE: '{{value}}',
          TIME_ZONE: '{{time-zone}}',
          DELIVERY: '{{delivery}}',
          // {{#delivery=exactly-once}}
          WATERMARK_TABLE: watermarks.ref,
          // {{/delivery=exactly-once}}
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
      batchSize: 10_000,
      maximumBatchingWindowInSeconds: 60,
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
    this.alarms(fn.ref)
    new CfnOutput(this, 'FunctionName', {value: fn.ref})
    new CfnOutput(this, 'FilesBucket', {value: files.ref})
    // {{#delivery=exactly-once}}
    new CfnOutput(this, 'WatermarksTable', {value: watermarks.ref})
    // {{/delivery=exactly-once}}
  }

  private parameter(id: string, description: string, value: string): string {
    return new CfnParameter(this, id, {description, default: value}).valueAsString
  }

  private alarms(functionName: string): void {
    const alarm = alarmsOf(this, NAME)
    const once = {period: 300, evaluationPeriods: 1}
    const lasting = {period: 300, evaluationPeriods: 3}
    const any = {threshold: 1, comparisonOperator: 'GreaterThanOrEqualToThreshold'}
    const above = (threshold: number) => ({threshold, comparisonOperator: 'GreaterThanThreshold'})
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
      alarmDescription: 'Records wait; the bucket refuses files, or there are more records than the function can write',
      metricName: 'OffsetLag',
      statistic: 'Maximum',
      ...ofLambda,
      ...lasting,
      ...above(100_000),
    })
    alarm('FreshnessAlarm', {
      name: 'freshness',
      alarmDescription: 'The oldest record of a batch waited for a quarter of an hour',
      metricName: 'BatchLagMs',
      statistic: 'Maximum',
      ...own,
      ...lasting,
      ...above(900_000),
    })
    alarm('SmallFilesAlarm', {
      name: 'small-files',
      alarmDescription: 'Many files are small, which makes reading them slow; gather longer batches',
      metricName: 'SmallFiles',
      statistic: 'Sum',
      ...own,
      ...lasting,
      period: 3600,
      ...above(1000),
    })
    alarm('PoisonAlarm', {
      name: 'poison',
      alarmDescription:
        'Records could not be placed and are under errors; more likely a producer or a setting changed than all of them are wrong',
      metricName: 'RecordsPoison',
      statistic: 'Sum',
      ...own,
      ...once,
      ...any,
    })
  }
}

const document = (Statement: unknown[]) => ({Version: '2012-10-17', Statement})

const allow = (Sid: string, Action: string | string[], Resource: string | string[]) => ({Sid, Effect: 'Allow', Action, Resource})

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
