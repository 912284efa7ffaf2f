import {
  // {{#db-auth=iam}}
  Aws,
  // {{/db-auth=iam}}
  CfnOutput,
  CfnParameter,
  aws_ec2 as ec2,
  Fn,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  RemovalPolicy,
  Stack,
  aws_sqs as sqs,
  Token,
} from 'aws-cdk-lib'
import * as assets from 'aws-cdk-lib/aws-s3-assets'
import type {Construct} from 'constructs'

import {above, alarmsOf, any, lasting, once} from './alarms.ts'

const NAME = '{{name}}'

/** Writes the records of a Kafka topic into a PostgreSQL table. */
export class PatternStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: 'Writes the records of a Kafka topic into a PostgreSQL table',
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
    const database = this.database()
    const network = this.network(database.port)
    const concurrency = new CfnParameter(this, 'MaximumConcurrency', {
      description: 'Instances of the function at most, which is how many connections the database sees',
      type: 'Number',
      minValue: 1,
      default: 10,
    })

    const logGroup = new logs.CfnLogGroup(this, 'FunctionLogs', {logGroupName: `/aws/lambda/${NAME}`, retentionInDays: 30})
    logGroup.applyRemovalPolicy(RemovalPolicy.DESTROY)

    // Records that the table will never take, whole, with the reason.
    const deadLetters = new sqs.CfnQueue(this, 'DeadLetters', {
      queueName: `${NAME}-dead-letters`,
      messageRetentionPeriod: 1_209_600,
      sqsManagedSseEnabled: true,
    })
    deadLetters.applyRemovalPolicy(RemovalPolicy.RETAIN)

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
            // {{#db-auth=secret}}
            allow('DatabaseSecret', 'secretsmanager:GetSecretValue', database.secret),
            // {{/db-auth=secret}}
            // {{#db-auth=iam}}
            allow('Database', 'rds-db:connect', database.connect),
            // {{/db-auth=iam}}
          ]),
        },
        {policyName: 'mapping', policyDocument: document(mappingStatements(cluster, topic))},
      ],
    })

    const code = new assets.Asset(this, 'Code', {path: '../dist'})
    const fn = new lambda.CfnFunction(this, 'Function', {
      functionName: NAME,
      description: 'Writes the records of a Kafka topic into a PostgreSQL table',
      code: {s3Bucket: code.s3BucketName, s3Key: code.s3ObjectKey},
      handler: 'handler.handler',
      runtime: '{{runtime}}',
      architectures: ['arm64'],
      memorySize: 1024,
      timeout: 60,
      reservedConcurrentExecutions: concurrency.valueAsNumber,
      role: role.attrArn,
      loggingConfig: {logGroup: logGroup.ref, logFormat: 'JSON'},
      vpcConfig: {subnetIds: network.subnets, securityGroupIds: [network.securityGroup]},
      environment: {
        variables: {
          DB_HOST: database.host,
          DB_PORT: Token.asString(database.port),
          DB_NAME: database.name,
          DB_AUTH: '{{db-auth}}',
          // {{#db-auth=secret}}
          DB_SECRET_ID: database.secret,
          // {{/db-auth=secret}}
          // {{#db-auth=iam}}
          DB_USER: database.user,
          // {{/db-auth=iam}}
          // The certificates of RDS, which Node does not know by itself.
          NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
          TABLE_FORMAT: '{{table}}',
          INSERT_MODE: '{{insert-mode}}',
          PK_MODE: '{{pk-mode}}',
          PK_FIELDS: '{{pk-fields}}',
          DELETE_ENABLED: '{{delete}}',
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
      batchSize: 3000,
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
    new ec2.CfnSecurityGroupIngress(this, 'DatabaseIngress', {
      description: NAME,
      groupId: network.databaseSecurityGroup,
      sourceSecurityGroupId: network.securityGroup,
      ipProtocol: 'tcp',
      fromPort: database.port,
      toPort: database.port,
    })
    this.alarms(fn.ref, deadLetters.attrQueueName)
    new CfnOutput(this, 'FunctionName', {value: fn.ref})
    new CfnOutput(this, 'DeadLettersUrl', {value: deadLetters.ref})
  }

  private parameter(id: string, description: string, value: string): string {
    return new CfnParameter(this, id, {description, default: value}).valueAsString
  }

  private database() {
    const needed = (id: string, description: string, allowedPattern?: string) =>
      new CfnParameter(this, id, {description, ...(allowedPattern && {allowedPattern})}).valueAsString
    // {{#db-auth=iam}}
    const user = this.parameter('DatabaseUser', 'User of the database, who has the role rds_iam', '{{db-user}}')
    const id = needed(
      'DatabaseResourceId',
      'Resource id of the instance, cluster or proxy, for rds-db:connect',
      '(db|cluster|prx)-[\\w-]+',
    )
    // {{/db-auth=iam}}
    return {
      host: needed('DatabaseHost', 'Host of the database, or of its RDS proxy'),
      port: new CfnParameter(this, 'DatabasePort', {description: 'Port of the database', type: 'Number', default: 5432})
        .valueAsNumber,
      name: this.parameter('DatabaseName', 'Database that the table is in', '{{db-name}}'),
      // {{#db-auth=secret}}
      secret: needed(
        'DatabaseSecretArn',
        'ARN of the secret with username and password, as RDS makes it',
        'arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\\d{12}:secret:.+',
      ),
      // {{/db-auth=secret}}
      // {{#db-auth=iam}}
      user,
      connect: `arn:${Aws.PARTITION}:rds-db:${Aws.REGION}:${Aws.ACCOUNT_ID}:dbuser:${id}/${user}`,
      // {{/db-auth=iam}}
    }
  }

  private network(databasePort: number) {
    const given = (id: string, type: string, description: string, value = '') =>
      new CfnParameter(this, id, {description, type, ...(value !== '' && {default: value})})
    const vpcId = given('VpcId', 'AWS::EC2::VPC::Id', 'VPC of the function').valueAsString
    const subnets = given(
      'Subnets',
      'List<AWS::EC2::Subnet::Id>',
      'Subnets of the function, from which the database can be reached',
      '{{subnets}}',
    ).valueAsList
    const databaseSecurityGroup = given(
      'DatabaseSecurityGroup',
      'AWS::EC2::SecurityGroup::Id',
      'Security group of the database, which then lets the function in',
    ).valueAsString
    const tcp = (port: number) => ({ipProtocol: 'tcp', fromPort: port, toPort: port})
    const own = new ec2.CfnSecurityGroup(this, 'FunctionSecurityGroup', {
      groupDescription: `${NAME}: to the database and the queue`,
      vpcId,
      securityGroupEgress: [
        {description: 'database', ...tcp(databasePort), destinationSecurityGroupId: databaseSecurityGroup},
        {description: 'services of AWS', ...tcp(443), cidrIp: '0.0.0.0/0'},
      ],
    })
    return {subnets, securityGroup: own.attrGroupId, databaseSecurityGroup}
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
      alarmDescription: 'Records wait; the database is slow, or refuses a whole batch',
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
    alarm('DatabaseAlarm', {
      name: 'database',
      alarmDescription: 'Transactions fail for another reason than their rows',
      metricName: 'DatabaseFailures',
      statistic: 'Sum',
      ...own,
      ...lasting,
      ...any,
    })
    alarm('PoisonAlarm', {
      name: 'poison',
      alarmDescription: 'The table refuses many records; more likely it changed than all of them are wrong',
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

/** What the pollers need in the function's name: to read one topic in one group of one cluster. Both reach a network. */
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
        'ec2:AssignPrivateIpAddresses',
        'ec2:UnassignPrivateIpAddresses',
      ],
      '*',
    ),
  ]
}
