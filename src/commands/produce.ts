import {Args, Flags} from '@oclif/core'

import {BaseCommand, dryRunFlag} from '../lib/base-command.js'
import {SkkError} from '../lib/errors.js'
import {withCluster} from '../lib/kafka/client.js'
import {type Source, STANDARD_INPUT} from '../lib/kafka/produce/input.js'
import {closingLine} from '../lib/kafka/produce/ledger.js'
import {failureOf, type ProduceSummary, summaryOf} from '../lib/kafka/produce/outcome.js'
import {progressLine, seconds} from '../lib/kafka/produce/progress-line.js'
import {type ProduceOptions, type ProduceReport, produceRecords} from '../lib/kafka/produce/run.js'
import {savings} from '../lib/kafka/produce/savings.js'
import {type TokenOptions, tokenPath} from '../lib/kafka/produce/token.js'
import type {KafkaTarget} from '../lib/kafka/target.js'
import {topicQuestion} from '../lib/kafka/topic-question.js'
import {inputFlags, inputFormat, inputsOf, resumeFlags, sendingFlags, settingsOf} from '../lib/produce-flags.js'

export default class Produce extends BaseCommand<typeof Produce> {
  static override description = `write records to a topic, and account for every one

Each line is a record, byte for byte. Every record that was read ends as acked, rejected, unknown or unsent; the closing line on standard error adds up. A run over files that ended early is gone on with by \`--resume\`, which sends what is missing and nothing twice, also after the process was killed. If this machine lost its power, the last records before that may be sent twice; \`--id-header\` makes them known to readers`

  static override examples = [
    '<%= config.bin %> <%= command.id %> orders --file orders.jsonl',
    {
      description: 'go on where the last run ended',
      command: '<%= config.bin %> <%= command.id %> orders --file orders.jsonl --resume',
    },
    {
      description: 'keys before the first tab',
      command: "<%= config.bin %> <%= command.id %> orders --file orders.tsv --key-separator '\\t'",
    },
    {
      description: 'copy a topic, with keys, headers and times',
      command: '<%= config.bin %> consume orders --json | <%= config.bin %> <%= command.id %> orders-copy --format records',
    },
  ]

  static override args = {topic: Args.string({name: 'TOPIC', description: 'name of the topic'})}

  static override flags = {
    topic: Flags.string({description: 'name of the topic, instead of the argument'}),
    ...inputFlags,
    ...sendingFlags,
    ...resumeFlags,
    ...dryRunFlag,
  }

  async run(): Promise<ProduceSummary> {
    const format = await inputFormat(this.flags)
    const inputs = await inputsOf(this.flags)
    const named = this.args.topic ?? this.flags.topic
    const answers = await this.answers(named === undefined ? {topic: topicQuestion(() => this.kafka())} : {})
    const topic = named ?? answers.topic!
    const token = this.resumption(inputs)
    const kafka = await this.kafka()
    await this.acting()
    return this.produce(kafka, {
      ...format,
      topic,
      inputs,
      token,
      compression: this.flags.compression,
      acks: this.flags.acks,
      deliveryTimeoutMs: this.flags['delivery-timeout'],
      dryRun: this.flags['dry-run'],
      repeat: this.flags.repeat,
      partition: this.flags.partition ?? null,
      idHeader: this.flags['id-header'] ?? null,
      limit: this.flags.limit ?? Number.POSITIVE_INFINITY,
      rate: this.flags.rate ?? null,
      onBadLine: this.flags['on-error'],
      reportPath: this.flags.report ?? null,
      rejectsPath: this.flags.rejects ?? null,
    })
  }

  private resumption(inputs: readonly Source[]): TokenOptions | null {
    const {resume, restart, 'resume-file': path, 'dry-run': dryRun, file = []} = this.flags
    if (inputs.some(({name}) => name === STANDARD_INPUT) && process.stdin.isTTY) this.note('reading from terminal, Ctrl-D to end')
    const beside = tokenPath(inputs, file)
    if (beside !== null) {
      const mode = resume ? 'resume' : restart ? 'restart' : 'new'
      return {path: path ?? beside, mode, settings: settingsOf(this.flags)}
    }
    if (resume) {
      throw new SkkError('this input cannot be read a second time, so there is nothing to resume', {
        code: 'USAGE',
        exit: 'usage',
        hint: 'Keep the input in a file, and name it with `--file`.',
      })
    }
    if (!dryRun && inputs.some(({name}) => name === STANDARD_INPUT)) this.note('a run over standard input cannot be resumed')
    return null
  }

  private async produce(kafka: KafkaTarget, options: Omit<ProduceOptions, 'signal'>): Promise<ProduceSummary> {
    const stop = new AbortController()
    const running = withCluster(kafka, async (cluster, {attempts}) => {
      const progress = this.progress()
      const report = await produceRecords(
        cluster,
        {...options, signal: stop.signal},
        {
          onCarriageReturn: ({name}) => this.note(`the lines of "${name}" end in CR LF; the CR is part of each value`),
          onNotIdempotent: () =>
            this.warn(
              'the credentials may not do kafka-cluster:WriteDataIdempotently: if an acknowledgement gets lost, records may be written twice or swap places',
            ),
          onWaiting: (ms) => this.note(`waiting ${Math.ceil(ms / 1000)} s for requests of the earlier run that may still arrive`),
          onProgress: (state) => progress.update(progressLine(state), state.bytesRead, state.totalBytes ?? undefined),
        },
      ).finally(() => progress.stop())
      return {report, failure: failureOf(report, kafka, attempts, options)}
    })
    this.onStop(() => {
      stop.abort()
      return running.catch(() => {})
    })
    const {report, failure} = await running
    return this.close(options.topic, report, stop.signal.aborted ? null : failure)
  }

  private async close(topic: string, report: ProduceReport, failure: SkkError | null): Promise<ProduceSummary> {
    const {rejected, rejections, earlier, resumed, resumable} = report
    for (const {source, line, reason} of rejections) this.warn(`rejected line ${line} of "${source}": ${reason}`)
    if (rejected > rejections.length) this.warn(`rejected ${rejected - rejections.length} more`)
    if (earlier === 'done') this.note(`an earlier run has written all of it to "${topic}"; \`--restart\` sends it again`)
    if (earlier === 'unfinished') this.note(`resumed: earlier runs had written ${resumed} of these records`)
    if (earlier === 'none' && this.flags.resume) this.note('there was no earlier run to resume, so this one began at the start')
    const summary = summaryOf(topic, report)
    if (summary.throttledMs > 0)
      this.note(`the brokers held back answers for ${seconds(summary.throttledMs)} to keep their quota`)
    const hint = this.flags.compression === 'none' && !this.flags['dry-run'] ? await savings(report) : null
    if (hint !== null) this.note(hint)
    if (this.flags['dry-run']) {
      const {partitions} = summary
      this.table(partitions, {partition: (row) => row.partition, records: (row) => row.records, bytes: (row) => row.bytes})
    }
    process.stderr.write(`${closingLine(report)}\n`)
    const resume = this.flags.resume ? this.typed([]) : this.typed(['--resume']).replace(' --restart', '')
    if (!failure && resumable) this.note(`resume: ${resume}`)
    if (!failure) return summary
    if (this.jsonEnabled()) this.logJson(this.toSuccessJson(summary))
    throw resumable ? failure.resumedBy(resume) : failure
  }
}
