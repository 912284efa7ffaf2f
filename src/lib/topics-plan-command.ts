import {readFile} from 'node:fs/promises'

import {type Command, Flags} from '@oclif/core'

import {BaseCommand} from './base-command.js'
import {SkkError} from './errors.js'
import type {Cluster} from './kafka/cluster.js'
import {readTopicsManifest, type TopicsManifest} from './kafka/topics/manifest.js'
import {doomedBy, overQuota, planTopics, type TopicDifference, type TopicStep} from './kafka/topics/plan.js'
import {countRecords, readTopics, requireReadable} from './kafka/topics/read.js'

/** For the commands that bring a cluster to what a file says. */
export const manifestFlags = {
  file: Flags.string({char: 'f', description: 'YAML with the topics', default: 'topics.yaml'}),
  prune: Flags.boolean({description: "delete topics that begin with the file's prefix and are not in it"}),
}

/** What `topics plan` and `topics apply` share: read the file, compare, show. */
export abstract class TopicsPlanCommand<C extends typeof Command> extends BaseCommand<C> {
  private get manifestFlags(): {file: string; prune?: boolean} {
    return this.flags as unknown as {file: string; prune?: boolean}
  }

  /** What the file declares. Throws SkkError before anything is asked of the network when it cannot be what is meant. */
  protected async manifest(serverless: boolean): Promise<TopicsManifest> {
    const {file, prune} = this.manifestFlags
    const manifest = await readTopicsManifest(await contentOf(file), file, {serverless})
    if (manifest.topics.length === 0) {
      throw new SkkError(`"${file}" has no topics`, {
        code: 'USAGE',
        exit: 'usage',
        hint: prune
          ? 'Deleting everything is not what --prune is for; use `skk topics delete`.'
          : 'Write it with `skk topics export`, or as `topics: [{name: orders, partitions: 4}]`.',
      })
    }
    if (prune && manifest.prefix === undefined) {
      throw new SkkError(`"${file}" has no prefix, so --prune cannot know which topics are its own`, {
        code: 'USAGE',
        exit: 'usage',
        hint: 'Begin the file with the beginning of the names of its topics, such as `prefix: orders.`.',
      })
    }
    return manifest
  }

  /** The steps from what there is to what the file says; those that delete are the last. */
  protected async plan(cluster: Cluster, manifest: TopicsManifest, serverless: boolean): Promise<TopicStep[]> {
    const existing = await readTopics(cluster)
    requireReadable(manifest.topics, existing)
    const steps = planTopics(manifest.topics, existing, {serverless})
    if (this.manifestFlags.prune) {
      const doomed = doomedBy(
        manifest.prefix!,
        manifest.topics,
        existing.map(({name}) => name),
      )
      const records = await countRecords(cluster, doomed)
      for (const name of doomed) {
        const {partitions} = existing.find((topic) => topic.name === name)!
        const changes = [{field: 'partitions', from: partitions, to: null}]
        steps.push({name, action: 'delete', changes, records: records.get(name)!})
      }
    }
    const over = serverless ? overQuota(steps, existing) : undefined
    if (over)
      throw new SkkError(over, {
        code: 'QUOTA_EXCEEDED',
        exit: 'conflict',
        hint: 'Declare fewer partitions, or delete topics first.',
      })
    return steps
  }

  /** One row for each difference. */
  protected showSteps(steps: readonly TopicStep[]): void {
    const rows = steps.flatMap((step) => (step.changes.length > 0 ? step.changes : [undefined]).map((change) => ({step, change})))
    this.table(rows, {
      topic: ({step}) => step.name,
      action: ({step}) => step.action,
      what: ({change}) => change?.field ?? '-',
      from: ({step, change}) => (step.action === 'create' || !change ? '-' : cellOf(change, 'from')),
      to: ({step, change}) => (step.action === 'delete' || !change ? '-' : cellOf(change, 'to')),
      records: ({step}) => step.records ?? '-',
    })
    const count = (...actions: TopicStep['action'][]) => steps.filter(({action}) => actions.includes(action)).length
    this.note(
      `${count('create')} to create, ${count('alter')} to alter, ${count('delete')} to delete, ${count('keep')} as wanted`,
    )
  }

  /** Throws SkkError (conflict) when a step cannot be carried out. */
  protected refuseImpossible(steps: readonly TopicStep[]): void {
    const refused = steps.filter(({action}) => action === 'refuse')
    const [first] = refused
    if (!first) return
    if (refused.length > 1) for (const {name, reason} of refused) this.warn(`topic "${name}": ${reason}`)
    const message =
      refused.length > 1 ? `${refused.length} topics cannot become as the file says` : `topic "${first.name}": ${first.reason}`
    throw new SkkError(`${message}; nothing was changed`, {
      code: 'TOPIC_DIFFERENT',
      exit: 'conflict',
      hint: `See it with \`skk topics describe ${first.name}\`; a topic under another name can be as the file says.`,
    })
  }
}

/** As in `topics describe`: a key that is not set has the cluster's default. */
const cellOf = (change: TopicDifference, side: 'from' | 'to'): string | number => change[side] ?? '(default)'

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new SkkError(`cannot read "${file}": ${(error as NodeJS.ErrnoException).code}`, {
      code: 'FILE_UNREADABLE',
      exit: 'localIo',
      hint: 'Name the file with `--file`.',
      cause: error,
    })
  }
}
