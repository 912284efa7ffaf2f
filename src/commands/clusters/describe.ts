import {Args} from '@oclif/core'

import {bootstrapBrokers, type Cluster, findCluster, listClusters} from '../../lib/aws/msk.js'
import {BaseCommand} from '../../lib/base-command.js'

type Described = Cluster & {bootstrap: string | null}

export default class ClustersDescribe extends BaseCommand<typeof ClustersDescribe> {
  static override description = 'show the state, the brokers and the network of a cluster'
  static override examples = [
    '<%= config.bin %> <%= command.id %> demo',
    '<%= config.bin %> <%= command.id %> demo --query bootstrap',
  ]
  static override args = {cluster: Args.string({description: 'name or ARN; the cluster of your context if left out'})}

  async run(): Promise<Described> {
    const account = await this.account()
    const choices = async () => (await listClusters(account)).map(({name}) => name)
    const question = {name: 'CLUSTER', message: 'Which cluster?', example: 'demo', choices}
    const wanted = this.args.cluster ?? account.cluster ?? (await this.answers({cluster: question}, {cluster: false})).cluster!

    const cluster = await findCluster(account, wanted)
    const bootstrap = cluster.state === 'ACTIVE' ? await bootstrapBrokers(account, cluster.arn) : null
    const described = {...cluster, bootstrap}
    this.table(rowsOf(described), {field: ([field]) => field, value: ([, value]) => value})
    return described
  }
}

const rowsOf = ({
  name,
  arn,
  state,
  stateReason,
  type,
  createdAt,
  bootstrap,
  tags,
  vpcConfigs = [],
}: Described): [string, string][] => {
  const rows: [string, string | null | undefined][] = [
    ['name', name],
    ['arn', arn],
    ['state', state],
    ['reason', stateReason],
    ['type', type],
    ['created', createdAt],
    ['bootstrap', bootstrap],
    ['subnets', vpcConfigs.flatMap(({subnets}) => subnets).join(', ')],
    ['security groups', vpcConfigs.flatMap(({securityGroups}) => securityGroups).join(', ')],
    [
      'tags',
      Object.entries(tags)
        .map(([key, value]) => `${key}=${value}`)
        .join(', '),
    ],
  ]
  return rows.filter((row): row is [string, string] => Boolean(row[1]))
}
