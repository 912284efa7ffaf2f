import {Args} from '@oclif/core'

import {BaseCommand, confirmationFlags, dryRunFlag} from '../../lib/base-command.js'
import {withCluster} from '../../lib/kafka/client.js'
import type {Cluster} from '../../lib/kafka/cluster.js'
import {asSkkError} from '../../lib/kafka/errors.js'
import {failureOf, type Settled} from '../../lib/kafka/several.js'
import type {KafkaTarget} from '../../lib/kafka/target.js'
import {topicQuestion} from '../../lib/kafka/topic-question.js'
import {deleteTopics, requireTopic} from '../../lib/kafka/topics.js'

export default class TopicsDelete extends BaseCommand<typeof TopicsDelete> {
  static override description = 'delete topics and everything in them'

  static override examples = ['<%= config.bin %> <%= command.id %> orders --yes']

  static override args = {topics: Args.string({name: 'TOPIC', description: 'names of the topics', multiple: true})}

  static override flags = {...confirmationFlags, ...dryRunFlag}

  async run(): Promise<Settled[]> {
    const {topic} = await this.answers(this.args.topics ? {} : {topic: topicQuestion(() => this.kafka())})
    const names = [...new Set(this.args.topics ?? [topic!])]
    const kafka = await this.kafka()
    await this.acting()

    const results = await withCluster(kafka, async (cluster): Promise<Settled[]> => {
      const {existing, missing} = await sortOut(cluster, names, kafka)
      if (existing.length === 0 || this.flags['dry-run'])
        return [...missing, ...existing.map((name) => ({name, status: 'would delete'}))]
      await this.confirm(
        `Delete ${existing.map((name) => `"${name}"`).join(', ')} and everything in ${existing.length > 1 ? 'them' : 'it'}?`,
        {names: existing},
      )
      const outcomes = await deleteTopics(cluster, existing, kafka.timeoutMs)
      const deleted = outcomes.map(
        ({name, error}): Settled =>
          error ? {name, status: 'failed', error: asSkkError(error, kafka)} : {name, status: 'deleted'},
      )
      return [...missing, ...deleted]
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
}

/** Asking for a confirmation makes sense only for what exists. */
async function sortOut(
  cluster: Cluster,
  names: readonly string[],
  kafka: KafkaTarget,
): Promise<{existing: string[]; missing: Settled[]}> {
  const existing: string[] = []
  const missing: Settled[] = []
  for (const name of names) {
    try {
      await requireTopic(cluster, name, {unwanted: true})
      existing.push(name)
    } catch (error) {
      missing.push({name, status: 'failed', error: asSkkError(error, kafka)})
    }
  }
  return {existing, missing}
}
