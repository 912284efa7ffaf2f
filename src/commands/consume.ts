import {Args, Flags} from '@oclif/core'

import {BaseCommand} from '../lib/base-command.js'
import {filterFlags, formatFlags, rangeFlags, stateFlags} from '../lib/consume-flags.js'
import {formatOf} from '../lib/consume-output.js'
import {formatDuration} from '../lib/duration.js'
import {withCluster} from '../lib/kafka/client.js'
import {allOf, grep, where} from '../lib/kafka/consume/filter.js'
import {parsePosition} from '../lib/kafka/consume/range.js'
import {type ConsumeOptions, consume} from '../lib/kafka/consume/run.js'
import {topicQuestion} from '../lib/kafka/topic-question.js'

/** Brokers may restart, and leaders move, without an end to the reading. */
const PATIENCE_MS = 120_000
const SILENCE_MS = 30_000

export default class Consume extends BaseCommand<typeof Consume> {
  static override description = `read records of a topic

A range goes from --from to just before --to, in every partition:
  beginning, end     the first record that is left; after the last one
  1500               an offset
  -100               the last hundred of each partition
  +100               a hundred further than the beginning; for --to, than --from
  2026-11-20T10:00Z  the first record that is at least as late; UTC unless it has a zone
  -15m               the same, a quarter of an hour ago (ms, s, m, h, d)

Without --follow it stops where the topic ended when it began; with it, a --to that is a time to come is waited for. It joins no consumer group and commits nothing, unless --group says so.
Without an answer from the brokers it gives up after --timeout (default 2m)`

  static override examples = [
    '<%= config.bin %> <%= command.id %> orders',
    {
      description: 'the last ten of each partition, with keys, headers and times',
      command: '<%= config.bin %> <%= command.id %> orders --tail 10 --json',
    },
    {description: 'what comes from now on', command: '<%= config.bin %> <%= command.id %> orders --follow'},
    {
      description: 'an hour of yesterday, into a file, which a second run of the same line completes if the first was killed',
      command:
        '<%= config.bin %> <%= command.id %> orders --from 2026-11-19T10:00 --to 2026-11-19T11:00 --output-file orders.jsonl --checkpoint orders.checkpoint',
    },
    {
      description: 'what a mapping with this filter would get',
      command: `<%= config.bin %> <%= command.id %> orders --where '{"value":{"status":["failed"]}}'`,
    },
    {
      description: 'as kcat would write it',
      command: `<%= config.bin %> <%= command.id %> orders --template '%t [%p] %o: %k = %s\\n'`,
    },
  ]

  static override args = {topic: Args.string({name: 'TOPIC', description: 'name of the topic'})}

  static override flags = {
    topic: Flags.string({description: 'name of the topic, instead of the argument'}),
    ...rangeFlags,
    ...filterFlags,
    ...formatFlags,
    ...stateFlags,
  }

  async run(): Promise<void> {
    const options = await this.options()
    const named = this.args.topic ?? this.flags.topic
    const answers = await this.answers(named === undefined ? {topic: topicQuestion(() => this.kafka())} : {})
    const topic = named ?? answers.topic!
    const format = this.format(topic)
    const stop = new AbortController()
    const kafka = await this.kafka()

    let [readerGone, isLate] = [false, false]
    const onPastEnd = (timestamp: number): void => {
      isLate = !options.follow
      this.note(`no record is as late as ${new Date(timestamp).toISOString()}`)
    }
    const onOpenEnd = (timestamp: number): void =>
      this.note(`no record is as late as ${new Date(timestamp).toISOString()}; reading to the end as it is now`)
    const onEnd = (counts: {scanned: number; written: number}): void => {
      if (!readerGone && !isLate) this.note(this.closingLine(counts))
    }
    const {timeoutMs} = kafka
    const reading = withCluster(kafka, (cluster, client) =>
      consume(cluster, client, {...options, topic, format, timeoutMs, signal: stop.signal, onPastEnd, onOpenEnd, onEnd}),
    )
    this.onStop((reason) => {
      readerGone = reason === 'EPIPE'
      stop.abort()
      return reading.catch(() => {})
    })
    await reading
  }

  private async options(): Promise<Omit<ConsumeOptions, 'topic' | 'format' | 'timeoutMs' | 'signal' | 'onEnd'>> {
    const {from, to, tail, follow, partition = null, limit = Number.POSITIVE_INFINITY, group, timeout} = this.flags
    const {where: patterns = [], grep: expression, checkpoint, 'output-file': outputFile, 'on-gap': onGap} = this.flags
    return {
      partitions: partition,
      from: tail === undefined ? parsePosition(from ?? (follow ? 'end' : 'beginning')) : {kind: 'last', count: tail},
      to: to === undefined ? null : parsePosition(to),
      follow,
      limit,
      group,
      filter: allOf([where(patterns), await grep(expression)]),
      destination: {checkpoint, outputFile, shape: this.shape()},
      patienceMs: timeout ?? PATIENCE_MS,
      silence: {after: SILENCE_MS, warn: (ms) => this.warn(`no answer from the brokers for ${formatDuration(ms)}; still trying`)},
      onUncommitted: (numbers) =>
        this.warn(
          `the group could not be told how far partition ${numbers.join(', ')} was read; the last records may come again`,
        ),
      ...(onGap === 'skip' && {
        onGap: ({partition, from, to}) =>
          this.warn(`partition ${partition}: ${to - from} offsets from ${from} on are gone, going on at ${to}`),
      }),
    }
  }

  private format(topic: string) {
    const {query, 'output-file': outputFile, ...choice} = this.flags
    return formatOf(topic, {
      ...choice,
      json: this.jsonEnabled(),
      query: query === undefined ? null : (value) => this.toSuccessJson(value),
      terminal: Boolean(process.stdout.isTTY) && outputFile === undefined,
    })
  }

  /** What must be the same for two runs to write one file. */
  private shape(): string {
    const {value, delimiter, show, template, csv, query, where: patterns, grep: expression, partition} = this.flags
    return JSON.stringify({
      json: this.jsonEnabled(),
      value,
      delimiter,
      show,
      template,
      csv,
      query,
      patterns,
      expression,
      partition,
    })
  }

  private closingLine({scanned, written}: {scanned: number; written: number}): string {
    const {where: patterns, grep: expression} = this.flags
    const records = `${written} ${written === 1 ? 'record' : 'records'}`
    return patterns || expression !== undefined ? `${scanned} scanned, ${written} matched` : records
  }
}
