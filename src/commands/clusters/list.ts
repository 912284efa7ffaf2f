import {type Cluster, listClusters} from '../../lib/aws/msk.js'
import {BaseCommand} from '../../lib/base-command.js'

export default class ClustersList extends BaseCommand<typeof ClustersList> {
  static override description = 'list the MSK clusters of your account in a region'

  static override examples = [
    '<%= config.bin %> <%= command.id %> --region eu-west-1',
    {
      description: 'names of the clusters that are ready',
      command: '<%= config.bin %> <%= command.id %> --query "[?state==\'ACTIVE\'].name"',
    },
  ]

  async run(): Promise<Cluster[]> {
    const clusters = await listClusters(await this.account())
    if (clusters.length === 0) this.note('No clusters. Create one with `skk clusters create`.')
    this.table(clusters, {
      name: ({name}) => name,
      state: ({state}) => state,
      type: ({type}) => type,
      created: ({createdAt}) => createdAt,
      arn: ({arn}) => arn,
    })
    return clusters
  }
}
