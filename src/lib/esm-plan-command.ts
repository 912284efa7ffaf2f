import {type Command, Flags} from '@oclif/core'

import {deleteMapping, tagsOf} from './aws/lambda.js'
import {functionNameOf, type Mapping} from './aws/mapping.js'
import {confirmationFlags, dryRunFlag} from './base-command.js'
import type {Target} from './contexts.js'
import {SkkError} from './errors.js'
import {adviceOn, checkPlan, pollersEstimate} from './esm/advice.js'
import {type Attached, attachAll, each, readExisting, type World} from './esm/attach.js'
import {call} from './esm/call.js'
import {removeAll} from './esm/change.js'
import {conflictError, describeDifference} from './esm/conflict.js'
import {failureOfMappings, isChange, type Outcome, withSeen} from './esm/outcome.js'
import {groupOf, planMapping, type Step, type Wanted} from './esm/plan.js'
import type {Check} from './esm/preflight.js'
import type {Until} from './esm/wait.js'
import {EsmCommand, retryFlags, waitFlag} from './esm-command.js'
import {consumingSigns} from './esm-evidence.js'
import {preflight} from './esm-preflight.js'

/** For the verbs that bring mappings into a wanted state. */
export const planFlags = {
  ...retryFlags,
  ...waitFlag,
  ...dryRunFlag,
  until: Flags.option({
    options: ['enabled', 'healthy'] as const,
    description: 'what to wait for: AWS has enabled it, or it was seen consuming',
    default: 'enabled',
  })(),
  adopt: Flags.boolean({description: 'take over and change mappings that skk did not make'}),
  replace: Flags.boolean({description: 'delete and make anew what AWS cannot change; the consumer group stays'}),
  force: Flags.boolean({description: 'change mappings that CloudFormation made, too'}),
  'rollback-on-failure': Flags.boolean({description: 'when one fails, delete those that this run made'}),
  preflight: Flags.boolean({
    description: 'check function, role, cluster, topic and group before anything is made',
    allowNo: true,
    default: true,
  }),
  concurrency: Flags.integer({description: 'mappings that are worked on at once', min: 1, max: 10, default: 6}),
  yes: confirmationFlags.yes,
}

/** Shows a plan and asks; what comes back is to be deleted. Nothing is asked under --dry-run. */
export type Review = (world: World, steps: readonly Step[], existing: readonly Mapping[]) => Promise<readonly Mapping[]>

type Signs = Awaited<ReturnType<typeof consumingSigns>>

type PlanFlags = {
  retry?: boolean
  wait: boolean
  'dry-run'?: boolean
  until: 'enabled' | 'healthy'
  'rollback-on-failure'?: boolean
  concurrency: number
  preflight: boolean
}

/** What attach and apply share: plan, agree, carry out, wait, report. */
export abstract class EsmPlanCommand<C extends typeof Command> extends EsmCommand<C> {
  private get plan(): PlanFlags {
    return this.flags as unknown as PlanFlags
  }

  /** Brings the mappings into being. Throws SkkError: conflict (6) before anything is changed, partial (7), pending (8). */
  protected carryOut(
    account: Target,
    wanted: readonly Wanted[],
    {manifest, review}: {manifest?: string; review?: Review} = {},
  ): Promise<Outcome[]> {
    checkPlan(wanted)
    const work = async (bare: World): Promise<Outcome[]> => {
      const world = manifest === undefined ? bare : {...bare, manifest}
      const existing = await readExisting(world, wanted)
      const steps = wanted.map((one) => planMapping(one, existing, world.options))
      refuseConflicts(steps, (text) => this.warn(text))
      const changed = steps.filter(({action}) => action !== 'noop').map(({wanted}) => wanted)
      for (const advice of adviceOn(changed)) this.warn(advice)
      const estimate = pollersEstimate(steps.flatMap(pollersOf))
      await this.check(account, world, steps)
      if (estimate) this.note(estimate)
      const doomed = (await review?.(world, steps, existing)) ?? []
      if (this.plan['dry-run'])
        return [...steps.map(preview), ...doomed.map((mapping) => outcomeOfDoomed(mapping, 'would delete'))]
      // A plan that was reviewed was shown with its price.
      if (estimate && !review) await this.confirm(`${estimate} Go on?`)
      await this.acting(account)
      const outcomes = await this.perform(account, world, steps)
      return doomed.length === 0 || outcomes.some(({error}) => error)
        ? outcomes
        : [...outcomes, ...(await this.prune(world, doomed))]
    }
    const name = JSON.stringify([manifest, ...wanted.map(({function: f, eventSourceArn, topic}) => [f, eventSourceArn, topic])])
    return this.withLambda(account, work, this.plan['dry-run'] ? undefined : name)
  }

  /** Only a check that failed stops; what cannot be seen from here is said in one line. */
  private async check(account: Target, {lambda}: World, steps: readonly Step[]): Promise<void> {
    const made = steps.filter(({action}) => action === 'create' || action === 'replace').map(({wanted}) => wanted)
    if (!this.plan.preflight || made.length === 0) return
    const checks = await preflight(made, {lambda, account, kafka: () => this.kafka()})
    const of = (status: Check['status']) => checks.filter((check) => check.status === status)
    for (const {detail} of of('warning')) this.warn(detail)
    const unknown = of('unknown').map(({check, detail}) => `${check} (${detail})`)
    this.note(
      `preflight: ${of('ok').length} checks ok${unknown.length > 0 ? `; not checkable from here: ${unknown.join(', ')}` : ''}`,
    )
    const failed = of('failed')
    if (failed.length === 0) return
    throw new SkkError(`preflight: ${failed.map(({detail}) => detail).join('; ')}`, {
      code: 'PREFLIGHT_FAILED',
      exit: failed.every(({detail}) => detail.endsWith('does not exist')) ? 'notFound' : 'conflict',
      hint: `${failed[0]!.hint ?? 'Take the cause away'}, or pass \`--no-preflight\`; nothing was changed.`,
    })
  }

  private async perform(account: Target, world: World, steps: readonly Step[]): Promise<Outcome[]> {
    const {resumed} = world.journal
    if (resumed) this.note(`going on with a run that did not come to its end; it had made ${resumed.made} of ${steps.length}`)
    const signs = await this.signs(account, steps)
    const watching = this.watch(world, steps.length)
    this.onStop(() => this.note(stopped(watching.made, steps.length, this.typed([]))))
    let attached: Attached[]
    try {
      attached = await attachAll(steps, world, this.plan.concurrency)
    } finally {
      watching.stop()
    }
    const failed = attached.some(({result}) => result === 'failed')
    if (failed && this.plan['rollback-on-failure']) return this.rollBack(world, attached)
    const outcomes = attached.map((one) => outcomeOf(one, this.withHint(one.error) as SkkError | undefined))
    return this.plan.wait ? this.waitForEach(world, attached, outcomes, signs) : outcomes
  }

  private async prune(world: World, doomed: readonly Mapping[]): Promise<Outcome[]> {
    const removed = await removeAll(world, doomed)
    const watched = removed.flatMap(({mapping: {uuid, eventSourceArn}, label, error}) =>
      error ? [] : [{uuid, label, eventSourceArn, until: 'gone' as const}],
    )
    const seen = this.plan.wait && watched.length > 0 ? await this.waitFor(world, watched) : []
    return removed.map(({mapping, error}) => {
      const late = seen.find(({uuid}) => uuid === mapping.uuid)?.error
      const failure = error ?? late
      return {...outcomeOfDoomed(mapping, error ? 'failed' : 'deleted'), ...(failure && {error: failure})}
    })
  }

  /** Deletes what carries this run's tag; that of a killed run that this one went on with, too. */
  private async rollBack(world: World, attached: readonly Attached[]): Promise<Outcome[]> {
    const {lambda, conduct, journal} = world
    return each(attached, async (one): Promise<Outcome> => {
      const outcome = outcomeOf(one, one.error)
      if (one.uuid === null) return outcome
      const uuid = one.uuid
      const arn = `arn:aws:lambda:${regionAndAccount(one.wanted.eventSourceArn)}:event-source-mapping:${uuid}`
      const tags =
        one.result === 'created' || one.result === 'unchanged'
          ? await call({verb: 'read', send: () => tagsOf(lambda, arn)}, conduct)
          : {}
      if (tags['skk:run'] !== journal.run) return outcome
      await call({verb: 'delete', send: () => deleteMapping(lambda, uuid)}, conduct)
      return {...outcome, result: 'rolled back'}
    })
  }

  /** Other signs of consuming, where they are waited for. */
  private signs(account: Target, steps: readonly Step[]): Promise<Signs> | undefined {
    if (!this.plan.wait || this.plan.until !== 'healthy') return undefined
    const fresh = steps.filter(({action}) => action === 'create' || action === 'replace').map(({wanted}) => groupOf(wanted))
    return consumingSigns({
      kafka: () => this.kafka(),
      access: this.othersAccess(account),
      fresh,
      onBlind: (why) => this.note(`only the last result shows whether it consumes: ${why}`),
    })
  }

  private async waitForEach(
    world: World,
    attached: readonly Attached[],
    outcomes: readonly Outcome[],
    signs: Signs | undefined,
  ): Promise<Outcome[]> {
    const watched = attached.flatMap(({uuid, label, wanted, result}) => {
      if (uuid === null) return []
      const until = untilOf(wanted, result, this.plan.until)
      return [{uuid, label, eventSourceArn: wanted.eventSourceArn, until}]
    })
    if (watched.length === 0) return [...outcomes]
    const seen = await this.waitFor(world, watched, signs)
    return outcomes.map((outcome) =>
      withSeen(
        outcome,
        seen.find(({uuid}) => uuid === outcome.uuid),
      ),
    )
  }

  /** Prints the outcomes, and fails with what failed. */
  protected report(outcomes: readonly Outcome[]): void {
    for (const {error} of outcomes) if (error && outcomes.length > 1) this.warn(error.message)
    this.table(outcomes, {
      function: (outcome) => outcome.function,
      topic: ({topic}) => topic,
      result: ({result, differences}) =>
        differences.length > 0 ? `${result} (${differences.map(describeDifference).join('; ')})` : result,
      state: ({state}) => state,
      group: ({group}) => group,
      uuid: ({uuid}) => uuid,
    })
    const failure = failureOfMappings(outcomes)
    if (!failure) return
    if (this.jsonEnabled() && outcomes.length > 1) this.logJson(this.toSuccessJson(outcomes))
    throw failure
  }
}

/** A mapping that was off stays off, unless it shall be on. */
function untilOf(wanted: Wanted, result: Attached['result'], until: 'enabled' | 'healthy'): Until {
  if (wanted.settings.enabled === false) return 'disabled'
  const knownOn = wanted.settings.enabled === true || result === 'created' || result === 'replaced'
  return knownOn || until === 'healthy' ? until : 'settled'
}

function refuseConflicts(steps: readonly Step[], warn: (text: string) => void): void {
  const conflicts = steps.filter((step) => step.action === 'conflict').map(conflictError)
  if (conflicts.length === 0) return
  if (steps.length === 1) throw conflicts[0]
  for (const {message} of conflicts) warn(message)
  throw new SkkError(`${conflicts.length} of ${steps.length} mappings exist and are different; nothing was changed`, {
    code: conflicts[0]!.code,
    exit: 'conflict',
    ...(conflicts[0]!.hint && {hint: conflicts[0]!.hint}),
  })
}

const outcomeOfDoomed = (mapping: Mapping, result: string): Outcome => ({
  function: mapping.function,
  topic: mapping.topic,
  group: mapping.group ?? mapping.uuid,
  uuid: mapping.uuid,
  result,
  state: null,
  differences: [],
  retries: 0,
})

const pollersOf = (step: Step) =>
  step.action === 'noop' || step.action === 'conflict'
    ? []
    : [{existing: step.action === 'create' ? null : step.existing, settings: step.wanted.settings}]

const preview = (step: Step): Outcome => ({
  ...identityOf(step.wanted),
  uuid: 'existing' in step ? step.existing.uuid : null,
  result: step.action === 'noop' ? 'unchanged' : `would ${step.action}`,
  state: 'existing' in step ? step.existing.state : null,
  differences: 'differences' in step ? step.differences : [],
  retries: 0,
})

const outcomeOf = (attached: Attached, error: SkkError | undefined): Outcome => ({
  ...identityOf(attached.wanted),
  uuid: attached.uuid,
  result: attached.result,
  state: null,
  differences: isChange(attached) ? attached.differences : [],
  retries: attached.retries,
  ...(error && {error}),
})

const identityOf = (wanted: Wanted) => ({
  function: functionNameOf(wanted.function),
  topic: wanted.topic,
  group: groupOf(wanted),
})

const regionAndAccount = (arn: string): string => arn.split(':').slice(3, 5).join(':')

function stopped(made: ReadonlyMap<string, string>, total: number, command: string): string {
  const there = [...made].filter(([, result]) => result !== 'failed').map(([label, result]) => `${label} (${result})`)
  const list = there.length > 0 ? `: ${there.join(', ')}` : ''
  return `${there.length} of ${total} mappings are as wanted${list}. Run \`${command}\` again to go on.`
}
