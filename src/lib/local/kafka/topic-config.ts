import {QUOTAS, settableTopicConfigs, topicConfigRefusal} from '../../limits.js'

type ConfigType = 'boolean' | 'string' | 'int' | 'long' | 'list' | 'double'

/** DescribeConfigs' numbers for the types (KIP-569). */
export const CONFIG_TYPES: Record<ConfigType, number> = {boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7}

/** A topic config as a cluster knows it. Values are strings, as on the wire. */
export type ConfigKey = {
  default: string
  type: ConfigType
  settable: boolean
  alterable: boolean
  invalid(value: string): string | undefined
}

/**
 * What MSK Serverless reports but does not let anybody set; settable in the wide profile. Kafka 2.8's defaults, but for
 * min.insync.replicas and segment.bytes: MSK does not keep Kafka's, and which it has is not published.
 */
const FIXED: Readonly<Record<string, readonly [value: string, type: ConfigType]>> = {
  'delete.retention.ms': ['86400000', 'long'],
  'file.delete.delay.ms': ['60000', 'long'],
  'flush.messages': ['9223372036854775807', 'long'],
  'flush.ms': ['9223372036854775807', 'long'],
  'index.interval.bytes': ['4096', 'int'],
  'max.compaction.lag.ms': ['9223372036854775807', 'long'],
  'min.cleanable.dirty.ratio': ['0.5', 'double'],
  'min.compaction.lag.ms': ['0', 'long'],
  'min.insync.replicas': ['2', 'int'],
  preallocate: ['false', 'boolean'],
  'segment.bytes': ['134217728', 'int'],
  'segment.index.bytes': ['10485760', 'int'],
  'segment.jitter.ms': ['0', 'long'],
  'segment.ms': ['604800000', 'long'],
  'unclean.leader.election.enable': ['false', 'boolean'],
}

const PATTERNS: Partial<Record<ConfigType, RegExp>> = {
  boolean: /^(true|false)$/,
  int: /^[+-]?\d{1,10}$/,
  long: /^[+-]?\d{1,19}$/,
  double: /^\d+(\.\d+)?$/,
  list: /^(compact|delete)(,(compact|delete))*$/, // the only list is cleanup.policy
}

const invalidForType = (type: ConfigType, value: string): string | undefined =>
  PATTERNS[type]?.test(value) === false ? `Not a number of type ${type.toUpperCase()}` : undefined

/** The maximum of 8 MiB, and that a policy is one word, are MSK's. */
const LIMITED_BY_SERVERLESS: readonly string[] = ['max.message.bytes', 'cleanup.policy']

function keysOf(serverless: boolean): Map<string, ConfigKey> {
  const settable = settableTopicConfigs.map(({name, default: value, type, alterable, invalid}): [string, ConfigKey] => {
    const isOurs = !serverless && LIMITED_BY_SERVERLESS.includes(name)
    const reason = isOurs ? (given: string) => invalidForType(type, given) : invalid
    return [name, {default: value, type, settable: true, alterable: alterable || !serverless, invalid: reason}]
  })
  const fixed = Object.entries(FIXED).map(([name, [value, type]]): [string, ConfigKey] => [
    name,
    {default: value, type, settable: !serverless, alterable: !serverless, invalid: (given) => invalidForType(type, given)},
  ])
  return new Map([...settable, ...fixed])
}

const serverlessKeys = keysOf(true)
const kafkaKeys = keysOf(false)

/** The configs of a topic, by name, in a cluster with or without the rules of Serverless. */
export const configKeys = (serverless: boolean): ReadonlyMap<string, ConfigKey> => (serverless ? serverlessKeys : kafkaKeys)

/** Why a topic cannot have that config, in the broker's own words, or undefined. `value` null means the default. */
export function refusal(serverless: boolean, name: string, value: string | null, when: 'create' | 'alter'): string | undefined {
  const key = configKeys(serverless).get(name)
  if (serverless && (!key?.settable || (when === 'alter' && !key.alterable))) return topicConfigRefusal(name)
  if (!key) return `Unknown topic config name: ${name}`
  const reason = value === null ? undefined : key.invalid(value)
  return reason && `Invalid value ${value} for configuration ${name}: ${reason}`
}

/** Kafka has no quota, but a process on a laptop has an end: each partition is a directory and some kilobytes of memory. */
const MAX_PARTITIONS = 10_000

/** Quotas of leader partitions, by cleanup policy. */
export const partitionQuota = (serverless: boolean, compacted: boolean): number => {
  if (!serverless) return MAX_PARTITIONS
  return compacted ? QUOTAS.compactedPartitions : QUOTAS.partitions
}
