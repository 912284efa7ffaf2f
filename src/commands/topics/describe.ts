import {Args} from '@oclif/core'

import {BaseCommand} from '../../lib/base-command.js'
import type {SkkError} from '../../lib/errors.js'
import {withCluster} from '../../lib/kafka/client.js'
import type {Cluster} from '../../lib/kafka/cluster.js'
import {asSkkError} from '../../lib/kafka/errors.js'
import {failureOf} from '../../lib/kafka/several.js'
import type {KafkaTarget} from '../../lib/kafka/target.js'
import {topicQuestion} from '../../lib/kafka/topic-question.js'
import {describeTopic, type TopicDescription} from '../../lib/kafka/topics.js'

type Described = {name: string; status: string; topic?: TopicDescription; error?: SkkError}

export default class TopicsDescribe extends BaseCommand<typeof TopicsDescribe> {
  static override description = 'show partitions, leaders, offsets and configuration of topics'

  static override examples = [
    '<%= config.bin %> <%= command.id %> orders',
    {
      description: 'how far each partition goes',
      command: '<%= config.bin %> <%= command.id %> orders --query "[0].partitions[].latestOffset"',
    },
  ]

  static override args = {topics: Args.string({name: 'TOPIC', description: 'names of the topics', multiple: true})}

  async run(): Promise<TopicDescription[]> {
    const {topic} = await this.answers(this.args.topics ? {} : {topic: topicQuestion(() => this.kafka())})
    const names = [...new Set(this.args.topics ?? [topic!])]
    const kafka = await this.kafka()

    const results = await withCluster(kafka, (cluster) => describeAll(cluster, names, kafka))

    const found = results.flatMap(({topic}) => topic ?? [])
    for (const description of found) this.show(description)
    for (const {error} of results) if (error && results.length > 1) this.warn(error.message)
    const failure = failureOf(results, 'topics')
    if (!failure) return found
    if (this.jsonEnabled() && found.length > 0) this.logJson(this.toSuccessJson(found))
    throw failure
  }

  private show({name, partitions, configs}: TopicDescription): void {
    this.table(partitions, {
      topic: () => name,
      partition: ({partition}) => partition,
      leader: ({leader}) => (leader < 0 ? 'none' : leader),
      replicas: ({replicas}) => replicas.join(','),
      earliest: ({earliestOffset}) => earliestOffset,
      latest: ({latestOffset}) => latestOffset,
    })
    if (configs === null) {
      this.note(`the configuration of "${name}" may not be read`)
      return
    }
    if (!this.flags.plain) this.log()
    this.table(configs, {config: ({name}) => name, value: ({value}) => value, source: ({source}) => source})
  }
}

async function describeAll(cluster: Cluster, names: readonly string[], kafka: KafkaTarget): Promise<Described[]> {
  const results: Described[] = []
  for (const name of names) {
    try {
      results.push({name, status: 'found', topic: await describeTopic(cluster, name)})
    } catch (error) {
      results.push({name, status: 'failed', error: asSkkError(error, kafka)})
    }
  }
  return results
}
