import {setTimeout as delay} from 'node:timers/promises'

import {Args, Flags} from '@oclif/core'

import {BaseCommand, durationFlag} from '../../lib/base-command.js'
import {formatDuration, parseDuration} from '../../lib/duration.js'
import {EXIT} from '../../lib/errors.js'
import {withCluster} from '../../lib/kafka/client.js'
import type {Cluster} from '../../lib/kafka/cluster.js'
import {asSkkError} from '../../lib/kafka/errors.js'
import {type Bound, failureOfLag} from '../../lib/kafka/groups/bound.js'
import {groupQuestion} from '../../lib/kafka/groups/question.js'
import {type Lagging, lagReport, lagWatch} from '../../lib/kafka/groups/report.js'
import {requireGroup} from '../../lib/kafka/groups.js'
import type {KafkaTarget} from '../../lib/kafka/target.js'
import {sanitizeJson} from '../../lib/output/sanitize.js'
import {write} from '../../lib/output/stdout.js'

const INTERVAL_MS = 5_000
/** In a row. */
const MAX_FAILED_LOOKS = 3
const CLEAR_SCREEN = '\x1b[H\x1b[2J'

export default class GroupsDescribe extends BaseCommand<typeof GroupsDescribe> {
  static override description = `show state, members and lag of a consumer group

Lag in time is the age of the next record that the group wants. Where the group has committed nothing ("-"), all that the
partition holds counts as lag. --watch adds how long it will take to clear the lag, at the rate since it began to look; under
--json it prints one line of JSON each time.

With --fail-over the exit code is 6 as soon as one partition lags by more`

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

  async run(): Promise<Lagging | undefined> {
    const {group} = await this.answers(this.args.group === undefined ? {group: groupQuestion(() => this.kafka())} : {})
    const name = this.args.group ?? group!
    const kafka = await this.kafka()
    return withCluster(kafka, (cluster) => (this.flags.watch ? this.watch(cluster, name, kafka) : this.once(cluster, name)))
  }

  private async once(cluster: Cluster, name: string): Promise<Lagging> {
    const report = await lagReport(cluster, await requireGroup(cluster, name))
    this.show(report)
    const failure = this.failure(report)
    if (!failure) return report
    if (this.jsonEnabled()) this.logJson(this.toSuccessJson(report))
    throw failure
  }

  private async watch(cluster: Cluster, name: string, kafka: KafkaTarget): Promise<undefined> {
    const stop = new AbortController()
    this.onStop(() => stop.abort())
    const withRates = lagWatch()
    for (let failed = 0; !stop.signal.aborted; ) {
      try {
        this.showLook(withRates(await lagReport(cluster, await requireGroup(cluster, name))))
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

  private showLook(report: Lagging): void {
    if (this.jsonEnabled()) write(`${sanitizeJson(JSON.stringify(this.toSuccessJson(report)))}\n`)
    else this.log(process.stdout.isTTY ? CLEAR_SCREEN : '')
    this.show(report)
    const failure = this.failure(report)
    if (failure) throw failure
  }

  private failure(report: Lagging) {
    const bound = this.flags['fail-over']
    return bound && failureOfLag(report, bound)
  }

  private show(report: Lagging): void {
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

const boundOf = (text: string): Bound => (/^\d{1,15}$/.test(text) ? {records: Number(text)} : {ms: parseDuration(text), text})

const timeText = (ms: number | null): string => (ms === null ? '-' : formatDuration(ms))
