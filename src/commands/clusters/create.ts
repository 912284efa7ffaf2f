import {randomUUID} from 'node:crypto'

import {Args, Flags} from '@oclif/core'

import {bootstrapBrokers, type Cluster, createCluster, findByName, type NewCluster, waitUntilActive} from '../../lib/aws/msk.js'
import {checkCluster, differences, parseTags} from '../../lib/aws/new-cluster.js'
import {BaseCommand, confirmationFlags, dryRunFlag} from '../../lib/base-command.js'
import {isLocal, pollMs} from '../../lib/contexts/bootstrap.js'
import {saveContext} from '../../lib/contexts/config-file.js'
import type {Target} from '../../lib/contexts.js'
import {SkkError} from '../../lib/errors.js'
import {estimateMonthlyCost, PRICES} from '../../lib/limits.js'

const WAIT_MS = 25 * 60_000

type Created = Cluster & {bootstrap: string | null; context: string | null}

export default class ClustersCreate extends BaseCommand<typeof ClustersCreate> {
  static override description = 'create an MSK Serverless cluster and wait until it can be used'

  static override examples = [
    '<%= config.bin %> <%= command.id %> demo --subnets subnet-1a,subnet-2b --security-groups sg-1a --use',
    {description: 'on the local stack', command: '<%= config.bin %> <%= command.id %> demo --context local'},
    '<%= config.bin %> <%= command.id %> demo --subnets subnet-1a,subnet-2b --tags team=orders --no-wait --yes',
  ]

  static override args = {name: Args.string({description: 'name of the new cluster'})}

  static override flags = {
    subnets: Flags.string({
      description: 'two or more subnets of one VPC, in different availability zones',
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
      helpValue: '<id>',
    }),
    'security-groups': Flags.string({
      description: "security groups of the brokers; the VPC's default one if left out",
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
      helpValue: '<id>',
    }),
    tags: Flags.string({description: 'tag of the cluster', multiple: true, multipleNonGreedy: true, helpValue: '<key=value>'}),
    use: Flags.boolean({description: 'make a context of the same name, and make it the current one'}),
    wait: Flags.boolean({description: 'wait until it is active', allowNo: true, default: true}),
    'if-not-exists': Flags.boolean({description: 'take the cluster of that name if there is one'}),
    yes: confirmationFlags.yes,
    ...dryRunFlag,
  }

  async run(): Promise<Created> {
    const account = await this.account()
    const wanted = await this.wanted(account)
    checkCluster(wanted)

    const existing = this.flags['if-not-exists'] ? await findByName(account, wanted.name) : undefined
    if (existing) return this.takeExisting(account, existing, wanted)
    if (this.flags['dry-run']) return this.preview(wanted)

    if (!isLocal(account)) await this.confirm(`${estimate()} Create cluster "${wanted.name}"?`)
    await this.acting({...account, cluster: undefined, bootstrap: undefined})
    const created = await createCluster(account, wanted, {requestId: randomUUID()})
    this.note(`creating cluster "${created.name}"`)
    return this.finish(account, created)
  }

  /** What is to be created; what is missing is asked for. The local stack has no network to choose. */
  private async wanted(account: Target): Promise<NewCluster> {
    const {subnets = [], tags = []} = this.flags
    const {name, network} = await this.answers(
      {
        ...(!this.args.name && {name: {name: 'NAME', message: 'Name of the cluster:', example: 'demo'}}),
        ...(subnets.length === 0 &&
          !isLocal(account) && {
            network: {name: '--subnets', message: 'Subnets, separated by commas:', example: 'subnet-1a,subnet-2b'},
          }),
      },
      {cluster: false},
    )
    return {
      name: this.args.name ?? name!,
      subnets: subnets.length > 0 ? subnets : (network?.split(',') ?? ['subnet-1a', 'subnet-2b']),
      securityGroups: this.flags['security-groups'] ?? [],
      tags: parseTags(tags),
    }
  }

  private async takeExisting(account: Target, existing: Cluster, wanted: NewCluster): Promise<Created> {
    const different = isLocal(account) && !this.flags.subnets ? [] : differences(existing, wanted)
    if (different.length > 0) {
      throw new SkkError(`cluster "${existing.name}" exists, but not like this: ${different.join('; ')}`, {
        code: 'CLUSTER_DIFFERS',
        exit: 'conflict',
        hint: `Run \`skk clusters describe ${existing.name}\` to compare, and choose another name or the same settings.`,
      })
    }
    this.note(`cluster "${existing.name}" exists already`)
    return this.finish(account, existing)
  }

  private preview({name, tags}: NewCluster): Created {
    this.note(`would create cluster "${name}". ${estimate()}`)
    return {name, arn: '', state: 'NONE', type: 'SERVERLESS', createdAt: null, tags, bootstrap: null, context: null}
  }

  private async finish(account: Target, created: Cluster): Promise<Created> {
    const context = this.flags.use ? await this.useIt(account, created) : null
    const cluster = this.flags.wait ? await this.waitFor(account, created) : created
    const bootstrap = cluster.state === 'ACTIVE' ? await bootstrapBrokers(account, cluster.arn) : null
    this.table([cluster], {name: ({name}) => name, state: ({state}) => state, arn: ({arn}) => arn, bootstrap: () => bootstrap})
    const where = account.context ? ` --context ${account.context}` : ''
    this.next(context ? 'skk topics create orders' : `skk topics create orders --cluster ${cluster.name}${where}`)
    return {...cluster, bootstrap, context}
  }

  private async useIt(account: Target, {name, arn}: Cluster): Promise<string> {
    await saveContext(this.config.configDir, name, {...account.account, cluster: arn}, {use: true})
    this.note(`using context "${name}"`)
    return name
  }

  private async waitFor(account: Target, {name, arn}: Cluster): Promise<Cluster> {
    const progress = this.progress()
    this.onStop(() =>
      this.note(`Cluster "${name}" is being created all the same; run \`skk clusters describe ${name}\` to see how far it is.`),
    )
    const started = Date.now()
    const onPoll = () =>
      progress.update(`creating cluster "${name}", ${Math.round((Date.now() - started) / 1000)} s; AWS takes about ten minutes`)
    try {
      return await waitUntilActive(account, arn, {
        deadline: started + (this.flags.timeout ?? WAIT_MS),
        pollMs: pollMs(account),
        onPoll,
      })
    } finally {
      progress.stop()
    }
  }
}

const estimate = (): string =>
  `An MSK Serverless cluster costs about $${Math.round(estimateMonthlyCost({partitions: 0}))} a month before partitions and data ` +
  `(${PRICES.region}, prices as of ${PRICES.asOf}).`
