import {check} from '../broker-error.js'
import type {Cluster} from '../cluster.js'
import {noLeader, throughElections} from '../elections.js'
import {partitionNotFound} from '../errors.js'
import {EARLIEST, LATEST} from '../requests/list-offsets.js'
import {offsetsAt, requireTopic} from '../topics.js'
import {beyondEnd, type Gap, gapOf} from './gap.js'
import type {Position} from './range.js'

/**
 * What is to be read of one partition: offsets from `position` to before `end`, without end when that is null. `until`: to before the
 * first record that is as late as that (epoch ms), or to what is there when the time has come.
 */
export type Span = {partition: number; position: number; end: number | null; until?: number}

export type PlanOptions = {
  topic: string
  /** Null: all. */
  partitions: readonly number[] | null
  from: Position
  /** Null: the end as it is now, or with `follow` no end. */
  to: Position | null
  follow: boolean
  readCommitted: boolean
  /** Where partitions that were read before go on, instead of at `from`. */
  resume?: ReadonlyMap<number, number>
  /** What is gone already fails the plan, unless this takes note of it. */
  onGap?(gap: Gap): void
  /** Told when the range begins at a time and no record of any partition is as late. */
  onPastEnd?(timestamp: number): void
  /** Told when the range ends at a time and no record of any partition is as late, so that it ends where the partitions do. */
  onOpenEnd?(timestamp: number): void
}

type Bounds = {partition: number; earliest: number; end: number}

/**
 * Pins the range in every partition, at offsets as they are now. Throws SkkError: not found for the topic or a partition, and
 * local I/O when an offset that was asked for is gone already.
 */
export async function planSpans(cluster: Cluster, options: PlanOptions): Promise<Span[]> {
  const {topic, from, to, follow, readCommitted} = options
  const chosen = await throughElections(cluster, async () => {
    const {errorCode, partitions} = await requireTopic(cluster, topic)
    check(errorCode, {api: 'Metadata', topic})
    return choose(partitions, options)
  })
  const [earliest, latest] = await Promise.all([
    offsetsAt(cluster, topic, chosen, EARLIEST),
    offsetsAt(cluster, topic, chosen, LATEST, {readCommitted}),
  ])
  let late = from.kind === 'time' ? chosen.length : 0
  let ending = to?.kind === 'time' ? chosen.length : 0
  const spans = chosen.map(async ({partition}): Promise<Span> => {
    const bounds = {partition, earliest: earliest.get(partition) ?? 0, end: latest.get(partition) ?? 0}
    const position = await beginning(bounds, cluster, options)
    if (position === null) late--
    const first = present(position ?? bounds.end, bounds, options)
    const end = to === null ? null : await offsetOf(to, {...bounds, base: first}, cluster, options)
    if (end === null) ending--
    if (follow) return {partition, position: first, end, ...(end === null && to?.kind === 'time' && {until: to.timestamp})}
    return {partition, position: Math.min(first, bounds.end), end: Math.min(end ?? bounds.end, bounds.end)}
  })
  const planned = await Promise.all(spans)
  if (from.kind === 'time' && late === 0) options.onPastEnd?.(from.timestamp)
  else if (to?.kind === 'time' && ending === 0 && !follow) options.onOpenEnd?.(to.timestamp)
  return planned
}

/** Where to begin; null for a time that no record has reached. */
async function beginning(bounds: Bounds, cluster: Cluster, options: PlanOptions): Promise<number | null> {
  const {topic, from, resume} = options
  const resumed = resume?.get(bounds.partition)
  if (resumed === undefined) return offsetOf(from, {...bounds, base: bounds.earliest}, cluster, options)
  if (resumed > bounds.end) throw beyondEnd(topic, bounds.partition, resumed, bounds.end)
  return resumed
}

/** The position, or the first offset that is left after it. */
function present(position: number, {partition, earliest}: Bounds, {topic, onGap}: PlanOptions): number {
  if (position >= earliest) return position
  const gap = gapOf(topic, partition, position, earliest)
  if (!onGap) throw gap.error
  onGap(gap)
  return earliest
}

function choose<P extends {partition: number; leader: number}>(existing: readonly P[], {topic, partitions}: PlanOptions): P[] {
  const missing = (partitions ?? []).filter((wanted) => !existing.some(({partition}) => partition === wanted))
  if (missing.length > 0) throw partitionNotFound(topic, missing, existing.length)
  const chosen = existing.filter(({partition}) => partitions === null || partitions.includes(partition))
  const leaderless = chosen.find(({leader}) => leader < 0)
  if (leaderless) throw noLeader(topic, leaderless.partition, 'Try again in a moment, or read the others with `--partition`.')
  return chosen
}

/** `base` is what `+N` counts from. Null for a time that no record has reached. */
async function offsetOf(
  position: Position,
  {partition, earliest, end, base}: Bounds & {base: number},
  cluster: Cluster,
  {topic, readCommitted}: PlanOptions,
): Promise<number | null> {
  switch (position.kind) {
    case 'beginning':
      return earliest
    case 'end':
      return end
    case 'offset':
      return position.offset
    case 'last':
      return Math.max(earliest, end - position.count)
    case 'plus':
      return base + position.count
    case 'time': {
      const leaders = cluster.findTopicPartitionMetadata(topic).filter(({partitionId}) => partitionId === partition)
      const asked = leaders.map(({leader}) => ({partition, leader}))
      const found = (await offsetsAt(cluster, topic, asked, position.timestamp, {readCommitted})).get(partition) ?? -1
      return found < 0 ? null : found
    }
  }
}
