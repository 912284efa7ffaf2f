import {Args, Flags} from '@oclif/core'

import {deleteCluster, findCluster, listClusters, waitUntilGone} from '../../lib/aws/msk.js'
import {BaseCommand, confirmationFlags, dryRunFlag} from '../../lib/base-command.js'
import {forget, pollMs} from '../../lib/contexts/bootstrap.js'

const WAIT_MS = 25 * 60_000

export default class ClustersDelete extends BaseCommand<typeof ClustersDelete> {
  static override description = 'delete a cluster with all its topics and records, and wait until it is gone'

  static override examples = [
    '<%= config.bin %> <%= command.id %> demo',
    '<%= config.bin %> <%= command.id %> demo --yes --no-wait',
    {description: 'on a protected cluster', command: '<%= config.bin %> <%= command.id %> orders --confirm orders'},
  ]

  static override args = {cluster: Args.string({description: 'name or ARN of the cluster'})}

  static override flags = {
    wait: Flags.boolean({description: 'wait until it is gone', allowNo: true, default: true}),
    ...confirmationFlags,
    ...dryRunFlag,
  }

  async run(): Promise<{name: string; arn: string; state: 'ACTIVE' | 'DELETING' | 'DELETED'}> {
    const account = await this.account()
    const choices = async () => (await listClusters(account)).map(({name}) => name)
    const question = {name: 'CLUSTER', message: 'Delete which cluster?', example: 'demo', choices}
    const wanted = this.args.cluster ?? (await this.answers({cluster: question}, {cluster: false})).cluster!

    const {name, arn, state} = await findCluster(account, wanted)
    const result = (now: 'ACTIVE' | 'DELETING' | 'DELETED') => ({name, arn, state: now})
    if (this.flags['dry-run']) {
      this.note(`would delete cluster "${name}", ${arn}`)
      return result('ACTIVE')
    }
    if (state !== 'DELETING') {
      const cluster = {...account, cluster: arn, bootstrap: undefined, protected: false}
      await this.confirm(`Delete cluster "${name}" with all its topics and records?`, {names: [name], target: cluster})
      await this.acting({...account, cluster: arn, bootstrap: undefined})
      await deleteCluster(account, arn)
      await forget(account, arn)
    }
    if (!this.flags.wait) {
      this.note(`cluster "${name}" is being deleted`)
      return result('DELETING')
    }

    await this.waitUntilGone(arn, name)
    this.note(`deleted cluster "${name}"`)
    return result('DELETED')
  }

  private async waitUntilGone(arn: string, name: string): Promise<void> {
    const account = await this.account()
    const progress = this.progress()
    this.onStop(() =>
      this.note(`Cluster "${name}" is being deleted all the same; run \`skk clusters list\` to see whether it is gone.`),
    )
    const started = Date.now()
    const onPoll = () => progress.update(`deleting cluster "${name}", ${Math.round((Date.now() - started) / 1000)} s`)
    try {
      await waitUntilGone(account, arn, {deadline: started + (this.flags.timeout ?? WAIT_MS), pollMs: pollMs(account), onPoll})
    } finally {
      progress.stop()
    }
  }
}
