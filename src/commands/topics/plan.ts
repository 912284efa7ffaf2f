import {Flags} from '@oclif/core'

import {SkkError} from '../../lib/errors.js'
import {withCluster} from '../../lib/kafka/client.js'
import type {TopicStep} from '../../lib/kafka/topics/plan.js'
import {manifestFlags, TopicsPlanCommand} from '../../lib/topics-plan-command.js'

export default class TopicsPlan extends TopicsPlanCommand<typeof TopicsPlan> {
  static override description = 'show what `topics apply` would change'

  static override examples = [
    '<%= config.bin %> <%= command.id %> -f topics.yaml',
    {
      description: 'in a CI job: exit 6 when the cluster is not as the file says',
      command: '<%= config.bin %> <%= command.id %> -f topics.yaml --check',
    },
  ]

  static override flags = {
    ...manifestFlags,
    check: Flags.boolean({description: 'exit 6 when anything would change'}),
  }

  async run(): Promise<TopicStep[]> {
    const {serverless} = await this.target()
    const manifest = await this.manifest(serverless)
    const steps = await withCluster(await this.kafka(), (cluster) => this.plan(cluster, manifest, serverless))
    this.showSteps(steps)
    const drifted = steps.filter(({action}) => action !== 'keep')
    if (!this.flags.check || drifted.length === 0) {
      for (const {name, reason} of steps) if (reason) this.warn(`topic "${name}": ${reason}`)
      return steps
    }
    if (this.jsonEnabled()) this.logJson(this.toSuccessJson(steps))
    throw new SkkError(`${drifted.length} of ${steps.length} topics are not as "${this.flags.file}" says`, {
      code: 'DRIFT',
      exit: 'conflict',
      hint: `Run \`skk topics apply -f ${this.flags.file}\` to change them, or \`skk topics export\` to see what there is.`,
    })
  }
}
