import {Args} from '@oclif/core'

import {BaseCommand, confirmationFlags, dryRunFlag} from '../../lib/base-command.js'
import {withCluster} from '../../lib/kafka/client.js'
import type {Cluster} from '../../lib/kafka/cluster.js'
import {asSkkError} from '../../lib/kafka/errors.js'
import {groupQuestion} from '../../lib/kafka/groups/question.js'
import {deleteGroup, refuseInUse, requireGroup} from '../../lib/kafka/groups.js'
import {failureOf, type Settled} from '../../lib/kafka/several.js'
import type {KafkaTarget} from '../../lib/kafka/target.js'

export default class GroupsDelete extends BaseCommand<typeof GroupsDelete> {
  static override description = 'delete consumer groups without members, and what they have committed'

  static override examples = ['<%= config.bin %> <%= command.id %> billing --yes']

  static override args = {groups: Args.string({name: 'GROUP', description: 'names of the groups', multiple: true})}

  static override flags = {...confirmationFlags, ...dryRunFlag}

  async run(): Promise<Settled[]> {
    const {group} = await this.answers(this.args.groups ? {} : {group: groupQuestion(() => this.kafka())})
    const names = [...new Set(this.args.groups ?? [group!])]
    const kafka = await this.kafka()
    await this.acting()

    const results = await withCluster(kafka, async (cluster): Promise<Settled[]> => {
      const checked = await forEach(names, kafka, 'found', async (name) => refuseInUse(await requireGroup(cluster, name)))
      const failed = checked.filter(({error}) => error !== undefined)
      const deletable = checked.filter(({error}) => error === undefined).map(({name}) => name)
      if (deletable.length === 0) return failed
      if (this.flags['dry-run']) return [...failed, ...deletable.map((name) => ({name, status: 'would delete'}))]
      await this.confirm(`Delete ${deletable.map((name) => `"${name}"`).join(', ')} and what was committed?`, {names: deletable})
      return [...failed, ...(await deleteAll(cluster, deletable, kafka))]
    })

    for (const {name, status, error} of results) {
      if (!error) this.log(`${status} group "${name}"`)
      else if (results.length > 1) this.warn(error.message)
    }
    const failure = failureOf(results, 'groups')
    if (!failure) return results
    if (this.jsonEnabled() && results.length > 1) this.logJson(this.toSuccessJson(results))
    throw failure
  }
}

const deleteAll = (cluster: Cluster, names: readonly string[], kafka: KafkaTarget): Promise<Settled[]> =>
  forEach(names, kafka, 'deleted', (name) => deleteGroup(cluster, name))

async function forEach(
  names: readonly string[],
  kafka: KafkaTarget,
  status: string,
  work: (name: string) => Promise<void>,
): Promise<Settled[]> {
  const results: Settled[] = []
  for (const name of names) {
    try {
      await work(name)
      results.push({name, status})
    } catch (error) {
      results.push({name, status: 'failed', error: asSkkError(error, kafka)})
    }
  }
  return results
}
