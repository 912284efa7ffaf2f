import {createHash} from 'node:crypto'

import {functionNameOf, type Mapping, type MappingSettings, type StartingPosition} from '../aws/mapping.js'

/** A mapping that shall exist. What is left out is the default when it is created, and not compared when it exists. */
export type Wanted = {
  function: string
  eventSourceArn: string
  topic: string
  group?: string
  startingPosition?: StartingPosition
  /** ISO 8601, with AT_TIMESTAMP. */
  startingTime?: string
  settings: MappingSettings
  /** Tags of the user's own. */
  tags: Record<string, string>
}

/** With its tags when they have been read. */
export type Existing = Mapping & {tags?: Record<string, string>}

export type Difference = {field: string; existing: unknown; wanted: unknown}

export type Step =
  | {action: 'create'; wanted: Wanted}
  | {action: 'noop'; wanted: Wanted; existing: Existing}
  /** `adopt` is an update that makes the mapping ours by its tags. */
  | {action: 'update' | 'adopt'; wanted: Wanted; existing: Existing; differences: Difference[]}
  | {action: 'replace'; wanted: Wanted; existing: Existing; differences: Difference[]}
  | {action: 'conflict'; wanted: Wanted; existing: Existing; differences: Difference[]; reason: ConflictReason}

/** Why a plan does not go on by itself; the flag that would let it is `--replace`, `--adopt` or `--force`. */
export type ConflictReason = 'immutable' | 'foreign' | 'cloudformation' | 'group'

export type PlanOptions = {adopt?: boolean; replace?: boolean; force?: boolean}

/** The name of a mapping for people and journals. */
export const labelOf = ({function: name, topic}: Pick<Wanted, 'function' | 'topic'>): string =>
  `${functionNameOf(name)} < ${topic}`

/** FUNCTION.TOPIC. No `:`: CloudWatch has no lag of groups with one in their name. */
export const groupOf = ({function: name, topic, group}: Pick<Wanted, 'function' | 'topic' | 'group'>): string =>
  group ?? `${functionNameOf(name).replaceAll(':', '-')}.${topic}`

/** What the tag `skk:key` says of a mapping that skk made: 16 hex digits of its identity. */
export function identityKey(mapping: {function: string; eventSourceArn: string; topic: string; group: string}): string {
  const identity = [functionNameOf(mapping.function), mapping.eventSourceArn, mapping.topic, mapping.group]
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16)
}

const isOurs = ({tags, group, ...rest}: Existing): boolean =>
  tags?.['skk:key'] !== undefined && tags['skk:key'] === identityKey({...rest, group: group ?? ''})

/** AWS holds one mapping per function, source and topic. One that is being deleted no longer counts. */
export const findExisting = (wanted: Wanted, existing: readonly Existing[]): Existing | undefined =>
  existing.find(
    (mapping) =>
      mapping.eventSourceArn === wanted.eventSourceArn &&
      mapping.topic === wanted.topic &&
      mapping.function === functionNameOf(wanted.function) &&
      mapping.state !== 'Deleting',
  )

/** What to do so that `wanted` exists. `existing` are the mappings of the cluster; those in question with their tags. */
export function planMapping(
  wanted: Wanted,
  existing: readonly Existing[],
  {adopt = false, replace = false, force = false}: PlanOptions = {},
): Step {
  const found = findExisting(wanted, existing)
  if (!found) return planCreate(wanted, existing)

  const fixed = immutableDifferences(wanted, found)
  const differences = [...fixed, ...mutableDifferences(wanted, found)]
  const ours = isOurs(found)
  const takeOver = adopt && !ours && found.tags !== undefined
  if (differences.length === 0 && !takeOver) return {action: 'noop', wanted, existing: found}
  if (isOfCloudFormation(found) && !force)
    return {action: 'conflict', wanted, existing: found, differences, reason: 'cloudformation'}
  if (fixed.length > 0) {
    return replace
      ? {action: 'replace', wanted, existing: found, differences}
      : {action: 'conflict', wanted, existing: found, differences, reason: 'immutable'}
  }
  if (takeOver) return {action: 'adopt', wanted, existing: found, differences}
  return ours
    ? {action: 'update', wanted, existing: found, differences}
    : {action: 'conflict', wanted, existing: found, differences, reason: 'foreign'}
}

/** A consumer group belongs to one mapping of the account. */
function planCreate(wanted: Wanted, existing: readonly Existing[]): Step {
  const group = groupOf(wanted)
  const holder = existing.find((mapping) => mapping.group === group && mapping.state !== 'Deleting')
  if (!holder || holder.eventSourceArn !== wanted.eventSourceArn) return {action: 'create', wanted}
  const differences = [
    {field: 'function', existing: holder.function, wanted: functionNameOf(wanted.function)},
    {field: 'topic', existing: holder.topic, wanted: wanted.topic},
  ].filter((difference) => difference.existing !== difference.wanted)
  return {action: 'conflict', wanted, existing: holder, differences, reason: 'group'}
}

/** Whether the tags of an existing mapping matter for its plan, so that they are worth a call. */
export function needsTags(wanted: Wanted, existing: Mapping, {adopt = false}: PlanOptions = {}): boolean {
  return adopt || immutableDifferences(wanted, existing).length + mutableDifferences(wanted, existing).length > 0
}

export const isOfCloudFormation = ({tags = {}}: Pick<Existing, 'tags'>): boolean =>
  Object.keys(tags).some((key) => key.startsWith('aws:cloudformation:'))

function immutableDifferences(wanted: Wanted, existing: Mapping): Difference[] {
  return differencesOf([
    ['group', existing.group, wanted.group],
    ['startingPosition', existing.startingPosition, wanted.startingPosition],
    ['startingTime', instant(existing.startingTime), instant(wanted.startingTime)],
  ])
}

/** What an existing mapping has otherwise than wanted and can be changed. */
export function mutableDifferences({settings}: Pick<Wanted, 'settings'>, existing: Mapping): Difference[] {
  const asEnabled = isOn(existing)
  return differencesOf([
    ['enabled', asEnabled, settings.enabled],
    ['batchSize', existing.batchSize, settings.batchSize],
    ['batchingWindowSeconds', existing.batchingWindowSeconds, settings.batchingWindowSeconds],
    ['filters', sorted(existing.filters), settings.filters && sorted(settings.filters)],
    ['onFailure', existing.onFailure, settings.onFailure],
    ['pollers', existing.pollers, settings.pollers && {...existing.pollers, ...settings.pollers}],
    ['maxRetries', existing.maxRetries, settings.maxRetries],
    ['maxAgeSeconds', existing.maxAgeSeconds, settings.maxAgeSeconds],
    ['bisect', existing.bisect, settings.bisect],
    ['reportBatchItemFailures', existing.reportBatchItemFailures, settings.reportBatchItemFailures],
    ['metrics', sorted(existing.metrics), settings.metrics && sorted(settings.metrics)],
    ['logLevel', existing.logLevel, settings.logLevel],
  ])
}

/** What a state will come to by itself. */
export const isOn = ({state}: Pick<Mapping, 'state'>): boolean => !/^(?:Disabl|Delet)/.test(state)

const differencesOf = (fields: readonly (readonly [field: string, existing: unknown, wanted: unknown])[]): Difference[] =>
  fields
    .filter(([, existing, wanted]) => wanted !== undefined && JSON.stringify(existing) !== JSON.stringify(wanted))
    .map(([field, existing, wanted]) => ({field, existing, wanted}))

const sorted = (list: readonly string[]): string[] => [...list].sort()

const instant = (time: string | null | undefined): number | undefined => (time ? Date.parse(time) : undefined)

/** Two of a plan that would be one mapping, or that share a group; undefined when there are none. */
export function duplicateIn(plan: readonly Wanted[]): {first: Wanted; second: Wanted; same: 'mapping' | 'group'} | undefined {
  const seen = new Map<string, Wanted>()
  for (const second of plan) {
    const keys = [
      ['mapping', functionNameOf(second.function), second.eventSourceArn, second.topic],
      ['group', second.eventSourceArn, groupOf(second)],
    ]
    for (const key of keys) {
      const first = seen.get(key.join('\n'))
      if (first) return {first, second, same: key[0] as 'mapping' | 'group'}
    }
    for (const key of keys) seen.set(key.join('\n'), second)
  }
  return undefined
}
