import {
  CfnCondition,
  CfnOutput,
  CfnParameter,
  aws_ec2 as ec2,
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

import {above, alarmsOf, any, lasting, once} from './alarms.ts'

const NAME = '{{name}}'
const BROKER_PORT = 9098

/** Sends the changes of a DynamoDB table to Kafka. */
export class PatternStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: 'Sends the changes of a DynamoDB table to Kafka',
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
    const brokers = new CfnParameter(this, 'BootstrapBrokers', {
      description: 'Addresses of the brokers for IAM, host:9098, separated by commas',
    }).valueAsString
    const topic = new CfnParameter(this, 'Topic', {description: 'Topic that is written', default: '{{topic}}'}).valueAsString
    const stream = new CfnParameter(this, 'StreamArn', {
      description: "ARN of the table's stream, which has NEW_AND_OLD_IMAGES",
      allowedPattern: 'arn:[a-z-]+:dynamodb:[a-z0-9-]+:\\d{12}:table/[\\w.-]+/stream/.+',
    }).valueAsString
    const concurrency = new CfnParameter(this, 'MaximumConcurrency', {
      description: 'Instances of the function at most; each has a connection to each broker',
      type: 'Number',
      minValue: 1,
      default: 20,
    })
    const {subnets, clusterGroup, functionGroup} = this.network()

    const logGroup = new logs.CfnLogGroup(this, 'FunctionLogs', {logGroupName: `/aws/lambda/${NAME}`, retentionInDays: 30})
    logGroup.applyRemovalPolicy(RemovalPolicy.DESTROY)

    // Changes that no topic takes, and batches that the mapping gave up: whole, with the reason.
    const deadLetters = new s3.CfnBucket(this, 'DeadLetters', {
      publicAccessBlockConfiguration: {
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      bucketEncryption: {serverSideEncryptionConfiguration: [{serverSideEncryptionByDefault: {sseAlgorithm: 'AES256'}}]},
      lifecycleConfiguration: {rules: [{id: 'expire', status: 'Enabled', expirationInDays: 30}]},
    })
    deadLetters.applyRemovalPolicy(RemovalPolicy.RETAIN)

    const topics = Fn.join(':topic/', Fn.split(':cluster/', cluster))
    const role = new iam.CfnRole(this, 'FunctionRole', {
      assumeRolePolicyDocument: document([
        {Effect: 'Allow', Principal: {Service: 'lambda.amazonaws.com'}, Action: 'sts:AssumeRole'},
      ]),
      policies: [
        {
          policyName: 'function',
          policyDocument: document([
            allow('Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.attrArn),
            allow('Cluster', 'kafka-cluster:Connect', cluster),
            allow('WriteTopic', ['kafka-cluster:DescribeTopic', 'kafka-cluster:WriteData'], `${topics}/${topic}`),
            allow('PutAside', 's3:PutObject', `${deadLetters.attrArn}/*`),
            allow('Network', NETWORK_ACTIONS, '*'),
          ]),
        },
        {policyName: 'mapping', policyDocument: document(mappingStatements(stream, deadLetters.attrArn))},
      ],
    })

    const code = new assets.Asset(this, 'Code', {path: '../dist'})
    const fn = new lambda.CfnFunction(this, 'Function', {
      functionName: NAME,
      description: 'Sends the changes of a DynamoDB table to Kafka',
      code: {s3Bucket: code.s3BucketName, s3Key: code.s3ObjectKey},
      handler: 'handler.handler',
      runtime: '{{runtime}}',
      architectures: ['arm64'],
      memorySize: 1024,
      timeout: 60,
      reservedConcurrentExecutions: concurrency.valueAsNumber,
      role: role.attrArn,
      vpcConfig: {subnetIds: subnets, securityGroupIds: [functionGroup.attrGroupId]},
      loggingConfig: {logGroup: logGroup.ref, logFormat: 'JSON'},
      environment: {
        variables: {
          SKK_BROKERS: brokers,
          TOPIC_MAP: Fn.join('', ['{"', Fn.select(1, Fn.split('/', stream)), '":"', topic, '"}']),
          FORMAT: '{{format}}',
          ENVELOPE: '{{envelope}}',
          TOMBSTONE: '{{tombstone}}',
          DEAD_LETTERS_BUCKET: deadLetters.ref,
        },
      },
    })
    const mapping = this.mapping(fn.ref, stream, deadLetters.attrArn)
    this.openCluster(clusterGroup, functionGroup.attrGroupId)
    this.alarms(fn.ref, mapping.ref)
    new CfnOutput(this, 'FunctionName', {value: fn.ref})
    new CfnOutput(this, 'DeadLettersBucket', {value: deadLetters.ref})
  }

  private mapping(functionName: string, stream: string, destination: string): lambda.CfnEventSourceMapping {
    const number = (id: string, description: string, [minValue, maxValue]: [number, number], value: number) =>
      new CfnParameter(this, id, {description, type: 'Number', minValue, maxValue, default: value}).valueAsNumber
    const mapping = new lambda.CfnEventSourceMapping(this, 'Mapping', {
      functionName,
      eventSourceArn: stream,
      startingPosition: 'TRIM_HORIZON',
      batchSize: 100,
      maximumBatchingWindowInSeconds: 1,
      parallelizationFactor: number(
        'ParallelizationFactor',
        'Batches of a shard that are worked on at once; the order of each item stays',
        [1, 10],
        1,
      ),
      maximumRetryAttempts: number(
        'MaximumRetryAttempts',
        'How often a batch comes again, or -1 for as long as it is young enough',
        [-1, 10_000],
        -1,
      ),
      // An hour before the stream has it no longer.
      maximumRecordAgeInSeconds: 82_800,
      bisectBatchOnFunctionError: true,
      functionResponseTypes: ['ReportBatchItemFailures'],
      destinationConfig: {onFailure: {destination}},
      metricsConfig: {metrics: ['EventCount']},
    })
    const enabled = new CfnParameter(this, 'MappingEnabled', {
      description: 'Whether the mapping calls the function',
      allowedValues: ['true', 'false'],
      default: 'true',
    })
    mapping.addPropertyOverride('Enabled', enabled.valueAsString)
    const pattern = new CfnParameter(this, 'FilterPattern', {
      description: 'Filter of the mapping as JSON, or none',
      default: 'none',
    })
    const filtered = new CfnCondition(this, 'HasFilter', {expression: Fn.conditionNot(Fn.conditionEquals(pattern, 'none'))})
    const criteria = {Filters: [{Pattern: pattern.valueAsString}]}
    mapping.addPropertyOverride('FilterCriteria', {'Fn::If': [filtered.logicalId, criteria, {Ref: 'AWS::NoValue'}]})
    return mapping
  }

  private network() {
    const vpc = new CfnParameter(this, 'VpcId', {description: 'VPC of the cluster', type: 'AWS::EC2::VPC::Id'}).valueAsString
    const subnets = new CfnParameter(this, 'Subnets', {
      description: 'Subnets of the function, from which the cluster can be reached',
      type: 'List<AWS::EC2::Subnet::Id>',
      // {{#subnets}}
      default: '{{subnets}}',
      // {{/subnets}}
    }).valueAsList
    const clusterGroup = new CfnParameter(this, 'ClusterSecurityGroup', {
      description: 'Security group of the cluster, which then lets the function in',
      type: 'AWS::EC2::SecurityGroup::Id',
      // {{#security-group}}
      default: '{{security-group}}',
      // {{/security-group}}
    }).valueAsString
    const tcp = (port: number) => ({ipProtocol: 'tcp', fromPort: port, toPort: port})
    const functionGroup = new ec2.CfnSecurityGroup(this, 'FunctionSecurityGroup', {
      groupDescription: `${NAME}: to the brokers and S3, and nowhere else`,
      vpcId: vpc,
      securityGroupEgress: [
        {description: 'brokers', ...tcp(BROKER_PORT), destinationSecurityGroupId: clusterGroup},
        {description: 'S3', ...tcp(443), cidrIp: '0.0.0.0/0'},
      ],
    })
    return {subnets, clusterGroup, functionGroup}
  }

  private openCluster(groupId: string, sourceSecurityGroupId: string): void {
    new ec2.CfnSecurityGroupIngress(this, 'ClusterIngress', {
      description: NAME,
      groupId,
      ipProtocol: 'tcp',
      fromPort: BROKER_PORT,
      toPort: BROKER_PORT,
      sourceSecurityGroupId,
    })
  }

  private alarms(functionName: string, mappingId: string): void {
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
    alarm('RetriedAlarm', {
      name: 'retried',
      alarmDescription: 'Changes are not stored and come again and again',
      metricName: 'RecordsRetried',
      statistic: 'Sum',
      ...own,
      ...lasting,
      ...any,
    })
    alarm('LateAlarm', {
      name: 'late',
      alarmDescription: 'A change waits for more than an hour',
      metricName: 'IteratorAge',
      statistic: 'Maximum',
      ...ofLambda,
      ...once,
      ...above(3_600_000),
    })
    alarm('LossAlarm', {
      name: 'loss',
      alarmDescription: 'A change waits for more than twelve hours; after a day the stream has it no longer',
      metricName: 'IteratorAge',
      statistic: 'Maximum',
      ...ofLambda,
      ...once,
      ...above(43_200_000),
    })
    alarm('PoisonAlarm', {
      name: 'poison',
      alarmDescription: 'Changes were put aside, because no topic takes them',
      metricName: 'RecordsPoison',
      statistic: 'Sum',
      ...own,
      ...once,
      ...any,
    })
    alarm('GivenUpAlarm', {
      name: 'given-up',
      alarmDescription: 'The mapping gave changes up and put them into the bucket',
      namespace: 'AWS/Lambda',
      dimension: ['EventSourceMappingUUID', mappingId],
      metricName: 'OnFailureDestinationDeliveredEventCount',
      statistic: 'Sum',
      ...once,
      ...any,
    })
  }
}

/** EC2 has no narrower resource for these. */
const NETWORK_ACTIONS = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
]

const document = (Statement: unknown[]) => ({Version: '2012-10-17', Statement})

const allow = (Sid: string, Action: string | string[], Resource: string) => ({Sid, Effect: 'Allow', Action, Resource})

/** What the mapping needs in the function's name: to read the stream, and to keep what it gives up. */
const mappingStatements = (stream: string, bucket: string) => [
  allow('ReadStream', ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'], stream),
  allow('ListStreams', 'dynamodb:ListStreams', `${Fn.select(0, Fn.split('/stream/', stream))}/stream/*`),
  allow('KeepWhatFailed', 's3:ListBucket', bucket),
]
