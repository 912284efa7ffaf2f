import {Flags} from '@oclif/core'

import {confirmationFlags, dryRunFlag} from '../../lib/base-command.js'
import {SkkError} from '../../lib/errors.js'
import {withCluster} from '../../lib/kafka/client.js'
import type {Cluster} from '../../lib/kafka/cluster.js'
import {failureOf} from '../../lib/kafka/several.js'
import type {KafkaTarget} from '../../lib/kafka/target.js'
import {type AppliedStep, applyTopics} from '../../lib/kafka/topics/apply.js'
import {realClock, serverlessPace, unpaced} from '../../lib/kafka/topics/pace.js'
import type {TopicStep} from '../../lib/kafka/topics/plan.js'
import {manifestFlags, TopicsPlanCommand} from '../../lib/topics-plan-command.js'

export default class TopicsApply extends TopicsPlanCommand<typeof TopicsApply> {
  static override description = 'create and alter topics so that the cluster is as a file says'

  static override examples = [
    '<%= config.bin %> <%= command.id %> -f topics.yaml',
    {
      description: "delete the 2 topics inside the file's prefix that it no longer has",
      command: '<%= config.bin %> <%= command.id %> -f topics.yaml --prune --confirm 2 --yes',
    },
  ]

  static override flags = {
    ...manifestFlags,
    yes: confirmationFlags.yes,
    confirm: Flags.string({
      description: 'how many topics --prune may delete; on a protected cluster the name of each, too',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<number|name>',
      dependsOn: ['prune'],
    }),
    ...dryRunFlag,
  }

  async run(): Promise<AppliedStep[]> {
    const {serverless} = await this.target()
    const manifest = await this.manifest(serverless)
    const kafka = await this.kafka()
    return withCluster(kafka, async (cluster) => {
      const steps = await this.plan(cluster, manifest, serverless)
      this.showSteps(steps)
      this.refuseImpossible(steps)
      if (this.flags['dry-run'] || steps.every(({action}) => action === 'keep')) return steps.map(preview)
      await this.agree(steps)
      await this.acting()
      return this.carryOut(steps, cluster, kafka)
    })
  }

  private async agree(steps: readonly TopicStep[]): Promise<void> {
    const doomed = steps.filter(({action}) => action === 'delete').map(({name}) => name)
    const changes = steps.filter(({action}) => action === 'create' || action === 'alter').length
    if (doomed.length > 0) {
      await this.confirmCount(doomed.length)
      await this.confirm(`Delete ${doomed.map((name) => `"${name}"`).join(', ')}?`, {names: doomed, agreed: true})
    }
    if (changes > 0) await this.confirm(`Apply ${changes} ${changes === 1 ? 'change' : 'changes'}?`)
  }

  /** `--yes` is not enough to delete what a file merely does not mention. */
  private async confirmCount(count: number): Promise<void> {
    if (this.flags.confirm?.includes(String(count))) return
    if (this.flags.confirm === undefined && this.interactive()) {
      const {count: typed} = await this.answers({
        count: {name: '--confirm', message: `Type the number of topics to delete (${count}):`, example: String(count)},
      })
      if (Number(typed) === count) return
    }
    throw new SkkError(`--prune would delete ${count} ${count === 1 ? 'topic' : 'topics'}; nothing was changed`, {
      code: 'CONFIRMATION_REQUIRED',
      exit: 'usage',
      hint: `Run the same command with \`--confirm ${count}\` if that is what you want.`,
    })
  }

  private async carryOut(steps: readonly TopicStep[], cluster: Cluster, kafka: KafkaTarget): Promise<AppliedStep[]> {
    const {serverless, account} = await this.target()
    const pace =
      // The stack on this machine has no such quotas.
      serverless && account.credentials !== 'local'
        ? serverlessPace(realClock, (ms) => this.note(`waiting ${Math.ceil(ms / 1000)} s for the quota of partitions`))
        : unpaced
    let done = 0
    this.onStop(() => this.note(`${done} of ${steps.length} topics are as wanted. Run \`${this.typed([])}\` again to go on.`))
    const results = await applyTopics(steps, {
      cluster,
      kafka,
      serverless,
      pace,
      clock: realClock,
      onStep: (count) => {
        done = count
      },
    })
    for (const {name, status, error} of results) {
      if (error) results.length > 1 && this.warn(error.message)
      else if (status !== 'unchanged') this.note(`${status} topic "${name}"`)
    }
    const failure = failureOf(results, 'topics')
    if (!failure) return results
    if (this.jsonEnabled() && results.length > 1) this.logJson(this.toSuccessJson(results))
    throw failure
  }
}

const preview = ({name, action, changes, records}: TopicStep): AppliedStep => ({
  name,
  changes,
  ...(records !== undefined && {records}),
  status: action === 'keep' ? 'unchanged' : `would ${action}`,
})
