import {Args, Flags} from '@oclif/core'

import {BaseCommand} from '../lib/base-command.js'
import {withCluster} from '../lib/kafka/client.js'
import {fetchSpans} from '../lib/kafka/consume/fetch-loop.js'
import {envelope, type RecordFormat, rawValue, shownValue} from '../lib/kafka/consume/format.js'
import {readInGroup} from '../lib/kafka/consume/group.js'
import {fileOutput, type Output, standardOutput} from '../lib/kafka/consume/output.js'
import {planSpans} from '../lib/kafka/consume/plan.js'
import {type Position, parsePosition} from '../lib/kafka/consume/range.js'
import {createSink} from '../lib/kafka/consume/sink.js'
import {topicQuestion} from '../lib/kafka/topic-question.js'
import {sanitize} from '../lib/output/sanitize.js'
import {ByteWriter} from '../lib/records/byte-writer.js'

export default class Consume extends BaseCommand<typeof Consume> {
  static override description = `read records of a topic

A range goes from --from to just before --to, in every partition:
  beginning, end     the first record that is left; after the last one
  1500               an offset
  -100               the last hundred of each partition
  2026-11-20T10:00Z  the first record that is at least as late; UTC unless it has a zone
  -15m               the same, a quarter of an hour ago (ms, s, m, h, d)

Without --follow it stops where the topic ended when it began. It joins no consumer group and commits nothing, unless --group says so`

  static override examples = [
    '<%= config.bin %> <%= command.id %> orders',
    {
      description: 'the last ten of each partition, with keys, headers and times',
      command: '<%= config.bin %> <%= command.id %> orders --from -10 --json',
    },
    {description: 'what comes from now on', command: '<%= config.bin %> <%= command.id %> orders --follow'},
    {
      description: 'an hour of yesterday, into a file',
      command:
        '<%= config.bin %> <%= command.id %> orders --from 2026-11-19T10:00 --to 2026-11-19T11:00 --output-file orders.jsonl',
    },
  ]

  static override args = {topic: Args.string({name: 'TOPIC', description: 'name of the topic'})}

  static override flags = {
    topic: Flags.string({description: 'name of the topic, instead of the argument'}),
    from: Flags.string({description: 'where to begin (default beginning, with --follow end)', helpValue: '<place>'}),
    to: Flags.string({description: 'where to stop', helpValue: '<place>'}),
    partition: Flags.integer({
      description: 'partition to read, once for each (default all)',
      multiple: true,
      multipleNonGreedy: true,
      min: 0,
    }),
    limit: Flags.integer({description: 'stop after so many records', min: 1}),
    follow: Flags.boolean({description: 'go on with what is written from now on'}),
    group: Flags.string({
      description: 'join this consumer group, go on after what it has committed, and commit what was written',
      exclusive: ['partition'],
      helpValue: '<id>',
    }),
    'output-file': Flags.string({char: 'o', description: 'file to write to, instead of standard output'}),
  }

  async run(): Promise<void> {
    const {follow} = this.flags
    const from = parsePosition(this.flags.from ?? (follow ? 'end' : 'beginning'))
    const to = this.flags.to === undefined ? null : parsePosition(this.flags.to)
    const named = this.args.topic ?? this.flags.topic
    const answers = await this.answers(named === undefined ? {topic: topicQuestion(() => this.kafka())} : {})
    const stop = new AbortController()
    const output =
      this.flags['output-file'] === undefined ? standardOutput(stop.signal) : await fileOutput(this.flags['output-file'])

    const reading = this.read(named ?? answers.topic!, {from, to, output, signal: stop.signal}).finally(() => output.close())
    let readerGone = false
    this.onStop((reason) => {
      readerGone = reason === 'EPIPE'
      stop.abort()
      return reading.catch(() => {})
    })
    const {written} = await reading
    if (readerGone) return
    if (written === 0 && from.kind === 'time') this.note(`no record is as late as ${new Date(from.timestamp).toISOString()}`)
    else this.note(`${written} ${written === 1 ? 'record' : 'records'}`)
  }

  private async read(
    topic: string,
    {from, to, output, signal}: {from: Position; to: Position | null; output: Output; signal: AbortSignal},
  ): Promise<{written: number}> {
    const {follow, partition: partitions = null, limit = Number.POSITIVE_INFINITY, group} = this.flags
    const kafka = await this.kafka()
    const sink = createSink({format: this.format(topic), filter: null, limit, output})
    await withCluster(kafka, async (cluster, client) => {
      const spans = await planSpans(cluster, {topic, partitions, from, to, follow, readCommitted: true})
      const options = {topic, readCommitted: true, timeoutMs: kafka.timeoutMs, signal}
      if (group !== undefined) return readInGroup(cluster, client, {...options, group, sink, spans, follow})
      await fetchSpans(cluster, spans, {...options, onBatch: sink.take, onAnswer: sink.push}).finally(sink.flush)
    })
    return sink.counts()
  }

  private format(topic: string): RecordFormat {
    const whole = envelope(topic)
    if (this.flags.query) {
      const scratch = new ByteWriter()
      return {
        write: (out, ...record) => {
          scratch.clear()
          whole.write(scratch, ...record)
          out.text(`${JSON.stringify(this.toSuccessJson(JSON.parse(scratch.written().toString())))}\n`)
        },
      }
    }
    if (this.jsonEnabled()) return whole
    return process.stdout.isTTY && this.flags['output-file'] === undefined ? shownValue(sanitize) : rawValue
  }
}
