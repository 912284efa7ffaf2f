import {
  // {{#mode!=invoke}}
  // {{#db-auth=iam}}
  Aws,
  // {{/db-auth=iam}}
  // {{/mode!=invoke}}
  CfnOutput,
  CfnParameter,
  aws_ec2 as ec2,
  Fn,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  RemovalPolicy,
  Stack,
  // {{#mode!=invoke}}
  aws_scheduler as scheduler,
  // {{/mode!=invoke}}
  // {{#mode=invoke}}
  aws_sqs as sqs,
  // {{/mode=invoke}}
  // {{#mode!=invoke}}
  Token,
  // {{/mode!=invoke}}
} from 'aws-cdk-lib'
import * as assets from 'aws-cdk-lib/aws-s3-assets'
import type {Construct} from 'constructs'

import {above, alarmsOf, any, lasting, once} from './alarms.ts'

const NAME = '{{name}}'
const MODE: string = '{{mode}}'

/** Sends the changes of a PostgreSQL database to Kafka. */
export class PatternStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: 'Sends the changes of a PostgreSQL database to Kafka',
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
    const brokers = this.needed('BootstrapBrokers', 'Addresses of the brokers for IAM, host:9098, separated by commas')
    // {{#mode!=outbox}}
    const topic = this.parameter('Topic', 'Topic that is written', '{{topic}}')
    // {{/mode!=outbox}}
    // {{#mode!=invoke}}
    const database = this.database()
    // {{/mode!=invoke}}
    const network = this.network(
      // {{#mode!=invoke}}
      database.port,
      // {{/mode!=invoke}}
    )
    const concurrency = new CfnParameter(this, 'MaximumConcurrency', {
      description: 'Instances of the function at most',
      type: 'Number',
      minValue: 1,
      default: MODE === 'invoke' ? 10 : 1,
    })

    const logGroup = new logs.CfnLogGroup(this, 'FunctionLogs', {logGroupName: `/aws/lambda/${NAME}`, retentionInDays: 30})
    logGroup.applyRemovalPolicy(RemovalPolicy.DESTROY)

    // {{#mode=invoke}}
    // A change that was called out and could not be published, after two repetitions.
    const deadLetters = new sqs.CfnQueue(this, 'DeadLetters', {
      queueName: `${NAME}-dead-letters`,
      messageRetentionPeriod: 1_209_600,
      sqsManagedSseEnabled: true,
    })
    deadLetters.applyRemovalPolicy(RemovalPolicy.RETAIN)

    // {{/mode=invoke}}
    const role = new iam.CfnRole(this, 'FunctionRole', {
      assumeRolePolicyDocument: document([
        {Effect: 'Allow', Principal: {Service: 'lambda.amazonaws.com'}, Action: 'sts:AssumeRole'},
      ]),
      policies: [
        {
          policyName: 'function',
          policyDocument: document([
            allow('Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.attrArn),
            // {{#mode=invoke}}
            allow('DeadLetters', 'sqs:SendMessage', deadLetters.attrArn),
            // {{/mode=invoke}}
            // {{#mode!=invoke}}
            // {{#db-auth=secret}}
            allow('DatabaseSecret', 'secretsmanager:GetSecretValue', database.secret),
            // {{/db-auth=secret}}
            // {{#db-auth=iam}}
            allow('Database', 'rds-db:connect', database.connect),
            // {{/db-auth=iam}}
            // {{/mode!=invoke}}
            // EC2 has no narrower resource for these.
            allow(
              'Network',
              [
                'ec2:CreateNetworkInterface',
                'ec2:DeleteNetworkInterface',
                'ec2:DescribeNetworkInterfaces',
                'ec2:DescribeSubnets',
                'ec2:AssignPrivateIpAddresses',
                'ec2:UnassignPrivateIpAddresses',
              ],
              '*',
            ),
          ]),
        },
        {
          policyName: 'producer',
          policyDocument: document([
            allow('Cluster', 'kafka-cluster:Connect', cluster),
            // {{#mode=outbox}}
            allow('WriteTopics', WRITE, `${Fn.join(':topic/', Fn.split(':cluster/', cluster))}/outbox.event.*`),
            // {{/mode=outbox}}
            // {{#mode!=outbox}}
            allow('WriteTopic', WRITE, `${Fn.join(':topic/', Fn.split(':cluster/', cluster))}/${topic}`),
            // {{/mode!=outbox}}
          ]),
        },
      ],
    })

    const code = new assets.Asset(this, 'Code', {path: '../dist'})
    const fn = new lambda.CfnFunction(this, 'Function', {
      functionName: NAME,
      description: 'Sends the changes of a PostgreSQL database to Kafka',
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
          SKK_BROKERS: brokers,
          MODE,
          // {{#mode!=invoke}}
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
          // {{/mode!=invoke}}
          // {{#mode=outbox}}
          AGGREGATES: '{{aggregates}}',
          ORDER: '{{order}}',
          // {{/mode=outbox}}
          // {{#mode=query}}
          QUERY_TABLE: '{{table}}',
          // {{/mode=query}}
          // {{#mode!=outbox}}
          TOPIC: topic,
          KEY_COLUMN: '{{key-column}}',
          // {{/mode!=outbox}}
        },
      },
    })

    const ingress = (id: string, groupId: string, port: number) =>
      new ec2.CfnSecurityGroupIngress(this, id, {
        description: NAME,
        groupId,
        sourceSecurityGroupId: network.securityGroup,
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
      })
    ingress('ClusterIngress', network.clusterSecurityGroup, 9098)
    // {{#mode!=invoke}}
    ingress('DatabaseIngress', network.databaseSecurityGroup, database.port)
    this.schedule(fn)
    // {{/mode!=invoke}}
    new lambda.CfnEventInvokeConfig(this, 'Calls', {
      functionName: fn.ref,
      qualifier: '$LATEST',
      // After a schedule the next minute's call is the repetition.
      maximumRetryAttempts: MODE === 'invoke' ? 2 : 0,
      maximumEventAgeInSeconds: MODE === 'invoke' ? 21_600 : 60,
      // {{#mode=invoke}}
      destinationConfig: {onFailure: {destination: deadLetters.attrArn}},
      // {{/mode=invoke}}
    })
    this.alarms({
      functionName: fn.ref,
      // {{#mode=invoke}}
      queueName: deadLetters.attrQueueName,
      // {{/mode=invoke}}
    })
    new CfnOutput(this, 'FunctionName', {value: fn.ref})
  }

  private needed(id: string, description: string, allowedPattern?: string): string {
    return new CfnParameter(this, id, {description, ...(allowedPattern && {allowedPattern})}).valueAsString
  }

  private parameter(id: string, description: string, value: string): string {
    return new CfnParameter(this, id, {description, default: value}).valueAsString
  }

  // {{#mode!=invoke}}
  private database() {
    // {{#db-auth=iam}}
    const user = this.parameter('DatabaseUser', 'User of the database, who has the role rds_iam', '{{db-user}}')
    const id = this.needed(
      'DatabaseResourceId',
      'Resource id of the instance, cluster or proxy, for rds-db:connect',
      '(db|cluster|prx)-[\\w-]+',
    )
    // {{/db-auth=iam}}
    return {
      host: this.needed('DatabaseHost', 'Host of the database, or of its RDS proxy'),
      port: new CfnParameter(this, 'DatabasePort', {description: 'Port of the database', type: 'Number', default: 5432})
        .valueAsNumber,
      name: this.parameter('DatabaseName', 'Database that the table is in', '{{db-name}}'),
      // {{#db-auth=secret}}
      secret: this.needed(
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

  /** Each minute, once: what a call leaves the next one finds. */
  private schedule(fn: lambda.CfnFunction): void {
    const role = new iam.CfnRole(this, 'ScheduleRole', {
      assumeRolePolicyDocument: document([
        {Effect: 'Allow', Principal: {Service: 'scheduler.amazonaws.com'}, Action: 'sts:AssumeRole'},
      ]),
      policies: [{policyName: 'call', policyDocument: document([allow('Function', 'lambda:InvokeFunction', fn.attrArn)])}],
    })
    const enabled = new CfnParameter(this, 'ScheduleEnabled', {
      description: 'Whether the function is called',
      allowedValues: ['ENABLED', 'DISABLED'],
      default: 'ENABLED',
    })
    new scheduler.CfnSchedule(this, 'Schedule', {
      name: NAME,
      scheduleExpression: 'rate(1 minute)',
      state: enabled.valueAsString,
      flexibleTimeWindow: {mode: 'OFF'},
      target: {arn: fn.attrArn, roleArn: role.attrArn, retryPolicy: {maximumRetryAttempts: 0}},
    })
  }
  // {{/mode!=invoke}}

  private network(
    // {{#mode!=invoke}}
    databasePort: number,
    // {{/mode!=invoke}}
  ) {
    const given = (id: string, type: string, description: string, value = '') =>
      new CfnParameter(this, id, {description, type, ...(value !== '' && {default: value})})
    const group = 'AWS::EC2::SecurityGroup::Id'
    const vpcId = given('VpcId', 'AWS::EC2::VPC::Id', 'VPC of the function').valueAsString
    const what = MODE === 'invoke' ? 'the cluster' : 'the cluster and the database'
    const reached = `Subnets of the function, from which ${what} can be reached`
    const subnets = given('Subnets', 'List<AWS::EC2::Subnet::Id>', reached, '{{subnets}}').valueAsList
    const clusterSecurityGroup = given(
      'ClusterSecurityGroup',
      group,
      'Security group of the cluster, which then lets the function in',
      '{{security-group}}',
    ).valueAsString
    // {{#mode!=invoke}}
    const databaseSecurityGroup = given(
      'DatabaseSecurityGroup',
      group,
      'Security group of the database, which then lets the function in',
    ).valueAsString
    // {{/mode!=invoke}}
    const tcp = (port: number) => ({ipProtocol: 'tcp', fromPort: port, toPort: port})
    const own = new ec2.CfnSecurityGroup(this, 'FunctionSecurityGroup', {
      groupDescription: `${NAME}: to the brokers${MODE === 'invoke' ? ', and nowhere else' : ' and the database'}`,
      vpcId,
      securityGroupEgress: [
        {description: 'brokers', ...tcp(9098), destinationSecurityGroupId: clusterSecurityGroup},
        // {{#mode!=invoke}}
        {description: 'database', ...tcp(databasePort), destinationSecurityGroupId: databaseSecurityGroup},
        // {{#db-auth=secret}}
        {description: 'Secrets Manager', ...tcp(443), cidrIp: '0.0.0.0/0'},
        // {{/db-auth=secret}}
        // {{/mode!=invoke}}
      ],
    })
    return {
      subnets,
      securityGroup: own.attrGroupId,
      clusterSecurityGroup,
      // {{#mode!=invoke}}
      databaseSecurityGroup,
      // {{/mode!=invoke}}
    }
  }

  private alarms(of: {functionName: string; queueName?: string}): void {
    const alarm = alarmsOf(this, NAME)
    const ofLambda = {namespace: 'AWS/Lambda', dimension: ['FunctionName', of.functionName] as [string, string]}
    // {{#mode!=invoke}}
    const own = {namespace: 'KafkaFunctions', dimension: ['FunctionName', of.functionName] as [string, string]}
    // {{/mode!=invoke}}
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
      alarmDescription: 'The slowest calls take more than 80 % of the time that they have',
      metricName: 'Duration',
      extendedStatistic: 'p99',
      ...ofLambda,
      ...lasting,
      ...above(48_000),
    })
    // {{#mode!=invoke}}
    alarm('MissedAlarm', {
      name: 'missed',
      alarmDescription: 'The schedule has not called for a quarter of an hour',
      metricName: 'Invocations',
      statistic: 'Sum',
      ...ofLambda,
      ...once,
      period: 900,
      threshold: 1,
      comparisonOperator: 'LessThanThreshold',
      treatMissingData: 'breaching',
    })
    alarm('DeadAlarm', {
      name: 'dead',
      alarmDescription: 'Rows were put aside, because they can never be published',
      metricName: 'RecordsPoison',
      statistic: 'Sum',
      ...own,
      ...once,
      ...any,
    })
    // {{/mode!=invoke}}
    // {{#mode=outbox}}
    alarm('AgeAlarm', {
      name: 'age',
      alarmDescription: 'A row of the outbox waits for more than ten minutes',
      metricName: 'OldestUnpublishedMs',
      statistic: 'Maximum',
      ...own,
      ...lasting,
      ...above(600_000),
    })
    alarm('BacklogAlarm', {
      name: 'backlog',
      alarmDescription: 'Rows are written faster than they are published, or none is',
      metricName: 'Backlog',
      statistic: 'Maximum',
      ...own,
      ...lasting,
      ...above(10_000),
    })
    // {{/mode=outbox}}
    // {{#mode=invoke}}
    alarm('DeadLettersAlarm', {
      name: 'dead-letters',
      alarmDescription: 'Changes were not published',
      namespace: 'AWS/SQS',
      metricName: 'ApproximateNumberOfMessagesVisible',
      dimension: ['QueueName', of.queueName!],
      statistic: 'Maximum',
      ...once,
      ...any,
    })
    // {{/mode=invoke}}
  }
}

const WRITE = ['kafka-cluster:DescribeTopic', 'kafka-cluster:WriteData']

const document = (Statement: unknown[]) => ({Version: '2012-10-17', Statement})

const allow = (Sid: string, Action: string | string[], Resource: string) => ({Sid, Effect: 'Allow', Action, Resource})
