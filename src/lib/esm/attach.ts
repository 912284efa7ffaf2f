import {
  createMapping,
  deleteMapping,
  explainLambda,
  getMapping,
  type Lambda,
  listMappings,
  tag,
  tagsOf,
  updateMapping,
  type Verdict,
} from '../aws/lambda.js'
import {functionNameOf, type Mapping, type MappingSettings} from '../aws/mapping.js'
import {SkkError} from '../errors.js'
import {type Call, type Conduct, call} from './call.js'
import {conflictError} from './conflict.js'
import type {Journal} from './journal.js'
import {
  type Difference,
  type Existing,
  findExisting,
  groupOf,
  identityKey,
  labelOf,
  needsTags,
  type PlanOptions,
  planMapping,
  type Step,
  type Wanted,
} from './plan.js'

/** What carrying out a plan needs. */
export type World = {
  lambda: Lambda
  conduct: Conduct
  journal: Journal
  options: PlanOptions
  /** Of a file that says which mappings there are. */
  manifest?: string
  /** How often a mapping that is being deleted is looked at, in milliseconds. */
  tickMs: number
  on?: (news: News) => void
}

export type News = {mapping: string; doing: string; attempt?: number; waitMs?: number}

type Result = 'created' | 'unchanged' | 'updated' | 'adopted' | 'replaced'

export type Attached = {
  wanted: Wanted
  label: string
  result: Result | 'failed'
  uuid: string | null
  differences: Difference[]
  /** Calls that were sent for it beyond the first of each. */
  retries: number
  error?: SkkError
}

/** The mappings of the clusters that a plan speaks of, those in question with their tags. Throws SkkError. */
export async function readExisting(world: World, wanted: readonly Wanted[]): Promise<Existing[]> {
  const sources = [...new Set(wanted.map(({eventSourceArn}) => eventSourceArn))]
  const found = (await Promise.all(sources.map((eventSourceArn) => readMappings(world, {eventSourceArn})))).flat()
  const matches = wanted.flatMap((one) => {
    const existing = findExisting(one, found)
    return existing && needsTags(one, existing, world.options) ? [existing] : []
  })
  const tagged = new Map(await each(matches, async ({uuid, arn}) => [uuid, await readTags(world, arn)] as const))
  return found.map((mapping) => {
    const tags = tagged.get(mapping.uuid)
    return tags ? {...mapping, tags} : mapping
  })
}

/** Mappings of Kafka topics, in calls that are paced. Throws SkkError. */
export async function readMappings(
  {lambda, conduct}: Pick<World, 'lambda' | 'conduct'>,
  filter: {eventSourceArn?: string; functionName?: string} = {},
): Promise<Mapping[]> {
  const send = () => listMappings(lambda, filter, {beforePage: conduct.pace.take})
  return explained(lambda, 'ListEventSourceMappings', filter.functionName ?? filter.eventSourceArn, () =>
    call({verb: 'read', send}, conduct),
  )
}

/** Throws SkkError. */
export const readTags = ({lambda, conduct}: Pick<World, 'lambda' | 'conduct'>, arn: string): Promise<Record<string, string>> =>
  explained(lambda, 'ListTags', arn, () => call({verb: 'read', send: () => tagsOf(lambda, arn)}, conduct))

/**
 * Carries out the steps, `concurrency` at a time, all in one pace. A step that fails keeps no other from going on; every step has
 * an outcome, in the order of the steps.
 */
export function attachAll(steps: readonly Step[], world: World, concurrency = 6): Promise<Attached[]> {
  return each(steps, (step) => attachOne(step, world), concurrency)
}

async function attachOne(first: Step, world: World): Promise<Attached> {
  const label = labelOf(first.wanted)
  const counted = {retries: 0}
  const base = {wanted: first.wanted, label, differences: 'differences' in first ? first.differences : []}
  try {
    const {result, uuid} = await carryOut(first, {...world, label, counted})
    world.on?.({mapping: label, doing: result})
    return {...base, result, uuid, retries: counted.retries}
  } catch (thrown) {
    const error = thrown instanceof SkkError ? thrown : undefined
    if (!error) throw thrown
    world.journal.write({event: 'failed', mapping: label})
    world.on?.({mapping: label, doing: 'failed'})
    return {...base, result: 'failed', uuid: null, retries: counted.retries, error}
  }
}

type OneWorld = World & {label: string; counted: {retries: number}}

async function carryOut(first: Step, world: OneWorld): Promise<{result: Result; uuid: string}> {
  let step = first
  let replaced = false
  for (;;) {
    switch (step.action) {
      case 'noop':
        return {result: 'unchanged', uuid: step.existing.uuid}
      case 'conflict':
        throw conflictError(step)
      case 'adopt':
        await adopt(step.wanted, step.existing, world)
        if (step.differences.length > 0) await change(step.existing, settingsOf(step), world)
        return {result: 'adopted', uuid: step.existing.uuid}
      case 'update':
        await change(step.existing, settingsOf(step), world)
        return {result: 'updated', uuid: step.existing.uuid}
      case 'replace':
        await removeAndWait(step.existing, world)
        replaced = true
        step = {action: 'create', wanted: keepingGroup(step.wanted, step.existing)}
        break
      case 'create': {
        const made = await create(step.wanted, world)
        if (made.own) return {result: replaced ? 'replaced' : 'created', uuid: made.uuid}
        step = planMapping(step.wanted, [made.existing], world.options)
        break
      }
    }
  }
}

const settingsOf = ({wanted, differences}: {wanted: Wanted; differences: Difference[]}): MappingSettings => {
  const names = new Set(differences.map(({field}) => field))
  return Object.fromEntries(Object.entries(wanted.settings).filter(([name]) => names.has(name)))
}

/** So that the offsets go on, unless another group is what was asked for. */
const keepingGroup = (wanted: Wanted, {group}: Existing): Wanted =>
  wanted.group === undefined && group ? {...wanted, group} : wanted

type Made = {own: true; uuid: string} | {own: false; existing: Existing}

/** Creates it, or finds what is there instead: after a conflict, or when the answer of a create was lost. */
async function create(wanted: Wanted, world: OneWorld): Promise<Made> {
  const {lambda, journal, label} = world
  const {startingTime, settings, eventSourceArn, topic} = wanted
  const mapping = {
    functionName: wanted.function,
    eventSourceArn,
    topic,
    group: groupOf(wanted),
    startingPosition: wanted.startingPosition ?? ('TRIM_HORIZON' as const),
    ...(startingTime !== undefined && {startingTime}),
    ...settings,
  }
  journal.write({event: 'creating', mapping: label})
  const send = async (): Promise<Made> => ({
    own: true,
    uuid: (await createMapping(lambda, mapping, tagsFor(wanted, world))).uuid,
  })
  const recover = (_: unknown, verdict: Verdict) => findMade(wanted, verdict, world)
  const made = await patiently(world, 'CreateEventSourceMapping', label, {verb: 'create', send, recover})
  if (made.own) journal.write({event: 'created', mapping: label, uuid: made.uuid})
  return made
}

async function findMade(wanted: Wanted, verdict: Verdict, world: OneWorld): Promise<Made | undefined> {
  const uuid = verdict.kind === 'adopt' ? verdict.uuid : undefined
  const existing = uuid ? await lookUntilNotDeleting(uuid, world) : await lookByIdentity(wanted, world)
  if (!existing) return undefined
  const tags = await readTags(world, existing.arn).catch(() => ({}) as Record<string, string>)
  if (tags['skk:run'] === world.journal.run && tags['skk:key'] === keyOf(wanted)) return {own: true, uuid: existing.uuid}
  return {own: false, existing: {...existing, tags}}
}

/** Also one of another function that holds the group: AWS's conflict may be about that. */
async function lookByIdentity(wanted: Wanted, world: OneWorld): Promise<Mapping | undefined> {
  const all = await readMappings(world, {eventSourceArn: wanted.eventSourceArn})
  const going = all.find(
    (mapping) => mapping.state === 'Deleting' && mapping.topic === wanted.topic && sameFunction(mapping, wanted),
  )
  if (going) return lookUntilNotDeleting(going.uuid, world)
  return findExisting(wanted, all) ?? all.find(({group}) => group === groupOf(wanted))
}

const sameFunction = (mapping: Mapping, wanted: Wanted): boolean => mapping.function === functionNameOf(wanted.function)

/** Undefined when it is gone. */
async function lookUntilNotDeleting(uuid: string, world: OneWorld): Promise<Mapping | undefined> {
  const {lambda, conduct, tickMs, on, label} = world
  for (;;) {
    const found = await patiently(world, 'GetEventSourceMapping', uuid, {verb: 'read', send: () => getMapping(lambda, uuid)})
    if (found?.state !== 'Deleting') return found
    on?.({mapping: label, doing: 'waiting until the one before is deleted', waitMs: tickMs})
    if (conduct.clock.now() + tickMs > conduct.deadline) throw pending(label, 'is still being deleted')
    await conduct.clock.sleep(tickMs)
  }
}

async function adopt(wanted: Wanted, existing: Existing, world: OneWorld): Promise<void> {
  const group = existing.group ?? groupOf(wanted)
  const tags = {...tagsFor({...wanted, group}, world)}
  await patiently(world, 'TagResource', existing.arn, {verb: 'update', send: () => tag(world.lambda, existing.arn, tags)})
}

/** Updates the settings given; the same update twice does no harm. Throws SkkError. */
export async function change(existing: Mapping, settings: MappingSettings, world: OneWorld): Promise<void> {
  const {lambda, journal, label} = world
  journal.write({event: 'updating', mapping: label, uuid: existing.uuid, before: existing})
  const send = () => updateMapping(lambda, existing.uuid, settings)
  await patiently(world, 'UpdateEventSourceMapping', existing.uuid, {verb: 'update', send})
}

/** Deletes a mapping, which goes on for a while; one that is gone already is fine. Throws SkkError. */
export async function remove(existing: Mapping, world: OneWorld): Promise<void> {
  const {lambda, journal, label} = world
  journal.write({event: 'deleting', mapping: label, uuid: existing.uuid, before: existing})
  const send = () => deleteMapping(lambda, existing.uuid)
  await patiently(world, 'DeleteEventSourceMapping', existing.uuid, {verb: 'delete', send})
}

async function removeAndWait(existing: Mapping, world: OneWorld): Promise<void> {
  await remove(existing, world)
  await lookUntilNotDeleting(existing.uuid, world)
  world.journal.write({event: 'deleted', mapping: world.label, uuid: existing.uuid})
}

/** A world for changes of one mapping that has no plan. */
export const worldOf = (world: World, label: string): OneWorld => ({...world, label, counted: {retries: 0}})

const keyOf = (wanted: Wanted): string => identityKey({...wanted, group: groupOf(wanted)})

/** CreateEventSourceMapping has no client token: these tags are how a create whose answer was lost is recognised. */
const tagsFor = (wanted: Wanted, {journal, manifest}: World): Record<string, string> => ({
  ...wanted.tags,
  'skk:managed': '1',
  'skk:key': keyOf(wanted),
  'skk:run': journal.run,
  ...(manifest && {'skk:manifest': manifest}),
})

function patiently<T>(world: OneWorld, action: string, resource: string, what: Omit<Call<T>, 'onRetry'>): Promise<T> {
  const onRetry = (attempt: number, because: string, waitMs: number): void => {
    world.counted.retries += 1
    world.on?.({mapping: world.label, doing: because, attempt, waitMs})
  }
  return explained(world.lambda, action, resource, () => call({...what, onRetry}, world.conduct))
}

async function explained<T>(lambda: Lambda, action: string, resource: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw explainLambda(lambda, error, action, resource)
  }
}

const pending = (label: string, what: string): SkkError =>
  new SkkError(`mapping "${label}" ${what}`, {
    code: 'PENDING',
    exit: 'pending',
    retryable: true,
    hint: 'It goes on without skk; run the same command again in a minute.',
  })

/** `work` for each item, `width` at a time; the results in the order of the items. */
export async function each<Item, Out>(items: readonly Item[], work: (item: Item) => Promise<Out>, width = 6): Promise<Out[]> {
  const results: Out[] = new Array(items.length)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const mine = next++
      results[mine] = await work(items[mine]!)
    }
  }
  await Promise.all(Array.from({length: Math.min(width, items.length)}, worker))
  return results
}
