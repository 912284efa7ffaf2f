import {BrokerError, check} from '../broker-error.js'
import {anyBroker, type Cluster} from '../cluster.js'
import {describeTopicConfigs} from '../requests/describe-configs.js'
import {EARLIEST, LATEST} from '../requests/list-offsets.js'
import {listTopics, offsetsAt, requireTopic} from '../topics.js'
import type {DeclaredTopic, TopicsManifest} from './manifest.js'
import type {ExistingTopic} from './plan.js'

const TOPIC_AUTHORIZATION_FAILED = 29

/** Every topic of the cluster but Kafka's own, with its configuration where that may be read. Throws kafkajs' errors and BrokerError. */
export async function readTopics(cluster: Cluster): Promise<ExistingTopic[]> {
  const topics = (await listTopics(cluster)).filter(({name, internal}) => !internal && !name.startsWith('__'))
  if (topics.length === 0) return []
  const answers = await describeTopicConfigs(
    await anyBroker(cluster),
    topics.map(({name}) => name),
  )
  const byName = new Map(answers.map((answer) => [answer.name, answer]))
  return topics.map(({name, partitions}) => {
    const {errorCode = TOPIC_AUTHORIZATION_FAILED, text = null, configs = []} = byName.get(name) ?? {}
    if (errorCode === TOPIC_AUTHORIZATION_FAILED) return {name, partitions, configs: null}
    check(errorCode, {api: 'DescribeConfigs', topic: name}, text)
    return {name, partitions, configs: new Map(configs.map(({name, value, source}) => [name, {value, own: source === 'topic'}]))}
  })
}

/** Throws BrokerError (denied) when a plan has to compare a configuration that may not be read. */
export function requireReadable(declared: readonly DeclaredTopic[], existing: readonly ExistingTopic[]): void {
  const compared = new Set(declared.filter(({config}) => Object.keys(config).length > 0).map(({name}) => name))
  const hidden = existing.find(({name, configs}) => configs === null && compared.has(name))
  if (hidden) throw new BrokerError(TOPIC_AUTHORIZATION_FAILED, {api: 'DescribeConfigs', topic: hidden.name})
}

/** How many records each topic holds at most: what its offsets span. */
export async function countRecords(cluster: Cluster, names: readonly string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const name of names) {
    const {partitions} = await requireTopic(cluster, name)
    const [earliest, latest] = await Promise.all([
      offsetsAt(cluster, name, partitions, EARLIEST),
      offsetsAt(cluster, name, partitions, LATEST),
    ])
    counts.set(
      name,
      [...latest].reduce((sum, [partition, end]) => sum + end - (earliest.get(partition) ?? end), 0),
    )
  }
  return counts
}

/** The topics as a manifest: all, or those that begin with `prefix`. Only what a topic has of its own is in it. */
export function manifestOf(existing: readonly ExistingTopic[], prefix: string | undefined): TopicsManifest {
  const topics = existing
    .filter(({name}) => name.startsWith(prefix ?? ''))
    .map(({name, partitions, configs}) => ({name, partitions, config: ownConfig(configs)}))
  return {...(prefix !== undefined && {prefix}), topics}
}

const ownConfig = (configs: ExistingTopic['configs']): Record<string, string | null> =>
  Object.fromEntries([...(configs ?? [])].flatMap(([key, {value, own}]) => (own ? [[key, value]] : [])).sort())

/** The text of a manifest, as `readTopicsManifest` reads it. */
export async function writeTopicsManifest({prefix, topics}: TopicsManifest): Promise<string> {
  const {stringify} = await import('yaml')
  const listed = topics.map(({name, partitions, config}) => ({
    name,
    partitions,
    ...(Object.keys(config).length > 0 && {
      config: Object.fromEntries(Object.entries(config).map(([key, value]) => [key, asYaml(value)])),
    }),
  }))
  return stringify({...(prefix !== undefined && {prefix}), topics: listed}, {lineWidth: 0})
}

/** Numbers without quotes, and with all their digits. */
const asYaml = (value: string | null): string | bigint | null =>
  value !== null && /^(?:0|-?[1-9]\d{0,18})$/.test(value) ? BigInt(value) : value
