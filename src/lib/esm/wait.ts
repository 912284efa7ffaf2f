import type {Mapping} from '../aws/mapping.js'
import {SkkError} from '../errors.js'
import {readMappings, type World} from './attach.js'
import {healthOf} from './health.js'

/** `settled` is Enabled or Disabled, whichever it comes to. */
export type Until = 'settled' | 'enabled' | 'disabled' | 'healthy' | 'gone'

export type Watched = {uuid: string; label: string; eventSourceArn: string; until: Until}

export type Seen = Watched & {
  /** As it was last listed; null when it was not in the list. */
  mapping: Mapping | null
  /** What the health was seen by, with `healthy`. */
  evidence?: string
  error?: SkkError
}

export type WaitOptions = {
  /** By the world's clock. */
  deadline: number
  /** Between two looks at first, and at most; a little jitter is added. */
  pollMs: {first: number; most: number}
  /** Other signs than the last result that a mapping consumes: a member or an offset of its group, a metric. */
  evidenceOf?: (mapping: Mapping) => Promise<string | undefined>
  onTick?: (seen: readonly Seen[]) => void
}

/** Lists of AWS lag behind its changes: so many in a row without a mapping mean that it is gone. */
const ABSENCES = 5

/**
 * Waits for all mappings with one List per cluster and tick, because Get for each would use up the account's 15 calls a second.
 * Every one comes back in its order, with an error (pending 8, conflict 6) when it did not come to what was waited for.
 */
export async function waitForAll(
  world: Pick<World, 'lambda' | 'conduct'>,
  watched: readonly Watched[],
  {deadline, pollMs, evidenceOf, onTick}: WaitOptions,
): Promise<Seen[]> {
  const {clock, random} = world.conduct
  const done = new Map<string, Seen>()
  const absent = new Map<string, number>()
  for (let tick = 0; ; tick++) {
    const open = watched.filter(({uuid}) => !done.has(uuid))
    const sources = [...new Set(open.map(({eventSourceArn}) => eventSourceArn))]
    const listed = new Map<string, Mapping>()
    for (const eventSourceArn of sources)
      for (const mapping of await readMappings(world, {eventSourceArn})) listed.set(mapping.uuid, mapping)

    const now: Seen[] = open.map((one) => ({...one, mapping: listed.get(one.uuid) ?? null}))
    for (const seen of now) {
      const {uuid, mapping} = seen
      absent.set(uuid, mapping ? 0 : (absent.get(uuid) ?? 0) + 1)
      const ended = await endOf(seen, absent.get(uuid)!, evidenceOf)
      if (ended) done.set(uuid, ended)
    }
    const all = watched.map((one) => done.get(one.uuid) ?? now.find(({uuid}) => uuid === one.uuid)!)
    onTick?.(all)
    if (done.size === watched.length) return all

    const pause = Math.min(pollMs.most, pollMs.first * 1.3 ** tick) * (0.9 + 0.2 * random())
    if (clock.now() + pause > deadline) return all.map((seen) => (done.has(seen.uuid) ? seen : {...seen, error: pending(seen)}))
    await clock.sleep(pause)
  }
}

async function endOf(seen: Seen, absences: number, evidenceOf: WaitOptions['evidenceOf']): Promise<Seen | undefined> {
  const {mapping, until} = seen
  if (!mapping) {
    if (until === 'gone') return seen
    return absences < ABSENCES ? undefined : {...seen, error: vanished(seen)}
  }
  const {state} = mapping
  if (until === 'settled') return state === 'Enabled' || state === 'Disabled' ? seen : undefined
  if (until === 'disabled') return state === 'Disabled' ? seen : undefined
  if (until === 'gone') return undefined
  if (state === 'Disabled') return {...seen, error: turnedOff(seen)}
  if (state !== 'Enabled') return undefined
  if (until === 'enabled') return seen
  if (mapping.lastProcessingResult === 'OK') return {...seen, evidence: 'last result OK'}
  const evidence = await evidenceOf?.(mapping)
  return evidence === undefined ? undefined : {...seen, evidence}
}

function pending({label, uuid, mapping, until}: Seen): SkkError {
  const health = mapping && healthOf(mapping)
  const what =
    until === 'healthy' && mapping?.state === 'Enabled'
      ? `enabled, ${health!.cause ? `but ${health!.cause} (${mapping.lastProcessingResult})` : 'not yet seen consuming'}`
      : `still ${mapping?.state ?? 'not listed'}`
  return new SkkError(`mapping "${label}" is ${what}`, {
    code: 'PENDING',
    exit: 'pending',
    retryable: true,
    hint: health?.fix ?? `It goes on without skk; run \`skk esm describe ${uuid}\` to see how far it is.`,
  })
}

const vanished = ({label, uuid}: Seen): SkkError =>
  new SkkError(`mapping "${label}" (${uuid}) was deleted by somebody else`, {
    code: 'MAPPING_GONE',
    exit: 'conflict',
    hint: 'Run the same command again to make it anew.',
  })

const turnedOff = ({label, mapping}: Seen): SkkError =>
  new SkkError(`AWS turned mapping "${label}" off${mapping?.stateReason ? `: ${mapping.stateReason}` : ''}`, {
    code: 'MAPPING_DISABLED',
    exit: 'conflict',
    hint: 'Take the cause away, then run `skk esm resume` with its UUID.',
  })
