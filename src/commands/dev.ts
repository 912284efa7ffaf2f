import {basename, dirname, resolve} from 'node:path'

import {Args, Flags} from '@oclif/core'

import type {MappingSettings} from '../lib/aws/mapping.js'
import {BaseCommand, durationFlag} from '../lib/base-command.js'
import {wakeableClock} from '../lib/dev/clock.js'
import {handlerEnvironment, type World} from '../lib/dev/environment.js'
import type {Shown} from '../lib/dev/lines.js'
import {readEvents} from '../lib/dev/replay.js'
import {type Runner, startRunner} from '../lib/dev/runner.js'
import {follow, type Handle, replay} from '../lib/dev/session.js'
import {parseDuration} from '../lib/duration.js'
import {SkkError} from '../lib/errors.js'
import {settingsFlags} from '../lib/esm-flags.js'
import {type FunctionProject, readFunctionProject} from '../lib/functions/project.js'
import {withCluster} from '../lib/kafka/client.js'
import {fileOutput, type Output} from '../lib/kafka/consume/output.js'
import {parsePosition} from '../lib/kafka/consume/range.js'
import {keyValue} from '../lib/kafka/key-value.js'
import type {KafkaTarget} from '../lib/kafka/target.js'
import {topicQuestion} from '../lib/kafka/topic-question.js'
import type {KafkaEvent} from '../lib/lambda/event.js'
import {compileFilters, FilterError, type FilterPattern} from '../lib/lambda/filter.js'
import type {MappingRules} from '../lib/lambda/poller.js'
import {sanitize} from '../lib/output/sanitize.js'
import {write} from '../lib/output/stdout.js'

const FUNCTION_TIMEOUT_MS = 60_000
const MEMORY_MB = 1024
/** Of a mapping that nobody set: docs.aws.amazon.com/lambda/latest/dg/with-msk.html */
const BATCH_SIZE = 100
const BATCHING_WINDOW_MS = 500
/** Lines about an invocation that Lambda writes itself; the closing line of a batch says the same. */
const PLATFORM = /^(?:INIT_START|START|END|REPORT) /

export default class Dev extends BaseCommand<typeof Dev> {
  static override description = `run a handler on this machine against a topic, under the rules of an event-source mapping

In a directory with a skk.project.json its handler, topic, environment and mapping are taken from there; flags win over it. The handler is started as Lambda starts it and restarted when its sources change. It joins no consumer group and commits nothing: no mapping notices. Each batch is printed with its result, and what Lambda would do next`

  static override examples = [
    '<%= config.bin %> <%= command.id %> handler.mjs --topic orders',
    {
      description: 'the last ten records of each partition, halved around the one that fails',
      command: '<%= config.bin %> <%= command.id %> . --topic orders --from -10 --bisect --max-retries 0',
    },
    {description: 'the event, instead of a handler', command: '<%= config.bin %> <%= command.id %> --topic orders --event-only'},
    {
      description: 'the same batches again, without a cluster',
      command: '<%= config.bin %> <%= command.id %> handler.mjs --replay events.jsonl',
    },
  ]

  static override args = {
    path: Args.string({name: 'DIR|FILE', description: 'handler, or its directory (default .)', default: '.'}),
  }

  static override flags = {
    topic: Flags.string({description: 'topic to read'}),
    from: Flags.string({description: 'where to begin, as for `consume` (default beginning)', helpValue: '<place>'}),
    handler: Flags.string({description: 'path without its extension, and export', helpValue: '<src/handler.handler>'}),
    'function-timeout': durationFlag({description: 'how long it may run (default 60s)'}),
    memory: Flags.integer({description: 'MB of memory (default 1024)', min: 128, max: 10_240, helpValue: '<mb>'}),
    env: Flags.string({
      description: 'variable of its environment, once for each',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<name=value>',
    }),
    'batch-size': Flags.integer({description: 'records in a batch at most (default 100)', min: 1, max: 10_000}),
    'batching-window': durationFlag({description: 'how long to gather a batch (default 500ms)'}),
    filter: settingsFlags.filter,
    'max-retries': settingsFlags['max-retries'],
    'max-age': settingsFlags['max-age'],
    bisect: settingsFlags.bisect,
    'report-batch-item-failures': settingsFlags['report-batch-item-failures'],
    'on-failure': settingsFlags['on-failure'],
    'event-only': Flags.boolean({description: 'print each event instead of running a handler', exclusive: ['replay']}),
    record: Flags.string({description: 'file to write the events to, one per line', helpValue: '<file>', exclusive: ['replay']}),
    replay: Flags.string({description: 'run the events of this file once each, without a cluster', helpValue: '<file>'}),
  }

  private readonly stopping = new AbortController()
  private readonly clock = wakeableClock()
  private project: FunctionProject = {}

  async run(): Promise<void> {
    const {path} = this.args
    this.project = await readFunctionProject(/\.[cm]?[jt]s$/.test(path) ? dirname(path) : path)
    const working = this.flags.replay === undefined ? this.fromTopic() : this.fromFile(this.flags.replay)
    this.onStop(() => {
      this.stopping.abort()
      return working.catch(() => {})
    })
    await working
  }

  private async fromTopic(): Promise<void> {
    const {'event-only': eventOnly, record} = this.flags
    const from = parsePosition(this.flags.from ?? this.start())
    const filters = this.filters()
    const question = {...topicQuestion(() => this.kafka()), name: '--topic'}
    const topic = this.flags.topic ?? this.project.topic ?? (await this.answers({topic: question})).topic!
    const kafka = await this.kafka()
    const rules = this.rules(topic, filters, kafka)
    const runner = eventOnly ? undefined : await this.runner(rules.functionArn, kafka)
    const recording = record === undefined ? undefined : await fileOutput(record)
    let failure: unknown
    const keep = recorder(recording, (error) => {
      failure = error
      this.stopping.abort()
    })
    const handle: Handle = async (event, payload) => {
      await keep(event, payload)
      if (runner) return runner.invoke(payload)
      this.print(event)
      return {ok: true, payload: null}
    }
    this.stopping.signal.addEventListener('abort', () => void runner?.stop())
    try {
      await withCluster(kafka, (cluster) =>
        follow(cluster, {
          rules,
          from,
          timeoutMs: kafka.timeoutMs,
          handle,
          clock: this.clock,
          show: (line) => (eventOnly ? undefined : this.show(line)),
          onStart: (partitions) =>
            this.note(
              `reading "${topic}" (${partitions} ${partitions === 1 ? 'partition' : 'partitions'}), committing nothing; Ctrl-C ends it`,
            ),
          signal: this.stopping.signal,
        }),
      )
      if (failure) throw failure
    } finally {
      await runner?.stop()
      await recording?.close()
    }
  }

  private async fromFile(file: string): Promise<void> {
    const events = await readEvents(file)
    const runner = await this.runner(`arn:aws:lambda:us-east-1:123456789012:function:${this.functionName()}`, undefined)
    this.stopping.signal.addEventListener('abort', () => void runner.stop())
    try {
      const failures = await replay(events, {
        handle: (_, payload) => runner.invoke(payload),
        show: (line) => this.show(line),
        reportBatchItemFailures: this.reportsItems(),
        signal: this.stopping.signal,
      })
      if (failures === 0) return
      throw new SkkError(`${failures} of ${events.length} ${events.length === 1 ? 'event' : 'events'} failed`, {
        code: 'REPLAY_FAILED',
        exit: 'partial',
      })
    } finally {
      await runner.stop()
    }
  }

  /** Of the mapping in the project file. */
  private get settings(): MappingSettings {
    return this.project.mapping?.settings ?? {}
  }

  /** Where a mapping whose group has no offsets begins. */
  private start(): string {
    const {startingPosition, startingTime} = this.project.mapping ?? {}
    return startingTime ?? (startingPosition === 'LATEST' ? 'end' : 'beginning')
  }

  private reportsItems(): boolean {
    return this.flags['report-batch-item-failures'] ?? this.settings.reportBatchItemFailures ?? false
  }

  private filters(): FilterPattern[] {
    try {
      return compileFilters([...(this.flags.filter ?? this.settings.filters ?? [])])
    } catch (error) {
      if (!(error instanceof FilterError)) throw error
      throw new SkkError(`Lambda would refuse the filter: ${error.message}`, {code: 'BAD_FILTER', exit: 'usage', cause: error})
    }
  }

  private rules(
    topic: string,
    filters: FilterPattern[],
    {clusterArn, region = 'us-east-1', bootstrap}: KafkaTarget,
  ): MappingRules {
    const {batchingWindowSeconds: seconds, maxAgeSeconds, ...settings} = this.settings
    const maxAge = this.flags['max-age'] ?? (maxAgeSeconds !== undefined && maxAgeSeconds > 0 ? maxAgeSeconds * 1000 : undefined)
    const windowMs = this.flags['batching-window'] ?? (seconds === undefined ? BATCHING_WINDOW_MS : seconds * 1000)
    const account = clusterArn?.split(':')[4] ?? '123456789012'
    return {
      topic,
      eventSourceArn: clusterArn ?? `arn:aws:kafka:${region}:${account}:cluster/dev/00000000-0000-0000-0000-000000000000-1`,
      bootstrapServers: bootstrap.join(','),
      functionArn: `arn:aws:lambda:${region}:${account}:function:${this.functionName()}`,
      batchSize: this.flags['batch-size'] ?? settings.batchSize ?? BATCH_SIZE,
      batchingWindowMs: windowMs,
      filters,
      maximumRetryAttempts: this.flags['max-retries'] ?? settings.maxRetries ?? -1,
      maximumRecordAgeMs: maxAge ?? Number.POSITIVE_INFINITY,
      bisect: this.flags.bisect ?? settings.bisect ?? false,
      reportBatchItemFailures: this.reportsItems(),
      hasDestination: (this.flags['on-failure'] ?? settings.onFailure ?? null) !== null,
    }
  }

  private functionName(): string {
    const path = resolve(this.args.path)
    return (
      this.project.name ??
      (basename(path)
        .replace(/\.\w+$/, '')
        .replaceAll(/[^\w-]/g, '-') ||
        'dev')
    )
  }

  private async runner(functionArn: string, kafka: KafkaTarget | undefined): Promise<Runner> {
    const {handler = this.project.handler, memory = this.project.memory ?? MEMORY_MB, 'function-timeout': timeoutMs} = this.flags
    const given = Object.fromEntries((this.flags.env ?? []).map((text) => keyValue(text, '--env')))
    const brokers = kafka ? {SKK_BROKERS: kafka.bootstrap.join(','), SKK_AUTH: kafka.auth} : {}
    const own = await handlerEnvironment({...(await this.world(kafka)), profile: this.flags.profile}, process.env)
    return startRunner({
      path: this.args.path,
      handler,
      functionArn,
      timeoutMs: timeoutMs ?? (this.project.timeout === undefined ? FUNCTION_TIMEOUT_MS : parseDuration(this.project.timeout)),
      memoryMb: memory,
      environment: {...own, ...brokers, ...this.project.environment, ...given},
      log: (line) => {
        if (!PLATFORM.test(line)) process.stderr.write(`${sanitize(line)}\n`)
      },
      onReload: (failure) => {
        if (failure) this.warn(failure.message)
        else this.note('the handler changed; it starts anew')
        this.clock.wake()
      },
    })
  }

  /** A replay needs no stack that runs, but it must not find real credentials because of that. */
  private async world(kafka: KafkaTarget | undefined): Promise<Omit<World, 'profile'>> {
    try {
      const target = await (kafka ? this.target() : this.account())
      return {...target, local: target.account.credentials === 'local'}
    } catch (error) {
      if (kafka || !(error instanceof SkkError) || error.code !== 'LOCAL_NOT_RUNNING') throw error
      const credentials = async () => ({accessKeyId: 'test', secretAccessKey: 'test'})
      return {local: true, region: 'us-east-1', endpointUrl: undefined, credentials}
    }
  }

  private show({text, json}: Shown): void {
    if (this.jsonEnabled()) write(`${JSON.stringify(this.toSuccessJson(json))}\n`)
    else write(`${process.stdout.isTTY ? sanitize(text) : text}\n`)
  }

  private print(event: KafkaEvent): void {
    const shown = this.flags.query ? this.toSuccessJson(event) : event
    write(`${JSON.stringify(shown, null, process.stdout.isTTY ? 2 : 0)}\n`)
  }
}

/** Keeps an event the first time that its records come: not their retries, nor the halves of a batch. */
function recorder(output: Output | undefined, onFailure: (error: unknown) => void) {
  const kept = new Map<string, number>()
  return async (event: KafkaEvent, payload: Buffer): Promise<void> => {
    const last = Object.entries(event.records).map(([name, records]) => [name, records.at(-1)!.offset] as const)
    if (!output || last.every(([name, offset]) => offset <= (kept.get(name) ?? -1))) return
    for (const [name, offset] of last) kept.set(name, offset)
    await output.write(Buffer.concat([payload, Buffer.from('\n')])).catch(onFailure)
  }
}
