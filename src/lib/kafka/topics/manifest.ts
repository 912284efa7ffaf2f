import {isRecord, parseYaml, refuseUnknown, usage, wrong} from '../../yaml-file.js'
import {checkServerlessConfigs} from '../serverless-rules.js'

/** A topic of a file. What is left out is the default when it is created, and not compared when it exists. */
export type DeclaredTopic = {
  name: string
  partitions?: number
  /** Null is the cluster's default. */
  config: Record<string, string | null>
}

/** `prefix` says which topics are the file's: all of its own begin with it, and `--prune` deletes no other. */
export type TopicsManifest = {prefix?: string; topics: DeclaredTopic[]}

const HINT = 'Write it as `topics: [{name: orders, partitions: 4, config: {retention.ms: 86400000}}]`.'
const MAX_PARTITIONS = 2 ** 31 - 1

/**
 * The topics that a file of YAML declares. Throws SkkError (usage) with the place, and with the nearest name for a key that there is
 * not; on Serverless also for a configuration that it would refuse to create.
 */
export async function readTopicsManifest(
  source: string,
  file: string,
  {serverless}: {serverless: boolean},
): Promise<TopicsManifest> {
  // Kafka's defaults are as large as 2^63-1.
  const root = await parseYaml(source, file, {bigIntegers: true})
  if (root === null) return {topics: []}
  if (!isRecord(root)) throw usage(`"${file}" must have "topics"`, HINT)
  refuseUnknown(root, ['prefix', 'topics'], `"${file}"`)
  const {prefix, topics: list = []} = root
  if (prefix !== undefined && (typeof prefix !== 'string' || !isTopicName(prefix)))
    wrong(`prefix of "${file}"`, 'the beginning of the names of topics', prefix)
  if (!Array.isArray(list)) throw usage(`topics in "${file}" must be a list`, HINT)

  const topics = list.map((one, index) => readTopic(one, `topic ${index + 1} in "${file}"`))
  refuseStrangers(topics, prefix)
  refuseTwins(topics, file)
  if (serverless) for (const {config} of topics) checkServerlessConfigs(config, {creating: true})
  return {...(prefix !== undefined && {prefix}), topics}
}

function readTopic(value: unknown, where: string): DeclaredTopic {
  if (!isRecord(value)) wrong(where, 'a topic with a name', value)
  refuseUnknown(value, ['name', 'partitions', 'config'], where)
  const {name, partitions, config = {}} = value
  if (name === undefined) throw usage(`${where} has no name`, HINT)
  if (typeof name !== 'string' || !isTopicName(name))
    wrong(`name of ${where}`, 'up to 249 letters, digits, dots, dashes and underscores', name)
  if (name.startsWith('__')) throw usage(`topic "${name}" is internal to Kafka`, 'Leave it out of the file.')
  if (partitions !== undefined && !isCount(partitions))
    wrong(`partitions of ${where}`, 'a whole number of at least 1', partitions)
  if (config !== null && !isRecord(config)) wrong(`config of ${where}`, 'keys and values', config)
  return {
    name,
    ...(partitions !== undefined && {partitions: Number(partitions)}),
    config: Object.fromEntries(Object.entries(config ?? {}).map(([key, one]) => [key, configValue(one, `${key} of ${where}`)])),
  }
}

/** Kafka's values are text; YAML's numbers and booleans are written the same way. */
function configValue(value: unknown, where: string): string | null {
  if (value === null) return null
  if (['string', 'bigint', 'number', 'boolean'].includes(typeof value)) return String(value)
  return wrong(where, 'one value', value)
}

const isCount = (value: unknown): boolean => typeof value === 'bigint' && value >= 1n && value <= BigInt(MAX_PARTITIONS)

const isTopicName = (name: string): boolean => /^[\w.-]{1,249}$/.test(name) && name !== '.' && name !== '..'

function refuseStrangers(topics: readonly DeclaredTopic[], prefix: string | undefined): void {
  const stranger = topics.find(({name}) => !name.startsWith(prefix ?? ''))
  if (stranger)
    throw usage(
      `topic "${stranger.name}" does not begin with the file's prefix "${prefix}"`,
      'Change one of them, or leave out `prefix`.',
    )
}

/** Kafka's metrics turn `.` into `_`, so it refuses a name that differs from another only there. */
function refuseTwins(topics: readonly DeclaredTopic[], file: string): void {
  const seen = new Map<string, string>()
  for (const {name} of topics) {
    const twin = seen.get(name.replaceAll('.', '_'))
    if (twin === name) throw usage(`"${file}" has topic "${name}" twice`, 'Leave one of them out.')
    if (twin)
      throw usage(`topics "${twin}" and "${name}" differ only in "." and "_"`, 'Kafka does not allow that; rename one of them.')
    seen.set(name.replaceAll('.', '_'), name)
  }
}
