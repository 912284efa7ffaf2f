import {QUOTAS, settableTopicConfigs} from '../../limits.js'
import type {DeclaredTopic} from './manifest.js'

/** A topic that there is, as far as a plan needs to know it. */
export type ExistingTopic = {
  name: string
  partitions: number
  /** Every key with its value, and whether the topic has it of its own; null when they may not be read. */
  configs: ReadonlyMap<string, {value: string | null; own: boolean}> | null
}

/** `field` is `partitions` or a key of the configuration; null is the cluster's default, or nothing there yet. */
export type TopicDifference = {field: string; from: string | number | null; to: string | number | null}

export type TopicStep = {
  name: string
  /** `refuse` cannot be carried out: `reason` says why. */
  action: 'create' | 'alter' | 'delete' | 'keep' | 'refuse'
  changes: TopicDifference[]
  /** What deleting it deletes. */
  records?: number
  reason?: string
}

const DEFAULT_PARTITIONS = 1

/** One step for each declared topic, in the file's order. */
export const planTopics = (
  declared: readonly DeclaredTopic[],
  existing: readonly ExistingTopic[],
  {serverless}: {serverless: boolean},
): TopicStep[] => {
  const byName = new Map(existing.map((topic) => [topic.name, topic]))
  return declared.map((topic) => {
    const found = byName.get(topic.name)
    return found ? planChange(topic, found, serverless) : planCreation(topic)
  })
}

function planCreation({name, partitions = DEFAULT_PARTITIONS, config}: DeclaredTopic): TopicStep {
  const settings = Object.entries(config).filter(([, value]) => value !== null)
  const changes = [['partitions', partitions] as const, ...settings].map(([field, to]) => ({field, from: null, to}))
  return {name, action: 'create', changes}
}

function planChange(topic: DeclaredTopic, found: ExistingTopic, serverless: boolean): TopicStep {
  const {name, partitions = found.partitions} = topic
  const wider = partitions === found.partitions ? [] : [{field: 'partitions', from: found.partitions, to: partitions}]
  const changes = [...wider, ...configDifferences(topic, found)]
  const reason = reasonAgainst(changes, found, serverless)
  if (reason) return {name, action: 'refuse', changes, reason}
  return {name, action: changes.length > 0 ? 'alter' : 'keep', changes}
}

function configDifferences({config}: DeclaredTopic, {configs}: ExistingTopic): TopicDifference[] {
  return Object.entries(config).flatMap(([field, to]) => {
    const {value = null, own = false} = configs?.get(field) ?? {}
    const same = to === null ? !own : value === to
    return same ? [] : [{field, from: own || to !== null ? value : null, to}]
  })
}

function reasonAgainst(changes: readonly TopicDifference[], found: ExistingTopic, serverless: boolean): string | undefined {
  const partitions = changes.find(({field}) => field === 'partitions')
  if (partitions && Number(partitions.to) < found.partitions)
    return `it has ${found.partitions} partitions, and they can only become more`
  const fixed = changes.find(({field}) => settableTopicConfigs.some(({name, alterable}) => name === field && !alterable))
  return serverless && fixed ? `MSK Serverless sets ${fixed.field} only when a topic is created` : undefined
}

/** The topics that `--prune` deletes: those inside the prefix that the file does not have, and never one of Kafka's own. */
export const doomedBy = (prefix: string, declared: readonly DeclaredTopic[], names: readonly string[]): string[] => {
  const kept = new Set(declared.map(({name}) => name))
  return names.filter((name) => name.startsWith(prefix) && !name.startsWith('__') && !kept.has(name))
}

/**
 * Why the cluster would have too many partitions for MSK Serverless after `steps`; undefined when it would not. Topics with
 * `cleanup.policy=compact` have a quota of their own.
 */
export function overQuota(steps: readonly TopicStep[], existing: readonly ExistingTopic[]): string | undefined {
  const quotas = [
    {noun: 'partitions', quota: QUOTAS.partitions, counts: (compacted: boolean) => !compacted},
    {noun: 'partitions of compacted topics', quota: QUOTAS.compactedPartitions, counts: (compacted: boolean) => compacted},
  ]
  const counted = partitionsAfter(steps, existing)
  for (const {noun, quota, counts} of quotas) {
    const total = counted.filter(({compacted}) => counts(compacted)).reduce((sum, {partitions}) => sum + partitions, 0)
    const grows = steps.some(({action}) => action === 'create' || action === 'alter')
    if (grows && total > quota) return `the cluster would have ${total} ${noun}, and MSK Serverless allows ${quota}`
  }
  return undefined
}

function partitionsAfter(
  steps: readonly TopicStep[],
  existing: readonly ExistingTopic[],
): {partitions: number; compacted: boolean}[] {
  const byName = new Map(steps.map((step) => [step.name, step]))
  const kept = existing
    .filter(({name}) => byName.get(name)?.action !== 'delete')
    .map(({name, partitions, configs}) => ({
      partitions: partitionsOf(byName.get(name)) ?? partitions,
      compacted: isCompacted(configs?.get('cleanup.policy')?.value),
    }))
  const made = steps
    .filter(({action}) => action === 'create')
    .map((step) => ({
      partitions: partitionsOf(step)!,
      compacted: isCompacted(step.changes.find(({field}) => field === 'cleanup.policy')?.to),
    }))
  return [...kept, ...made]
}

/** How many partitions a topic has after the step; undefined where it does not say. */
export const partitionsOf = (step: TopicStep | undefined): number | undefined => {
  const change = step?.changes.find(({field}) => field === 'partitions')
  return change && Number(change.to)
}

const isCompacted = (policy: unknown): boolean =>
  String(policy ?? '')
    .split(',')
    .includes('compact')
