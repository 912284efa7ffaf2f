import {
  CfnOutput,
  CfnParameter,
  aws_ec2 as ec2,
  Fn,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  RemovalPolicy,
  Stack,
  // {{#access=api-key}}
  aws_secretsmanager as secrets,
  // {{/access=api-key}}
} from 'aws-cdk-lib'
import * as assets from 'aws-cdk-lib/aws-s3-assets'
import type {Construct} from 'constructs'

import {above, alarmsOf, any, lasting, once} from './alarms.ts'
import {
  // {{#front=function-url}}
  functionUrl,
  // {{/front=function-url}}
  // {{#front=http-api}}
  httpApi,
  // {{/front=http-api}}
} from './front.ts'

const NAME = '{{name}}'
const BROKER_PORT = 9098

/** Stores HTTP requests in Kafka topics. */
export class PatternStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: 'Stores HTTP requests in Kafka topics',
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
    const topic = new CfnParameter(this, 'Topic', {description: 'Topic that is written', default: '{{topic}}'}).valueAsString
    const brokers = new CfnParameter(this, 'BootstrapBrokers', {
      description: 'Addresses of the brokers for IAM, host:9098, separated by commas',
    }).valueAsString
    const concurrency = new CfnParameter(this, 'MaximumConcurrency', {
      description: 'Instances of the function at most; each has a connection to each broker',
      type: 'Number',
      minValue: 1,
      default: 50,
    })
    const {subnets, clusterGroup, functionGroup} = this.network()
    // {{#access=api-key}}
    // Made with a random key; several, separated by blanks, are all good.
    const apiKey = new secrets.CfnSecret(this, 'ApiKey', {
      name: `${NAME}-api-key`,
      description: 'What callers send as x-api-key',
      generateSecretString: {passwordLength: 40, excludePunctuation: true},
    })
    apiKey.applyRemovalPolicy(RemovalPolicy.RETAIN)
    // {{/access=api-key}}

    const logGroup = new logs.CfnLogGroup(this, 'FunctionLogs', {logGroupName: `/aws/lambda/${NAME}`, retentionInDays: 30})
    logGroup.applyRemovalPolicy(RemovalPolicy.DESTROY)
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
            // {{#access=api-key}}
            allow('ApiKey', 'secretsmanager:GetSecretValue', apiKey.ref),
            // {{/access=api-key}}
            allow('Network', NETWORK_ACTIONS, '*'),
          ]),
        },
      ],
    })

    const code = new assets.Asset(this, 'Code', {path: '../dist'})
    const fn = new lambda.CfnFunction(this, 'Function', {
      functionName: NAME,
      description: 'Stores HTTP requests in Kafka topics',
      code: {s3Bucket: code.s3BucketName, s3Key: code.s3ObjectKey},
      handler: 'handler.handler',
      runtime: '{{runtime}}',
      architectures: ['arm64'],
      memorySize: 1024,
      timeout: 20,
      reservedConcurrentExecutions: concurrency.valueAsNumber,
      role: role.attrArn,
      vpcConfig: {subnetIds: subnets, securityGroupIds: [functionGroup.attrGroupId]},
      loggingConfig: {logGroup: logGroup.ref, logFormat: 'JSON'},
      environment: {
        variables: {
          SKK_BROKERS: brokers,
          SKK_AUTH: 'iam',
          TOPICS: topic,
          CLUSTER_ID: Fn.select(2, Fn.split('/', cluster)),
          ACCESS: '{{access}}',
          // {{#access=api-key}}
          API_KEY_SECRET_ID: apiKey.ref,
          // {{/access=api-key}}
        },
      },
    })
    this.openCluster(clusterGroup, functionGroup.attrGroupId)
    const alarm = alarmsOf(this, NAME)
    this.alarms(alarm, fn.ref)
    // {{#front=http-api}}
    const api = httpApi(this, fn)
    this.apiAlarms(alarm, api.ref)
    new CfnOutput(this, 'Address', {value: api.attrApiEndpoint})
    // {{/front=http-api}}
    // {{#front=function-url}}
    this.urlAlarms(alarm, fn.ref)
    new CfnOutput(this, 'Address', {value: functionUrl(this, fn).attrFunctionUrl})
    // {{/front=function-url}}
    new CfnOutput(this, 'FunctionName', {value: fn.ref})
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
      groupDescription: `${NAME}: to the brokers, and nowhere else`,
      vpcId: vpc,
      securityGroupEgress: [
        {description: 'brokers', ...tcp(BROKER_PORT), destinationSecurityGroupId: clusterGroup},
        // {{#access=api-key}}
        {description: 'Secrets Manager', ...tcp(443), cidrIp: '0.0.0.0/0'},
        // {{/access=api-key}}
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

  private alarms(alarm: ReturnType<typeof alarmsOf>, functionName: string): void {
    const ofLambda = {namespace: 'AWS/Lambda', dimension: ['FunctionName', functionName] as [string, string]}
    alarm('ErrorsAlarm', {
      name: 'errors',
      alarmDescription: 'The function ends without an answer',
      metricName: 'Errors',
      statistic: 'Sum',
      ...ofLambda,
      ...once,
      ...any,
    })
    alarm('ThrottlesAlarm', {
      name: 'throttles',
      alarmDescription: 'Requests find no free instance and are refused',
      metricName: 'Throttles',
      statistic: 'Sum',
      ...ofLambda,
      ...lasting,
      ...any,
    })
    alarm('DurationAlarm', {
      name: 'duration',
      alarmDescription: 'The slowest requests take more than 80 % of the time that they have',
      metricName: 'Duration',
      extendedStatistic: 'p99',
      ...ofLambda,
      ...lasting,
      ...above(16_000),
    })
    alarm('KafkaErrorsAlarm', {
      name: 'kafka-errors',
      alarmDescription: 'Kafka cannot be reached, or does not answer in time',
      namespace: 'KafkaFunctions',
      metricName: 'KafkaErrors',
      dimension: ['FunctionName', functionName],
      statistic: 'Sum',
      ...once,
      ...any,
    })
  }

  // {{#front=http-api}}
  private apiAlarms(alarm: ReturnType<typeof alarmsOf>, apiId: string): void {
    const ofApi = {namespace: 'AWS/ApiGateway', dimension: ['ApiId', apiId] as [string, string]}
    alarm('ServerErrorsAlarm', {
      name: 'server-errors',
      alarmDescription: 'More than 1 % of the requests get a status of 500 or above',
      metricName: '5xx',
      statistic: 'Average',
      ...ofApi,
      ...once,
      ...above(0.01),
    })
    alarm('LatencyAlarm', {
      name: 'latency',
      alarmDescription: 'The slowest requests take more than five seconds',
      metricName: 'Latency',
      extendedStatistic: 'p99',
      ...ofApi,
      ...lasting,
      ...above(5000),
    })
    alarm('IntegrationLatencyAlarm', {
      name: 'integration-latency',
      alarmDescription: 'The function takes more than five seconds for the slowest requests',
      metricName: 'IntegrationLatency',
      extendedStatistic: 'p99',
      ...ofApi,
      ...lasting,
      ...above(5000),
    })
  }

  // {{/front=http-api}}
  // {{#front=function-url}}
  private urlAlarms(alarm: ReturnType<typeof alarmsOf>, functionName: string): void {
    const ofLambda = {namespace: 'AWS/Lambda', dimension: ['FunctionName', functionName] as [string, string]}
    alarm('ServerErrorsAlarm', {
      name: 'server-errors',
      alarmDescription: 'Requests get a status of 500 or above',
      metricName: 'Url5xxCount',
      statistic: 'Sum',
      ...ofLambda,
      ...once,
      ...any,
    })
    alarm('LatencyAlarm', {
      name: 'latency',
      alarmDescription: 'The slowest requests take more than five seconds',
      metricName: 'UrlRequestLatency',
      extendedStatistic: 'p99',
      ...ofLambda,
      ...lasting,
      ...above(5000),
    })
  }
  // {{/front=function-url}}
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
