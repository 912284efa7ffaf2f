import {SkkError} from '../../errors.js'
import {BrokerError} from '../broker-error.js'
import type {Cluster} from '../cluster.js'
import {parsePosition} from '../consume/range.js'
import {asSkkError, type Named} from '../errors.js'
import {EARLIEST, LATEST} from '../requests/list-offsets.js'
import {type CommitAnswer, commitOffsets, type PartitionOffset} from '../requests/offset-commit.js'
import {deleteOffsets} from '../requests/offset-delete.js'
import {offsetsAt, requireTopic} from '../topics.js'
import {atCoordinator} from './coordinator.js'
import {committedOf, lagFrom} from './lag.js'
import type {SavedOffset} from './offsets-file.js'

/** Where the group is to go on, as the user wrote it. */
export type Goal =
  | {kind: 'earliest'}
  | {kind: 'latest'}
  | {kind: 'offset'; offset: number}
  /** The first record that is at least as late, epoch milliseconds. */
  | {kind: 'time'; timestamp: number}
  /** So many offsets after what is committed, or before it. */
  | {kind: 'shift'; by: number}

/** What one partition's committed offset was and becomes. */
export type Move = {
  topic: string
  partition: number
  /** Null: nothing is committed. */
  prior: number | null
  /** Null: what is committed is deleted. */
  new: number | null
  /** Null unless there is an offset before and after. */
  delta: number | null
  lagBefore: number
  lagAfter: number
  /** What was asked for, where the partition does not reach that far; else null. */
  outOfRange: number | null
}

/** A move as a row of a table. */
export const MOVE_COLUMNS = {
  topic: ({topic}: Move) => topic,
  partition: ({partition}: Move) => partition,
  prior: ({prior}: Move) => prior ?? '-',
  new: (move: Move) => move.new ?? '-',
  delta: ({delta}: Move) => (delta === null ? '-' : delta > 0 ? `+${delta}` : delta),
  'lag before': ({lagBefore}: Move) => lagBefore,
  'lag after': ({lagAfter}: Move) => lagAfter,
}

export type ResetPlan = {
  /** One for all partitions, or the offsets of certain ones. */
  goal: Goal | {kind: 'saved'; offsets: readonly SavedOffset[]}
  topics: readonly string[]
  /** Null: all. */
  partitions: readonly number[] | null
}

/**
 * `earliest`, `latest`, an offset, `+N` or `-N` (from what is committed), an ISO 8601 time (UTC unless it has a zone) or
 * `-DURATION` (so long ago). Throws SkkError (usage).
 */
export function parseGoal(text: string, now = Date.now()): Goal {
  if (text === 'earliest' || text === 'latest') return {kind: text}
  if (/^[+-]\d{1,15}$/.test(text)) return {kind: 'shift', by: Number(text)}
  const position = positionOf(text, now)
  if (position?.kind === 'offset' || position?.kind === 'time') return position
  throw new SkkError(`"${text}" is no place to reset to`, {
    code: 'USAGE',
    exit: 'usage',
    hint: 'Write earliest, latest, an offset, +100 or -100 from what is committed, a time such as 2026-11-20T10:00Z, or -15m.',
  })
}

function positionOf(text: string, now: number) {
  try {
    return parsePosition(text, now)
  } catch {
    return undefined
  }
}

/**
 * What a reset would do, without doing it, by topic and partition. An offset outside of what the partition holds becomes its
 * nearest end. Throws SkkError: not found for a topic, a partition, or a commit to shift from; unavailable without a leader.
 */
export async function planReset(cluster: Cluster, group: string, plan: ResetPlan): Promise<Move[]> {
  const committed = await committedOf(cluster, group)
  const moves = await Promise.all(plan.topics.map((topic) => planTopic(cluster, topic, committed, plan)))
  return moves.flat()
}

async function planTopic(
  cluster: Cluster,
  topic: string,
  committed: readonly PartitionOffset[],
  {goal, partitions}: ResetPlan,
): Promise<Move[]> {
  const chosen = choose((await requireTopic(cluster, topic)).partitions, topic, partitionsOf(goal, topic, partitions))
  const at = (timestamp: number) => offsetsAt(cluster, topic, chosen, timestamp)
  const [earliest, latest, times] = await Promise.all([
    at(EARLIEST),
    at(LATEST),
    goal.kind === 'time' ? at(goal.timestamp) : new Map<number, number>(),
  ])
  const places = chosen.map(({partition}): Place => {
    const prior = committed.find((each) => each.topic === topic && each.partition === partition)?.offset ?? null
    const [start, end, atTime] = [earliest, latest, times].map((offsets) => offsets.get(partition) ?? -1) as Offsets
    return {topic, partition, prior, earliest: start, end, atTime}
  })
  const shiftable = places.filter(({prior}) => prior !== null)
  // Partitions that nobody named and that have nothing to shift from stay as they are.
  const moved = goal.kind === 'shift' && partitions === null && shiftable.length > 0 ? shiftable : places
  return moved.map((place) => moveTo(place, offsetOf(goal, place)))
}

type Offsets = [number, number, number]

/** Null: all. */
function partitionsOf(goal: ResetPlan['goal'], topic: string, named: readonly number[] | null): readonly number[] | null {
  if (goal.kind !== 'saved') return named
  const saved = goal.offsets.filter((each) => each.topic === topic).map(({partition}) => partition)
  return saved.filter((partition) => named?.includes(partition) ?? true)
}

/** `atTime` is -1 when no record is as late, or no time was asked for. */
type Place = {topic: string; partition: number; prior: number | null; earliest: number; end: number; atTime: number}

function moveTo({topic, partition, prior, ...bounds}: Place, wanted: number | null): Move {
  const next = wanted === null ? null : Math.min(Math.max(wanted, bounds.earliest), bounds.end)
  return {
    topic,
    partition,
    prior,
    new: next,
    delta: prior === null || next === null ? null : next - prior,
    lagBefore: lagFrom(prior, bounds),
    lagAfter: lagFrom(next, bounds),
    outOfRange: next === wanted ? null : wanted,
  }
}

function offsetOf(goal: ResetPlan['goal'], {topic, partition, prior, earliest, end, atTime}: Place): number | null {
  switch (goal.kind) {
    case 'earliest':
      return earliest
    case 'latest':
      return end
    case 'offset':
      return goal.offset
    case 'time':
      return atTime < 0 ? end : atTime
    case 'saved':
      return goal.offsets.find((each) => each.topic === topic && each.partition === partition)!.offset
    case 'shift':
      if (prior !== null) return prior + goal.by
      throw new SkkError(`the group has committed nothing in topic "${topic}", partition ${partition}, to shift from`, {
        code: 'OFFSET_NOT_COMMITTED',
        exit: 'notFound',
        hint: 'Give an offset, earliest, latest or a time, or leave the partition out.',
      })
  }
}

function choose<P extends {partition: number; leader: number}>(
  existing: readonly P[],
  topic: string,
  wanted: readonly number[] | null,
): P[] {
  const missing = (wanted ?? []).filter((partition) => !existing.some((each) => each.partition === partition))
  if (missing.length > 0) {
    throw new SkkError(`topic "${topic}" has no partition ${missing.join(', ')}; it has ${existing.length}`, {
      code: 'PARTITION_NOT_FOUND',
      exit: 'notFound',
      hint: `See them with \`skk topics describe ${topic}\`.`,
    })
  }
  const chosen = existing.filter(({partition}) => wanted?.includes(partition) ?? true).sort((a, b) => a.partition - b.partition)
  const leaderless = chosen.find(({leader}) => leader < 0)
  if (!leaderless) return chosen
  throw new SkkError(`topic "${topic}", partition ${leaderless.partition}, has no leader at the moment`, {
    code: 'NO_LEADER',
    exit: 'unavailable',
    hint: 'Try again in a moment, or leave it out with `--partition`.',
  })
}

/** Answers to a commit by nobody, or to the deletion of one, that mean that the group has members again. */
const CAME_ALIVE = [22, 25, 27, 68, 86]

/**
 * Commits what was planned, without joining the group; a commit that there was none of is deleted. Throws SkkError: conflict when the group has members again, or has
 * committed since the plan was made, and then nothing is changed; partial (exit 7) when some partitions were refused.
 */
export async function commitReset(cluster: Cluster, group: string, moves: readonly Move[], target: Named): Promise<void> {
  await refuseStale(cluster, group, moves)
  const offsets = moves.flatMap(({topic, partition, new: offset}) => (offset === null ? [] : [{topic, partition, offset}]))
  const forgotten = moves.filter((move) => move.new === null)
  const answers = await atCoordinator(cluster, group, async (coordinator) => {
    const found = [
      ...(offsets.length > 0 ? await commitOffsets(coordinator, group, offsets) : []),
      ...(forgotten.length > 0 ? await deleteOffsets(coordinator, group, forgotten) : []),
    ]
    const loading = found.find(({errorCode}) => [14, 15, 16].includes(errorCode))
    if (loading) throw new BrokerError(loading.errorCode, {api: 'OffsetCommit', group})
    return found
  })
  const refused = answers.filter(({errorCode}) => errorCode !== 0)
  if (refused.length === 0) return
  if (refused.some(({errorCode}) => CAME_ALIVE.includes(errorCode))) throw cameAlive(group)
  const first = asSkkError(errorOf(refused[0]!, group), target)
  if (refused.length === answers.length) throw first
  const names = refused.map(({topic, partition}) => `"${topic}" ${partition}`).join(', ')
  throw new SkkError(`${refused.length} of ${answers.length} partitions were refused (${names}): ${first.message}`, {
    code: 'PARTIAL',
    exit: 'partial',
    hint: first.hint ?? `See where the group stands with \`skk groups describe ${group}\`.`,
    cause: first,
  })
}

const errorOf = ({errorCode, topic, partition}: CommitAnswer, group: string): BrokerError =>
  new BrokerError(errorCode, {api: 'OffsetCommit', topic, partition, group})

/** The question may have been open for long. */
async function refuseStale(cluster: Cluster, group: string, moves: readonly Move[]): Promise<void> {
  const committed = await committedOf(cluster, group)
  const moved = moves.find(({topic, partition, prior}) => {
    const now = committed.find((each) => each.topic === topic && each.partition === partition)?.offset ?? null
    return now !== prior
  })
  if (!moved) return
  throw new SkkError(`group "${group}" has committed in topic "${moved.topic}", partition ${moved.partition}, in the meantime`, {
    code: 'GROUP_IN_USE',
    exit: 'conflict',
    hint: 'Nothing was changed; run the command again to see what it would do now.',
  })
}

const cameAlive = (group: string): SkkError =>
  new SkkError(`group "${group}" has members again, and only an empty group can be reset`, {
    code: 'GROUP_IN_USE',
    exit: 'conflict',
    hint: `Nothing was changed; stop them, and see with \`skk groups describe ${group}\` when the group is empty.`,
  })
