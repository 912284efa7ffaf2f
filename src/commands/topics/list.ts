import {BaseCommand} from '../../lib/base-command.js'
import {withCluster} from '../../lib/kafka/client.js'
import {listTopics, type TopicSummary} from '../../lib/kafka/topics.js'

export default class TopicsList extends BaseCommand<typeof TopicsList> {
  static override description = 'list topics'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    {description: 'count all partitions', command: '<%= config.bin %> <%= command.id %> --query "sum([].partitions)"'},
  ]

  async run(): Promise<TopicSummary[]> {
    const topics = await withCluster(await this.kafka(), listTopics)
    if (topics.length === 0) this.note('no topics')
    this.table(topics, {topic: ({name}) => name, partitions: ({partitions}) => partitions, replicas: ({replicas}) => replicas})
    return topics
  }
}
