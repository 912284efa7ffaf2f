/**
 * What MSK Serverless allows and costs. Data only, imported by validation, `skk local`, `doctor` and estimates alike.
 * None of it was measured against AWS by us: `source` says where each table was read, `asOf` when.
 */

const MIB = 1024 * 1024
const GIB = 1024 * MIB

/** Quotas of one MSK Serverless cluster (the account's where said). */
export const QUOTAS = {
  asOf: '2026-11-20',
  source: 'docs.aws.amazon.com/msk/latest/developerguide/limits.html, read through a 2026 copy',
  ingressBytesPerSecond: 200 * 1000 * 1000,
  egressBytesPerSecond: 400 * 1000 * 1000,
  partitionIngressBytesPerSecond: 5 * 1000 * 1000,
  partitionEgressBytesPerSecond: 10 * 1000 * 1000,
  /** Leaders of topics with `cleanup.policy=delete`. */
  partitions: 2400,
  /** Leaders of topics with `cleanup.policy=compact`. */
  compactedPartitions: 120,
  compactedPartitionBytes: 250 * GIB,
  /** Partitions created and deleted in five minutes. */
  partitionChangesPerFiveMinutes: 250,
  topicChangesPerSecond: 2,
  connections: 3000,
  connectionAttemptsPerSecond: 100,
  requestsPerSecond: 15_000,
  messageBytes: 8 * MIB,
  /** In the limits page of 2022; the copy of 2026 no longer names it. */
  requestBytes: 100 * MIB,
  fetchBytes: 55 * MIB,
  consumerGroups: 500,
  vpcsPerCluster: 5,
  /** Of different availability zones, in each VPC. */
  minimumSubnetsPerVpc: 2,
  /** Of one account in one region. */
  clustersPerAccount: 10,
} as const

/** The only replication factor of MSK Serverless; -1 asks for it. */
export const REPLICATION_FACTOR = 3

export type TopicConfig = {
  name: string
  default: string
  type: 'string' | 'list' | 'int' | 'long'
  /** False: settable only when the topic is created. */
  alterable: boolean
  /** Why Kafka would not take that value, in its own words; undefined when it would. */
  invalid(value: string): string | undefined
}

const LONG_MAX = 9223372036854775807n

const number = (type: 'int' | 'long', min: bigint, max = LONG_MAX) => ({
  type,
  invalid(value: string): string | undefined {
    if (!/^[+-]?\d{1,19}$/.test(value)) return `Not a number of type ${type.toUpperCase()}`
    const parsed = BigInt(value.replace('+', ''))
    if (parsed < min) return `Value must be at least ${min}`
    return parsed > max ? `Value must be no more than ${max}` : undefined
  },
})

const oneOf = (type: 'string' | 'list', ...values: string[]) => ({
  type,
  invalid: (value: string) => (values.includes(value) ? undefined : `String must be one of: ${values.join(', ')}`),
})

/**
 * The seven topic configurations that MSK Serverless lets a client set, in the order of AWS's page. `-1` is unlimited.
 * Source: docs.aws.amazon.com/msk/latest/developerguide/serverless-config.html, as of 2026-11-20.
 */
export const settableTopicConfigs: readonly TopicConfig[] = [
  {name: 'cleanup.policy', default: 'delete', alterable: false, ...oneOf('list', 'compact', 'delete')},
  {
    name: 'compression.type',
    default: 'producer',
    alterable: true,
    ...oneOf('string', 'uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'),
  },
  {name: 'max.message.bytes', default: '1048588', alterable: true, ...number('int', 0n, BigInt(QUOTAS.messageBytes))},
  {name: 'message.timestamp.difference.max.ms', default: String(LONG_MAX), alterable: true, ...number('long', 0n)},
  {name: 'message.timestamp.type', default: 'CreateTime', alterable: true, ...oneOf('string', 'CreateTime', 'LogAppendTime')},
  {name: 'retention.bytes', default: String(250 * GIB), alterable: true, ...number('long', -1n)},
  {name: 'retention.ms', default: '604800000', alterable: true, ...number('long', -1n)},
]

/** Why `name` cannot be set on a topic, in AWS's own words (strimzi/strimzi-kafka-operator#9606). */
export function topicConfigRefusal(name: string): string {
  const alterable = settableTopicConfigs.filter((config) => config.alterable).map((config) => config.name)
  return (
    `Amazon MSK Serverless can't alter topic configuration ${name}. Only the following topic configurations are alterable: ` +
    `[${alterable.join(', ')}]. For all topic configurations, MSK Serverless uses defaults that follow best practices.`
  )
}

/**
 * The actions of the service prefix `kafka-cluster`, what each acts on, and whether MSK Serverless knows it.
 * Source: docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html, as of 2026-11-20.
 */
export const KAFKA_ACTIONS = {
  Connect: {resource: 'cluster', serverless: true},
  DescribeCluster: {resource: 'cluster', serverless: true},
  AlterCluster: {resource: 'cluster', serverless: false},
  DescribeClusterDynamicConfiguration: {resource: 'cluster', serverless: false},
  AlterClusterDynamicConfiguration: {resource: 'cluster', serverless: false},
  WriteDataIdempotently: {resource: 'cluster', serverless: true},
  CreateTopic: {resource: 'topic', serverless: true},
  DescribeTopic: {resource: 'topic', serverless: true},
  AlterTopic: {resource: 'topic', serverless: true},
  DeleteTopic: {resource: 'topic', serverless: true},
  DescribeTopicDynamicConfiguration: {resource: 'topic', serverless: true},
  AlterTopicDynamicConfiguration: {resource: 'topic', serverless: true},
  ReadData: {resource: 'topic', serverless: true},
  WriteData: {resource: 'topic', serverless: true},
  DescribeGroup: {resource: 'group', serverless: true},
  AlterGroup: {resource: 'group', serverless: true},
  DeleteGroup: {resource: 'group', serverless: true},
  DescribeTransactionalId: {resource: 'transactional-id', serverless: true},
  AlterTransactionalId: {resource: 'transactional-id', serverless: true},
} as const

/** US dollars in us-east-1; other regions differ. A month has 730 hours. */
export const PRICES = {
  asOf: '2026-06-01',
  source: 'aws.amazon.com/msk/pricing, read through a note of 2026-06',
  region: 'us-east-1',
  clusterHour: 0.75,
  partitionHour: 0.0015,
  gigabyteIn: 0.1,
  /** Once for every consumer group that reads it. */
  gigabyteOut: 0.05,
  storedGigabyteMonth: 0.1,
  /** An event poller unit of a provisioned event-source mapping: 20 MB/s, ten pollers. Source: aws.amazon.com/lambda/pricing. */
  pollerUnitHour: 0.185,
} as const

/**
 * US dollars in us-east-1 for what stands around a cluster. Not read on AWS's own pages: from copies of lambda, cloudwatch and
 * secrets-manager pricing in public notes of 2026.
 */
export const LAMBDA_PRICES = {
  asOf: '2026-05-11',
  source:
    'aws.amazon.com/lambda/pricing, aws.amazon.com/cloudwatch/pricing, aws.amazon.com/secrets-manager/pricing, through copies',
  millionRequests: 0.2,
  /** Of an arm64 function, in the lowest tier. */
  gigabyteSecond: 0.0000133334,
  alarmMonth: 0.1,
  secretMonth: 0.4,
} as const

/** What Lambda gives a function from Kafka at most: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, as of 2026-11-20. */
export const LAMBDA_LIMITS = {
  /** Of an event, in which keys and values are base64. */
  payloadBytes: 6 * MIB,
  timeoutSeconds: 900,
  /** Of one provisioned poller. */
  pollerBytesPerSecond: 5 * 1000 * 1000,
} as const

const POLLERS_PER_UNIT = 10

export const HOURS_PER_MONTH = 730

/** US dollars a month for at least `pollers` provisioned pollers of one mapping, or of one poller group. */
export const estimatePollersMonthlyCost = (pollers: number): number =>
  Math.ceil(pollers / POLLERS_PER_UNIT) * PRICES.pollerUnitHour * HOURS_PER_MONTH

export type Usage = {partitions: number; gigabytesInPerMonth?: number; gigabytesOutPerMonth?: number; storedGigabytes?: number}

/** US dollars a month for one cluster in `PRICES.region`. Whoever prints it says `PRICES.asOf` beside it. */
export function estimateMonthlyCost({
  partitions,
  gigabytesInPerMonth = 0,
  gigabytesOutPerMonth = 0,
  storedGigabytes = 0,
}: Usage): number {
  return (
    HOURS_PER_MONTH * (PRICES.clusterHour + partitions * PRICES.partitionHour) +
    gigabytesInPerMonth * PRICES.gigabyteIn +
    gigabytesOutPerMonth * PRICES.gigabyteOut +
    storedGigabytes * PRICES.storedGigabyteMonth
  )
}
