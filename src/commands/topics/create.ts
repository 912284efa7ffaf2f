import {Args, Flags} from '@oclif/core'

import {BaseCommand, dryRunFlag} from '../../lib/base-command.js'
import {SkkError} from '../../lib/errors.js'
import {withCluster} from '../../lib/kafka/client.js'
import type {Cluster} from '../../lib/kafka/cluster.js'
import {asSkkError} from '../../lib/kafka/errors.js'
import {keyValue} from '../../lib/kafka/key-value.js'
import {checkServerlessConfigs} from '../../lib/kafka/serverless-rules.js'
import {failureOf, type Settled} from '../../lib/kafka/several.js'
import type {KafkaTarget} from '../../lib/kafka/target.js'
import {compareTopic, createTopics, type NewTopic, replicationFactorFor} from '../../lib/kafka/topics.js'

type Created = Settled & {partitions: number}

const DEFAULT_PARTITIONS = 1
const ALREADY_EXISTS = 36

export default class TopicsCreate extends BaseCommand<typeof TopicsCreate> {
  static override description = 'create topics'

  static override examples = [
    '<%= config.bin %> <%= command.id %> orders',
    {
      description: 'four partitions, kept for a day',
      command: '<%= config.bin %> <%= command.id %> orders --partitions 4 --config retention.ms=86400000',
    },
  ]

  static override args = {topics: Args.string({name: 'TOPIC', description: 'names of the topics', multiple: true})}

  static override flags = {
    partitions: Flags.integer({description: 'number of partitions (default 1)', min: 1}),
    'replication-factor': Flags.integer({description: 'number of copies (default 3 on MSK Serverless, else the broker decides)'}),
    config: Flags.string({
      description: 'configuration of the topic, once for each key',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<key=value>',
    }),
    'if-not-exists': Flags.boolean({description: 'accept a topic that exists and is as wanted'}),
    ...dryRunFlag,
  }

  async run(): Promise<Created[]> {
    const question = {name: 'TOPIC', message: 'Name of the topic?', example: 'orders'}
    const {topic} = await this.answers(this.args.topics ? {} : {topic: question})
    const wanted = await this.wanted(this.args.topics ?? [topic!])
    const kafka = await this.kafka()
    await this.acting()

    const results = await withCluster(kafka, (cluster) => this.create(cluster, wanted, kafka))

    for (const {name, status, error, partitions} of results) {
      if (error) results.length > 1 && this.warn(error.message)
      else this.log(`${status} topic "${name}" (${partitions} ${partitions === 1 ? 'partition' : 'partitions'})`)
    }
    const failure = failureOf(results, 'topics')
    if (failure) {
      if (this.jsonEnabled() && results.length > 1) this.logJson(this.toSuccessJson(results))
      throw failure
    }
    if (!this.flags['dry-run']) this.next(`skk produce ${wanted[0]!.name} --file FILE`)
    return results
  }

  private async wanted(names: readonly string[]): Promise<NewTopic[]> {
    const {serverless} = await this.target()
    const {partitions = DEFAULT_PARTITIONS, 'replication-factor': replicationFactor = replicationFactorFor(serverless)} =
      this.flags
    const configs = Object.fromEntries((this.flags.config ?? []).map((text) => keyValue(text, '--config')))
    if (serverless) checkServerlessConfigs(configs, {creating: true})
    return [...new Set(names)].map((name) => ({name, partitions, replicationFactor, configs}))
  }

  private async create(cluster: Cluster, wanted: readonly NewTopic[], kafka: KafkaTarget): Promise<Created[]> {
    const dryRun = this.flags['dry-run']
    const outcomes = await createTopics(cluster, wanted, {dryRun, timeoutMs: kafka.timeoutMs})
    const created = outcomes.map(async ({name, error}, i): Promise<Created> => {
      const topic = wanted[i]!
      if (error?.code === ALREADY_EXISTS && this.flags['if-not-exists']) return this.compare(cluster, topic)
      if (error) return {name, status: 'failed', partitions: topic.partitions, error: asSkkError(error, kafka)}
      return {name, status: dryRun ? 'would create' : 'created', partitions: topic.partitions}
    })
    return Promise.all(created)
  }

  private async compare(cluster: Cluster, {name, partitions, configs}: NewTopic): Promise<Created> {
    const asked = {configs, ...(this.flags.partitions !== undefined && {partitions})}
    const found = await compareTopic(cluster, name, asked)
    if (found.differences.length === 0) return {name, status: 'found', partitions: found.partitions}
    const error = new SkkError(`topic "${name}" exists and is different: ${found.differences.join(', ')}`, {
      code: 'TOPIC_DIFFERENT',
      exit: 'conflict',
      hint: `See it with \`skk topics describe ${name}\`, or change it with \`skk topics alter ${name}\`.`,
    })
    return {name, status: 'failed', partitions: found.partitions, error}
  }
}
