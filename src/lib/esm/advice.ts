import type {Mapping, MappingSettings} from '../aws/mapping.js'
import {SkkError} from '../errors.js'
import {estimatePollersMonthlyCost, PRICES} from '../limits.js'
import {duplicateIn, groupOf, labelOf, type Wanted} from './plan.js'

/** Refuses, before AWS is asked, a plan that cannot be carried out. Throws SkkError (usage). */
export function checkPlan(plan: readonly Wanted[]): void {
  const duplicate = duplicateIn(plan)
  if (duplicate) {
    const {first, second, same} = duplicate
    throw usage(
      same === 'mapping'
        ? `mapping "${labelOf(second)}" is wanted twice`
        : `mappings "${labelOf(first)}" and "${labelOf(second)}" would share the consumer group "${groupOf(second)}"`,
      same === 'mapping' ? 'Leave one of them out.' : 'Give one of them another group.',
    )
  }
  for (const wanted of plan) checkWanted(wanted)
}

/** Bounds: botocore's model of CreateEventSourceMapping. */
const RANGES = [
  ['batchSize', 1, 10_000],
  ['batchingWindowSeconds', 0, 300],
  ['maxRetries', -1, 10_000],
  ['maxAgeSeconds', -1, 604_800],
] as const

function checkWanted(wanted: Wanted): void {
  const {settings, startingPosition, startingTime} = wanted
  const label = labelOf(wanted)
  for (const [name, least, most] of RANGES) {
    const value = settings[name]
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most))
      throw usage(`${name} of mapping "${label}" is ${value}`, `Choose a whole number from ${least} to ${most}.`)
  }
  const age = settings.maxAgeSeconds
  if (age !== undefined && age > -1 && age < 60)
    throw usage(`maxAge of mapping "${label}" is ${age} s`, 'AWS takes 60 s or more, or -1.')
  if ((startingPosition === 'AT_TIMESTAMP') !== (startingTime !== undefined))
    throw usage(`the starting time of mapping "${label}" needs at-timestamp, and at-timestamp a time`, 'Give both, or neither.')
  if (settings.pollers?.group !== undefined && settings.pollers.min === undefined)
    throw usage(`the poller group of mapping "${label}" needs provisioned pollers`, 'Give a minimum of pollers, too.')
  const badFilter = settings.filters?.find((filter) => !isObject(filter))
  if (badFilter !== undefined) throw usage(`filter "${badFilter}" of mapping "${label}" is not a JSON object`, FILTER_HINT)
}

const FILTER_HINT = 'Write it as \'{"value": {"field": ["wanted"]}}\'.'

function isObject(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

const usage = (message: string, hint: string): SkkError => new SkkError(message, {code: 'USAGE', exit: 'usage', hint})

/** What AWS documents with provisioned pollers only, as it is named in a plan. */
const PROVISIONED_ONLY = ['maxRetries', 'maxAgeSeconds', 'bisect', 'reportBatchItemFailures', 'logLevel'] as const

/** What a person should know about mappings that are going to be made, each thing once; sentences without their stop. */
export function adviceOn(plan: readonly Wanted[]): string[] {
  const labels = new Map<string, string[]>()
  for (const wanted of plan)
    for (const advice of adviceOnOne(wanted)) labels.set(advice, [...(labels.get(advice) ?? []), labelOf(wanted)])
  return [...labels].map(([advice, of]) => `${several(of)}: ${advice}`)
}

function several(labels: readonly string[]): string {
  if (labels.length === 1) return `mapping "${labels[0]}"`
  const shown = labels.slice(0, SHOWN).map((label) => `"${label}"`)
  const rest = labels.length - shown.length
  return `${labels.length} mappings (${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''})`
}

const SHOWN = 3

function adviceOnOne(wanted: Wanted): string[] {
  const {settings} = wanted
  const provisioned = settings.pollers != null
  const only = provisioned ? [] : PROVISIONED_ONLY.filter((name) => settings[name] !== undefined)
  const toTopic = settings.onFailure?.startsWith('kafka://') && !provisioned
  const bounded = (settings.maxRetries ?? -1) >= 0 || (settings.maxAgeSeconds ?? -1) > 0 || Boolean(settings.onFailure)
  return [
    ...(only.length > 0 || toTopic
      ? [
          `AWS documents ${[...only, ...(toTopic ? ['a topic as on-failure destination'] : [])].join(', ')} only with provisioned pollers; it is sent all the same, and AWS answers`,
        ]
      : []),
    ...(bounded ? [] : [`without a bound of retries and a destination one bad record blocks its partition for ever`]),
    ...(groupOf(wanted).includes(':') ? [`CloudWatch has no lag of a consumer group with ":" in its name`] : []),
  ]
}

type PollersChange = {existing: Pick<Mapping, 'pollers'> | null; settings: MappingSettings}

/** What the provisioned pollers that changes add cost, in US dollars a month with the date; undefined when they add none. */
export function pollersEstimate(changes: readonly PollersChange[]): string | undefined {
  const added = changes.flatMap(({existing, settings: {pollers}}) => {
    const before = existing?.pollers?.min
    return pollers && before !== (pollers.min ?? before ?? 1) ? [pollers] : []
  })
  if (added.length === 0) return undefined
  const shared = new Map<string, number>()
  for (const [index, {group, min = 1}] of added.entries()) {
    const key = group === undefined ? `alone ${index}` : `group ${group}`
    shared.set(key, (shared.get(key) ?? 0) + min)
  }
  const dollars = [...shared.values()].reduce((sum, pollers) => sum + estimatePollersMonthlyCost(pollers), 0)
  return (
    `Provisioned pollers for ${added.length} ${added.length === 1 ? 'mapping' : 'mappings'} cost at least ` +
    `$${Math.round(dollars)} a month (${PRICES.region}, prices as of ${PRICES.asOf}).`
  )
}
