import {setTimeout as delay} from 'node:timers/promises'

import {Args, Flags} from '@oclif/core'

import {groupLag, type LagFromMetrics} from '../../lib/aws/group-lag.js'
import {BaseCommand, durationFlag} from '../../lib/base-command.js'
import {isLocal} from '../../lib/contexts/bootstrap.js'
import {formatDuration, parseDuration} from '../../lib/duration.js'
import {EXIT, SkkError} from '../../lib/errors.js'
import {withCluster} from '../../lib/kafka/client.js'
import {asSkkError} from '../../lib/kafka/errors.js'
import {type Bound, failureOfLag, failureOfMetrics} from '../../lib/kafka/groups/bound.js'
import {groupQuestion} from '../../lib/kafka/groups/question.js'
import {type Lagging, lagReport, lagWatch} from '../../lib/kafka/groups/report.js'
import {requireGroup} from '../../lib/kafka/groups.js'
import type {KafkaTarget} from '../../lib/kafka/target.js'
import {sanitizeJson} from '../../lib/output/sanitize.js'
import {write} from '../../lib/output/stdout.js'

type Report = Lagging | LagFromMetrics
type Look = () => Promise<Report>

const INTERVAL_MS = 5_000
/** In a row. */
const MAX_FAILED_LOOKS = 3
const CLEAR_SCREEN = '\x1b[H\x1b[2J'

export default class GroupsDescribe extends BaseCommand<typeof GroupsDescribe> {
  static override description = `show state, members and lag of a consumer group

Lag in time is the age of the next record that the group wants. Where the group has committed nothing ("-"), all that the
partition holds counts as lag. --watch adds how long it will take to clear the lag, at the rate since it began to look; under
--json it prints one line of JSON each time.

With --fail-over the exit code is 6 as soon as one partition lags by more. Without a route to the brokers of an MSK cluster the lag
is CloudWatch's, by topic and a minute or two old`

  static override examples = [
    '<%= config.bin %> <%= command.id %> billing',
    {description: 'every five seconds, until Ctrl-C', command: '<%= config.bin %> <%= command.id %> billing --watch'},
    {
      description: 'in CI: fail when any record has waited for more than five minutes',
      command: '<%= config.bin %> <%= command.id %> billing --fail-over 5m',
    },
    {description: 'the total lag', command: '<%= config.bin %> <%= command.id %> billing --query lag'},
  ]

  static override args = {group: Args.string({name: 'GROUP', description: 'name of the group'})}

  static override flags = {
    watch: Flags.boolean({description: 'look again and again'}),
    interval: durationFlag({description: 'how long to wait in between (default 5s)', dependsOn: ['watch']}),
    'fail-over': Flags.custom<Bound>({parse: async (text) => boundOf(text), helpValue: '<records|duration>'})({
      description: 'exit with 6 when a partition lags by more than so many records, or for longer',
    }),
  }

  async run(): Promise<Report | undefined> {
    const {group} = await this.answers(this.args.group === undefined ? {group: groupQuestion(() => this.kafka())} : {})
    const name = this.args.group ?? group!
    const kafka = await this.kafka()
    try {
      return await withCluster(kafka, (cluster) =>
        this.describe(async () => lagReport(cluster, await requireGroup(cluster, name)), kafka),
      )
    } catch (error) {
      const look = await this.fromMetrics(asSkkError(error, kafka), name)
      if (!look) throw error
      return this.describe(look, kafka)
    }
  }

  private describe(look: Look, kafka: KafkaTarget): Promise<Report | undefined> {
    return this.flags.watch ? this.watch(look, kafka) : this.once(look)
  }

  /** CloudWatch's word where there is no route to the brokers, as from a laptop; undefined where it is none that helps. */
  private async fromMetrics(failure: SkkError, name: string): Promise<Look | undefined> {
    const target = await this.target()
    if (failure.exitCode !== EXIT.unavailable || failure.code === 'LAG_UNKNOWN') return undefined
    if (target.cluster === undefined || isLocal(target)) return undefined
    const {region, credentials, timeoutMs} = target
    const access = {region, credentials, timeoutMs, endpointUrl: undefined}
    const cluster = target.cluster.split('/')[1] ?? target.cluster
    const look = () =>
      groupLag(access, cluster, name).catch((error: Error) => {
        throw withReason(failure, `CloudWatch cannot be asked either: ${error.message}`)
      })
    const first = await look()
    if (!first) throw withReason(failure, `CloudWatch has no lag of group "${name}" of the last 15 minutes`)
    this.warn(`${failure.message}; what follows is CloudWatch's, as of ${first.at}`)
    return async () => (await look()) ?? first
  }

  private async once(look: Look): Promise<Report> {
    const report = await look()
    this.show(report)
    const failure = this.failure(report)
    if (!failure) return report
    if (this.jsonEnabled()) this.logJson(this.toSuccessJson(report))
    throw failure
  }

  private async watch(look: Look, kafka: KafkaTarget): Promise<undefined> {
    const stop = new AbortController()
    this.onStop(() => stop.abort())
    const withRates = lagWatch()
    for (let failed = 0; !stop.signal.aborted; ) {
      try {
        const report = await look()
        this.showLook(report.source === 'brokers' ? withRates(report) : report)
        failed = 0
      } catch (error) {
        // A leader that moves is no reason to end.
        const failure = asSkkError(error, kafka)
        if (failure.exitCode !== EXIT.unavailable || !failure.retryable || ++failed > MAX_FAILED_LOOKS) throw failure
        this.warn(failure.message)
      }
      await delay(this.flags.interval ?? INTERVAL_MS, undefined, {signal: stop.signal}).catch(() => {})
    }
  }

  private showLook(report: Report): void {
    if (this.jsonEnabled()) write(`${sanitizeJson(JSON.stringify(this.toSuccessJson(report)))}\n`)
    else this.log(process.stdout.isTTY ? CLEAR_SCREEN : '')
    this.show(report)
    const failure = this.failure(report)
    if (failure) throw failure
  }

  private failure(report: Report) {
    const bound = this.flags['fail-over']
    if (!bound) return undefined
    return report.source === 'brokers' ? failureOfLag(report, bound) : failureOfMetrics(report, bound)
  }

  private show(report: Report): void {
    if (report.source === 'brokers') this.showGroup(report)
    else
      this.table(report.topics, {
        group: () => report.name,
        topic: ({topic}) => topic,
        lag: ({lag}) => lag,
        'clear in': ({timeToClearMs}) => timeText(timeToClearMs),
        'as of': ({at}) => at,
      })
  }

  private showGroup(report: Lagging): void {
    const {watch, plain} = this.flags
    if (!plain) {
      this.table([report], {
        group: ({name}) => name,
        state: ({state}) => state,
        members: ({members}) => members.length,
        coordinator: ({coordinator: {nodeId, host, port}}) => `${nodeId} (${host}:${port})`,
        lag: ({lag}) => lag,
        'lag in time': ({lagMs}) => timeText(lagMs),
        ...(watch && {'clear in': ({timeToClearMs}: Lagging) => timeText(timeToClearMs)}),
      })
      if (report.partitions.length > 0) this.log()
    }
    this.table(report.partitions, {
      topic: ({topic}) => topic,
      partition: ({partition}) => partition,
      committed: ({committedOffset}) => committedOffset ?? '-',
      end: ({endOffset}) => endOffset ?? '-',
      lag: ({lag}) => lag ?? '-',
      'lag in time': ({lagMs}) => timeText(lagMs),
      ...(watch && {'clear in': ({timeToClearMs}: Lagging['partitions'][number]) => timeText(timeToClearMs)}),
      member: ({memberId}) => memberId ?? '-',
    })
    if (!plain) this.showMembers(report)
    this.warnOfLoss(report)
  }

  private showMembers({members}: Lagging): void {
    if (members.length > 0) this.log()
    this.table(members, {
      member: ({memberId}) => memberId,
      client: ({clientId}) => clientId,
      host: ({host}) => host,
      instance: ({instanceId}) => instanceId ?? '-',
      assigned: ({assignments}) => assignments?.map((each) => `${each.topic} ${each.partitions.join(',')}`).join('; ') ?? '-',
    })
  }

  private warnOfLoss({partitions}: Lagging): void {
    for (const {topic, partition, committedOffset, earliestOffset, endOffset} of partitions) {
      const where = `topic "${topic}", partition ${partition}`
      if (endOffset === null) this.warn(`${where}: it does not exist any more, or has no leader at the moment`)
      else if (committedOffset !== null && committedOffset < earliestOffset!)
        this.warn(`${where}: the records from ${committedOffset} to ${earliestOffset! - 1} are gone, and were not read`)
      else if (committedOffset !== null && committedOffset > endOffset)
        this.warn(`${where}: what was committed is beyond the end; the topic may have been made anew`)
    }
  }
}

const withReason = (failure: SkkError, reason: string): SkkError =>
  new SkkError(`${failure.message}; ${reason}`, {
    code: failure.code,
    exit: 'unavailable',
    ...(failure.hint && {hint: failure.hint}),
    cause: failure,
  })

const boundOf = (text: string): Bound => (/^\d{1,15}$/.test(text) ? {records: Number(text)} : {ms: parseDuration(text), text})

const timeText = (ms: number | null): string => (ms === null ? '-' : formatDuration(ms))
