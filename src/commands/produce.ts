import {Args, Flags} from '@oclif/core'

import {BaseCommand, dryRunFlag, durationFlag} from '../lib/base-command.js'
import {SkkError} from '../lib/errors.js'
import {withCluster} from '../lib/kafka/client.js'
import {keyValue} from '../lib/kafka/key-value.js'
import {type Source, sources} from '../lib/kafka/produce/input.js'
import {closingLine} from '../lib/kafka/produce/ledger.js'
import {failureOf, type ProduceSummary, summaryOf} from '../lib/kafka/produce/outcome.js'
import {lineParser, recordParser} from '../lib/kafka/produce/records.js'
import {type ParseLine, type ProduceOptions, type ProduceReport, produceLines} from '../lib/kafka/produce/run.js'
import type {KafkaTarget} from '../lib/kafka/target.js'
import {topicQuestion} from '../lib/kafka/topic-question.js'

const DELIVERY_TIMEOUT_MS = 120_000

export default class Produce extends BaseCommand<typeof Produce> {
  static override description = `write records to a topic, and account for every one

Each line is a record, byte for byte. Every record that was read ends as acked, rejected, unknown or unsent; the closing line on standard error adds up`

  static override examples = [
    '<%= config.bin %> <%= command.id %> orders --file orders.jsonl',
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
    file: Flags.string({
      char: 'f',
      description: 'file to read, once for each; - is standard input, which is also the default',
      multiple: true,
      multipleNonGreedy: true,
    }),
    format: Flags.option({
      options: ['lines', 'records'] as const,
      description: 'a line is a value, or a record as `consume --json` prints it',
      default: 'lines',
    })(),
    'key-separator': Flags.string({description: 'what stands between key and value; \\t is a tab', helpValue: '<text>'}),
    'missing-key': Flags.option({
      options: ['null'] as const,
      description: 'take a line without separator as a record without key',
      dependsOn: ['key-separator'],
    })(),
    key: Flags.string({description: 'key of every record', exclusive: ['key-separator']}),
    header: Flags.string({
      description: 'header of every record, once for each',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<key=value>',
    }),
    partition: Flags.integer({description: 'partition of every record', min: 0}),
    'keep-partition': Flags.boolean({description: 'write each record to the partition that it names', exclusive: ['partition']}),
    compression: Flags.option({
      options: ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const,
      description: 'codec of the batches',
      default: 'none',
    })(),
    'delivery-timeout': durationFlag({
      description: 'how long a record may wait to be acknowledged',
      default: DELIVERY_TIMEOUT_MS,
    }),
    ...dryRunFlag,
  }

  async run(): Promise<ProduceSummary> {
    const parse = this.parser()
    const named = this.args.topic ?? this.flags.topic
    const answers = await this.answers(named === undefined ? {topic: topicQuestion(() => this.kafka())} : {})
    const topic = named ?? answers.topic!
    const inputs = await sources(this.flags.file ?? ['-'])
    if (inputs.some(({name}) => name === 'standard input') && process.stdin.isTTY)
      this.note('reading from terminal, Ctrl-D to end')
    const kafka = await this.kafka()
    await this.acting()
    return this.produce(kafka, {topic, inputs, parse})
  }

  private parser(): ParseLine {
    const {format, key, header = [], partition = null} = this.flags
    const headers = header.map((text) => {
      const [name, value] = keyValue(text, '--header')
      return {key: Buffer.from(name), value: Buffer.from(value)}
    })
    if (format === 'records') {
      this.refuse(['key', 'key-separator'], 'records')
      return recordParser({headers, partition, keepPartition: this.flags['keep-partition']})
    }
    this.refuse(['keep-partition'], 'lines')
    const separator = this.flags['key-separator']
    if (separator === '') throw usage('the key separator is empty', 'Give `--key-separator` a text, such as : or \\t.')
    return lineParser({
      keySeparator: separator === undefined ? null : Buffer.from(separator.replaceAll('\\t', '\t')),
      missingKeyIsNull: this.flags['missing-key'] === 'null',
      key: key === undefined ? null : Buffer.from(key),
      headers,
      partition,
    })
  }

  private refuse(flags: readonly ('key' | 'key-separator' | 'keep-partition')[], format: string): void {
    const given = flags.find((flag) => this.flags[flag] !== undefined && this.flags[flag] !== false)
    if (given)
      throw usage(`--${given} does not go with --format ${format}`, `Leave out \`--${given}\`, or choose another \`--format\`.`)
  }

  private async produce(
    kafka: KafkaTarget,
    {topic, inputs, parse}: {topic: string; inputs: Source[]; parse: ParseLine},
  ): Promise<ProduceSummary> {
    const stop = new AbortController()
    const options: ProduceOptions = {
      topic,
      inputs,
      parse,
      keyed: this.flags.partition === undefined && (this.flags.format === 'records' || this.flags['key-separator'] !== undefined),
      compression: this.flags.compression,
      deliveryTimeoutMs: this.flags['delivery-timeout'],
      dryRun: this.flags['dry-run'],
      signal: stop.signal,
    }
    const running = withCluster(kafka, async (cluster, {attempts}) => {
      const progress = this.progress()
      const report = await produceLines(cluster, options, {
        onCarriageReturn: ({name}) => this.note(`the lines of "${name}" end in CR LF; the CR is part of each value`),
        onNotIdempotent: () =>
          this.warn(
            'the credentials may not do kafka-cluster:WriteDataIdempotently: if an acknowledgement gets lost, records may be written twice or swap places',
          ),
        onProgress: (counts, bytes, total) => progress.update(`${counts.acked} acked`, bytes, total ?? undefined),
      }).finally(() => progress.stop())
      return {report, failure: failureOf(report, kafka, attempts)}
    })
    this.onStop(() => {
      stop.abort()
      return running.catch(() => {})
    })
    const {report, failure} = await running
    return this.close(topic, report, stop.signal.aborted ? null : failure)
  }

  private close(topic: string, report: ProduceReport, failure: SkkError | null): ProduceSummary {
    const {rejected, rejections} = report
    for (const {source, line, reason} of rejections) this.warn(`rejected line ${line} of "${source}": ${reason}`)
    if (rejected > rejections.length) this.warn(`rejected ${rejected - rejections.length} more`)
    const summary = summaryOf(topic, report)
    if (this.flags['dry-run']) this.table(summary.partitions, {partition: (row) => row.partition, records: (row) => row.records})
    process.stderr.write(`${closingLine(report)}\n`)
    if (!failure) return summary
    if (this.jsonEnabled()) this.logJson(this.toSuccessJson(summary))
    throw failure
  }
}

const usage = (message: string, hint: string): SkkError => new SkkError(message, {code: 'USAGE', exit: 'usage', hint})
