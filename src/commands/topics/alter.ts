import {Args, Flags} from '@oclif/core'

import {BaseCommand, dryRunFlag} from '../../lib/base-command.js'
import {SkkError} from '../../lib/errors.js'
import {withCluster} from '../../lib/kafka/client.js'
import {asSkkError} from '../../lib/kafka/errors.js'
import {keyValue} from '../../lib/kafka/key-value.js'
import {checkServerlessConfigs} from '../../lib/kafka/serverless-rules.js'
import {failureOf, type Settled} from '../../lib/kafka/several.js'
import {topicQuestion} from '../../lib/kafka/topic-question.js'
import {alterTopic, requireTopic, type TopicChange} from '../../lib/kafka/topics.js'

export default class TopicsAlter extends BaseCommand<typeof TopicsAlter> {
  static override description = 'change partitions and configuration of topics'

  static override examples = [
    {description: 'more partitions; there is no way back', command: '<%= config.bin %> <%= command.id %> orders --partitions 8'},
    {
      description: 'keep records for a day, and the default size limit again',
      command: '<%= config.bin %> <%= command.id %> orders --config retention.ms=86400000 --delete-config max.message.bytes',
    },
  ]

  static override args = {topics: Args.string({name: 'TOPIC', description: 'names of the topics', multiple: true})}

  static override flags = {
    partitions: Flags.integer({description: 'new total of partitions', min: 1}),
    config: Flags.string({description: 'key to set', multiple: true, multipleNonGreedy: true, helpValue: '<key=value>'}),
    'delete-config': Flags.string({
      description: 'key to reset to its default',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<key>',
    }),
    ...dryRunFlag,
  }

  async run(): Promise<Settled[]> {
    const change = await this.change()
    const {topic} = await this.answers(this.args.topics ? {} : {topic: topicQuestion(() => this.kafka())})
    const names = [...new Set(this.args.topics ?? [topic!])]
    const kafka = await this.kafka()
    const dryRun = this.flags['dry-run']
    await this.acting()

    const results: Settled[] = []
    await withCluster(kafka, async (cluster) => {
      for (const name of names) {
        try {
          const {partitions} = await requireTopic(cluster, name)
          const open = stillOpen(name, partitions.length, change)
          if (open) await alterTopic(cluster, name, open, {dryRun, timeoutMs: kafka.timeoutMs})
          results.push({name, status: open ? (dryRun ? 'would alter' : 'altered') : 'unchanged'})
        } catch (error) {
          results.push({name, status: 'failed', error: asSkkError(error, kafka)})
        }
      }
    })

    for (const {name, status, error} of results) {
      if (!error) this.log(`${status} topic "${name}"`)
      else if (results.length > 1) this.warn(error.message)
    }
    const failure = failureOf(results, 'topics')
    if (!failure) return results
    if (this.jsonEnabled() && results.length > 1) this.logJson(this.toSuccessJson(results))
    throw failure
  }

  private async change(): Promise<TopicChange> {
    const {partitions, config = [], 'delete-config': reset = []} = this.flags
    const configs = Object.fromEntries([
      ...config.map((text) => keyValue(text, '--config')),
      ...reset.map((key) => [key, null] as const),
    ])
    if (partitions === undefined && Object.keys(configs).length === 0) {
      throw new SkkError('nothing to change', {
        code: 'USAGE',
        exit: 'usage',
        hint: 'Give `--partitions`, `--config` or `--delete-config`.',
      })
    }
    // Which cluster it is may still have to be asked for; then its rules are the broker's to tell.
    const serverless = await this.target().then(
      (target) => target.serverless,
      () => false,
    )
    if (serverless) checkServerlessConfigs(configs, {creating: false})
    return {configs, ...(partitions !== undefined && {partitions})}
  }
}

/** What of the change is still to be made; null when nothing is. Throws SkkError (usage) when there would be fewer partitions. */
function stillOpen(name: string, have: number, {partitions, configs}: TopicChange): TopicChange | null {
  if (partitions !== undefined && partitions < have) {
    throw new SkkError(`topic "${name}" has ${have} partitions, and they can only become more`, {
      code: 'INVALID_PARTITIONS',
      exit: 'usage',
      hint: `Create another topic with \`skk topics create TOPIC --partitions ${partitions}\`, and produce to that one.`,
    })
  }
  if (partitions !== have) return {configs, ...(partitions !== undefined && {partitions})}
  return Object.keys(configs).length > 0 ? {configs} : null
}
