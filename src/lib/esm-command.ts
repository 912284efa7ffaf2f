import {createHash, randomUUID} from 'node:crypto'
import {join} from 'node:path'
import {setTimeout as delay} from 'node:timers/promises'

import {type Command, Flags} from '@oclif/core'

import {closeLambda, openLambda} from './aws/lambda.js'
import type {Mapping} from './aws/mapping.js'
import {type Access, findCluster} from './aws/msk.js'
import {BaseCommand, durationFlag} from './base-command.js'
import {isArn, isLoopbackUrl} from './contexts/addresses.js'
import {isLocal} from './contexts/bootstrap.js'
import {lambdaAccess} from './contexts/lambda-endpoint.js'
import type {Target} from './contexts.js'
import {SkkError} from './errors.js'
import {type News, readMappings, type World} from './esm/attach.js'
import {noJournal, openJournal} from './esm/journal.js'
import {createPace} from './esm/pace.js'
import {labelOf, type PlanOptions} from './esm/plan.js'
import {selectMappings} from './esm/select.js'
import {type Seen, type Watched, waitForAll} from './esm/wait.js'
import type {KafkaTarget} from './kafka/target.js'
import {startRows} from './output/rows.js'

const RETRY_DEADLINE_MS = 15 * 60_000
/** Terraform's bound for a mapping that changes. */
export const WAIT_MS = 10 * 60_000
const TICK_MS = 3_000
const LOCAL_TICK_MS = 100

/** For every verb that changes something. */
export const retryFlags = {
  retry: Flags.boolean({
    description: 'go on under throttling, lost answers and roles that IAM has not spread yet, until it is as wanted',
  }),
  'retry-deadline': durationFlag({description: 'how long to go on (default 15m)', dependsOn: ['retry']}),
}

/** For the verbs that wait for a state. */
export const waitFlag = {
  wait: Flags.boolean({description: 'wait until AWS has carried it out', allowNo: true, default: true}),
}

/** Which mappings a verb acts on. */
export const selectionFlags = {
  function: Flags.string({description: 'mappings of this function', helpValue: '<name[:alias]>'}),
  topic: Flags.string({description: 'mappings of this topic'}),
}

type CommonFlags = {
  retry?: boolean
  'retry-deadline'?: number
  timeout?: number
  function?: string
  topic?: string
  adopt?: boolean
  replace?: boolean
  force?: boolean
}

/** What the commands for event-source mappings share: one client, one pace, and how they wait and report. */
export abstract class EsmCommand<C extends typeof Command> extends BaseCommand<C> {
  private get common(): CommonFlags {
    return this.flags as CommonFlags
  }

  /**
   * Runs `work` with everything that calls of Lambda need, and lets go of it at its end. `plan` names changes that are carried out,
   * so that a killed run of the same is resumed.
   */
  protected async withLambda<T>(account: Target, work: (world: World) => Promise<T>, plan?: string): Promise<T> {
    const access = lambdaAccess(account, process.env)
    const lambda = await openLambda(access)
    const clock = {now: () => performance.now(), sleep: (ms: number) => delay(ms)}
    const local = access.endpointUrl !== undefined && isLoopbackUrl(access.endpointUrl)
    const {retry = false, 'retry-deadline': deadlineMs = RETRY_DEADLINE_MS} = this.common
    const conduct = {clock, random: Math.random, pace: createPace({clock}), retry, deadline: clock.now() + deadlineMs}
    const id = createHash('sha256').update(`${access.region}\n${access.endpointUrl}\n${plan}`).digest('hex').slice(0, 16)
    const journal = plan === undefined ? noJournal : openJournal(join(this.config.dataDir, 'esm'), id, randomUUID())
    const world = {lambda, conduct, journal, options: this.planOptions(), tickMs: local ? LOCAL_TICK_MS : TICK_MS}
    try {
      return await work(world)
    } catch (error) {
      throw this.withHint(error)
    } finally {
      // A run that ended by itself has said what it left; only a killed one is resumed.
      journal.finish()
      closeLambda(lambda)
    }
  }

  private planOptions(): PlanOptions {
    const {adopt = false, replace = false, force = false} = this.common
    return {adopt, replace, force}
  }

  /** What a throttle needs is `--retry`, where the command has it. */
  protected withHint(error: unknown): unknown {
    const retries = 'retry' in (this.ctor.flags ?? {})
    if (!(error instanceof SkkError) || error.code !== 'THROTTLED' || !retries || this.common.retry) return error
    return new SkkError(error.message, {
      code: error.code,
      exit: 'unavailable',
      hint: `Run \`${this.typed(['--retry'])}\` to go on until it is done.`,
      cause: error.cause,
    })
  }

  /** For CloudWatch's metrics of mappings, which the local stack has too, on its one endpoint. */
  protected metricsAccess(account: Target): Access {
    const {region, credentials, timeoutMs, endpointUrl} = account
    return {region, credentials, timeoutMs, endpointUrl: isLocal(account) ? endpointUrl : undefined}
  }

  /** For calls of other services of AWS; undefined on the local stack, which has none. */
  protected othersAccess(account: Target): Access | undefined {
    const {region, credentials, timeoutMs} = account
    return isLocal(account) ? undefined : {region, credentials, timeoutMs, endpointUrl: undefined}
  }

  /** ARN of the cluster that was chosen. Throws SkkError: usage when it is not a cluster of MSK, not found. */
  protected async clusterArn(account: Target): Promise<string> {
    const {cluster} = account
    if (cluster) return isArn(cluster) ? cluster : (await findCluster(account, cluster)).arn
    throw new SkkError('a mapping needs the name or ARN of an MSK cluster', {
      code: 'CLUSTER_MISSING',
      exit: 'usage',
      hint: 'Pass `--cluster`, or a context that names one with `--context`.',
    })
  }

  /** The brokers of a mapping. Throws SkkError (usage) when another cluster than the mapping's was chosen. */
  protected async kafkaOf({eventSourceArn, function: name, topic}: Mapping): Promise<KafkaTarget> {
    const kafka = await this.kafka()
    if (kafka.clusterArn === undefined || kafka.clusterArn === eventSourceArn) return kafka
    throw new SkkError(`mapping "${labelOf({function: name, topic})}" is not of the cluster that was chosen`, {
      code: 'OTHER_CLUSTER',
      exit: 'usage',
      hint: `Choose its own with \`--cluster ${eventSourceArn}\`.`,
    })
  }

  /** Like `clusterArn`, undefined when none was chosen: every cluster counts. */
  protected clusterArnIfAny(account: Target): Promise<string | undefined> {
    return account.cluster ? this.clusterArn(account) : Promise.resolve(undefined)
  }

  /** The mappings that UUIDs, --function, --topic and the cluster select, by function and topic. Throws SkkError. */
  protected async selected(world: World, account: Target, uuids: readonly string[] = []): Promise<Mapping[]> {
    const eventSourceArn = uuids.length > 0 ? undefined : await this.clusterArnIfAny(account)
    const {function: functionName, topic} = this.common
    const all = await readMappings(world, eventSourceArn === undefined ? {} : {eventSourceArn})
    return selectMappings(all, {uuids, functionName, topic})
  }

  /** At least one UUID, or a function. Throws SkkError (usage). */
  protected requireSelection(uuids: readonly string[]): void {
    if (uuids.length > 0 || this.common.function !== undefined || this.common.topic !== undefined) return
    throw new SkkError('missing UUID or --function', {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Run `skk esm list` to see the mappings, then name one by its UUID, or by `--function` and `--topic`.',
    })
  }

  /** Waits for all, with progress; the errors are in what comes back. */
  protected async waitFor(
    world: World,
    watched: readonly Watched[],
    evidenceOf?: (mapping: Mapping) => Promise<string | undefined>,
  ): Promise<Seen[]> {
    const rows = startRows({quiet: Boolean(this.flags.quiet)})
    const local = world.tickMs === LOCAL_TICK_MS
    const onTick = (seen: readonly Seen[]): void => {
      const open = seen.filter(({until, mapping}) => !isThere(until, mapping))
      for (const {label, until, mapping} of seen) rows.update(label, mapping?.state ?? 'not listed', isThere(until, mapping))
      rows.total(`waiting for ${open.length} of ${seen.length}: ${summary(open)}`, seen.length - open.length, seen.length)
    }
    try {
      return await waitForAll(world, watched, {
        deadline: world.conduct.clock.now() + (this.common.timeout ?? WAIT_MS),
        pollMs: local ? {first: LOCAL_TICK_MS, most: 500} : {first: TICK_MS, most: 10_000},
        onTick,
        ...(evidenceOf && {evidenceOf}),
      })
    } finally {
      rows.stop()
    }
  }

  /** Shows what a world tells, a line for each of the `total` mappings that are to be done, and sums it up at its end. */
  protected watch(world: World, total: number): {stop(): void; made: Map<string, string>} {
    const rows = startRows({quiet: Boolean(this.flags.quiet)})
    const {clock, pace} = world.conduct
    const began = clock.now()
    const made = new Map<string, string>()
    let repeated = 0
    world.on = ({mapping, doing, attempt, waitMs}: News): void => {
      if (DONE.has(doing)) made.set(mapping, doing)
      if (attempt !== undefined) repeated++
      const wait =
        waitMs === undefined ? '' : `${attempt ? `, attempt ${attempt}` : ''}, again in ${(waitMs / 1000).toFixed(1)} s`
      rows.update(mapping, `${doing}${wait}`, DONE.has(doing))
      const throttled = pace.throttles > 0 ? `, ${pace.throttles} throttled` : ''
      rows.total(`${made.size} of ${total} done (${pace.rate.toFixed(1)} calls/s${throttled})`, made.size, total)
    }
    const stop = (): void => {
      rows.stop()
      const seconds = ((clock.now() - began) / 1000).toFixed(1)
      if (total > 1) this.note(`${countsOf(made)} in ${seconds} s, ${repeated} calls repeated, ${pace.throttles} throttled`)
    }
    return {stop, made}
  }
}

function countsOf(made: ReadonlyMap<string, string>): string {
  const results = [...made.values()]
  const counts = [...new Set(results)].map((result) => `${results.filter((one) => one === result).length} ${result}`)
  return counts.length > 0 ? counts.join(', ') : 'nothing done'
}

const DONE = new Set(['created', 'unchanged', 'updated', 'adopted', 'replaced', 'deleted', 'failed'])

const isThere = (until: Watched['until'], mapping: Mapping | null): boolean =>
  until === 'gone' ? mapping === null : mapping?.state === (until === 'disabled' ? 'Disabled' : 'Enabled')

const summary = (open: readonly Seen[]): string =>
  open
    .slice(0, 3)
    .map(({label, mapping}) => `${label} ${mapping?.state ?? 'not listed'}`)
    .join(', ')
