import {QUOTAS} from '../../limits.js'
import {type RetryPolicy, retry} from '../../retry.js'
import {BrokerError} from '../broker-error.js'
import type {Cluster} from '../cluster.js'
import {asSkkError} from '../errors.js'
import type {Settled} from '../several.js'
import type {KafkaTarget} from '../target.js'
import {alterTopic, createTopics, deleteTopics, replicationFactorFor} from '../topics.js'
import type {Clock, TopicPace} from './pace.js'
import {partitionsOf, type TopicDifference, type TopicStep} from './plan.js'

export type AppliedStep = Settled & Pick<TopicStep, 'changes' | 'records'>

export type ApplyWorld = {
  cluster: Cluster
  kafka: KafkaTarget
  serverless: boolean
  pace: TopicPace
  clock: Clock
  /** Called after each step. */
  onStep?(done: number): void
}

const THROTTLING_QUOTA_EXCEEDED = 89
/** The quota of partitions counts five minutes; two such windows are waited for. */
const THROTTLED_MS = 600_000
const UNTIL_ROOM: RetryPolicy = {attempts: Number.POSITIVE_INFINITY, firstDelayMs: 1_000, maxDelayMs: 30_000}

/**
 * Carries out a plan, one request at a time. A step that fails does not stop the others, but nothing is deleted then. Never throws for
 * what one topic fails with: that is in its result. What was done is as wanted, so the same plan made again goes on from there.
 */
export async function applyTopics(steps: readonly TopicStep[], world: ApplyWorld): Promise<AppliedStep[]> {
  const results: AppliedStep[] = []
  const work = async (step: TopicStep, status: string): Promise<void> => {
    results.push(await settle(step, status, world))
    world.onStep?.(results.length)
  }
  for (const step of steps) if (step.action !== 'delete') await work(step, STATUS[step.action])
  const failed = results.some(({error}) => error)
  for (const step of steps) {
    if (step.action !== 'delete') continue
    if (failed) results.push({...identityOf(step), status: 'kept'})
    else await work(step, STATUS.delete)
  }
  return results
}

const STATUS = {create: 'created', alter: 'altered', delete: 'deleted', keep: 'unchanged', refuse: 'failed'} as const

async function settle(step: TopicStep, status: string, world: ApplyWorld): Promise<AppliedStep> {
  try {
    await carryOut(step, world)
    return {...identityOf(step), status}
  } catch (error) {
    return {...identityOf(step), status: 'failed', error: asSkkError(error, world.kafka)}
  }
}

const identityOf = ({name, changes, records}: TopicStep) => ({name, changes, ...(records !== undefined && {records})})

function carryOut(step: TopicStep, world: ApplyWorld): Promise<void> {
  if (step.action === 'create') return create(step, world)
  if (step.action === 'alter') return alter(step, world)
  return step.action === 'delete' ? remove(step, world) : Promise.resolve()
}

async function create({name, changes}: TopicStep, world: ApplyWorld): Promise<void> {
  const {cluster, kafka, serverless} = world
  const [first = 1, ...rest] = widths(0, partitionsOf({name, changes, action: 'create'})!)
  const configs = Object.fromEntries(configChanges(changes).map(({field, to}) => [field, String(to)]))
  const topic = {name, partitions: first, replicationFactor: replicationFactorFor(serverless), configs}
  await patiently(first, world, async () => {
    const [outcome] = await createTopics(cluster, [topic], {dryRun: false, timeoutMs: kafka.timeoutMs})
    if (outcome?.error) throw outcome.error
  })
  await widen(name, first, rest, world)
}

async function alter(step: TopicStep, world: ApplyWorld): Promise<void> {
  const {name, changes} = step
  const configs = Object.fromEntries(configChanges(changes).map(({field, to}) => [field, to === null ? null : String(to)]))
  if (Object.keys(configs).length > 0) await patiently(0, world, () => change(name, {configs}, world))
  const wanted = changes.find(({field}) => field === 'partitions')
  if (wanted) await widen(name, Number(wanted.from), widths(Number(wanted.from), Number(wanted.to)), world)
}

async function widen(name: string, from: number, totals: readonly number[], world: ApplyWorld): Promise<void> {
  let have = from
  for (const partitions of totals) {
    await patiently(partitions - have, world, () => change(name, {partitions, configs: {}}, world))
    have = partitions
  }
}

const change = (name: string, wanted: Parameters<typeof alterTopic>[2], {cluster, kafka}: ApplyWorld): Promise<void> =>
  alterTopic(cluster, name, wanted, {dryRun: false, timeoutMs: kafka.timeoutMs})

/** The totals on the way from `from` to `to`: no step is wider than what five minutes allow. */
function widths(from: number, to: number): number[] {
  const totals: number[] = []
  for (let total = from; total < to; ) {
    total = Math.min(to, total + QUOTAS.partitionChangesPerFiveMinutes)
    totals.push(total)
  }
  return totals
}

const configChanges = (changes: readonly TopicDifference[]): TopicDifference[] =>
  changes.filter(({field}) => field !== 'partitions')

function remove({name, changes}: TopicStep, world: ApplyWorld): Promise<void> {
  const partitions = Number(changes.find(({field}) => field === 'partitions')?.from ?? 0)
  return patiently(partitions, world, async () => {
    const [outcome] = await deleteTopics(world.cluster, [name], world.kafka.timeoutMs)
    if (outcome?.error) throw outcome.error
  })
}

/** `request` at the pace of the quotas, again while the cluster says that they are exceeded: others may use them up too. */
async function patiently(partitions: number, {pace, clock}: ApplyWorld, request: () => Promise<void>): Promise<void> {
  let refusedSince: number | undefined
  await retry(
    async () => {
      await pace.take(partitions)
      await request()
    },
    (error) => {
      if (!(error instanceof BrokerError && error.code === THROTTLING_QUOTA_EXCEEDED)) return false
      refusedSince ??= clock.now()
      return clock.now() - refusedSince < THROTTLED_MS
    },
    UNTIL_ROOM,
    {sleep: clock.sleep, random: Math.random},
  )
}
