import {readFile} from 'node:fs/promises'
import {basename, dirname, extname, resolve} from 'node:path'

import {Flags} from '@oclif/core'

import type {Mapping} from '../../lib/aws/mapping.js'
import {findCluster} from '../../lib/aws/msk.js'
import type {Target} from '../../lib/contexts.js'
import {SkkError} from '../../lib/errors.js'
import {each, readTags, type World} from '../../lib/esm/attach.js'
import {describeDifference} from '../../lib/esm/conflict.js'
import {type Declared, readManifest} from '../../lib/esm/manifest.js'
import type {Outcome} from '../../lib/esm/outcome.js'
import {findExisting, labelOf, type Step, type Wanted} from '../../lib/esm/plan.js'
import {EsmPlanCommand, planFlags} from '../../lib/esm-plan-command.js'

export default class EsmApply extends EsmPlanCommand<typeof EsmApply> {
  static override description = 'bring the mappings of a file into being: plan, show, ask, carry out, wait'
  static override examples = [
    '<%= config.bin %> <%= command.id %> -f mappings.yaml --retry',
    {description: 'what it would do', command: '<%= config.bin %> <%= command.id %> -f mappings.yaml --dry-run'},
    {
      description: 'delete the 2 that an earlier version of the file had made',
      command: '<%= config.bin %> <%= command.id %> -f mappings.yaml --prune --confirm 2 --yes --retry',
    },
  ]
  static override flags = {
    file: Flags.string({char: 'f', description: 'YAML with the mappings', default: 'mappings.yaml'}),
    prune: Flags.boolean({description: 'delete mappings that this manifest made and that its file no longer has'}),
    confirm: Flags.integer({description: 'how many mappings --prune may delete', helpValue: '<number>', dependsOn: ['prune']}),
    manifest: Flags.string({description: 'name of the manifest in the tag of its mappings (default DIRECTORY/FILE)'}),
    ...planFlags,
  }

  async run(): Promise<Outcome[]> {
    const file = resolve(this.flags.file)
    const declared = await readManifest(await contentOf(file, this.flags.file), this.flags.file)
    if (declared.length === 0) this.refuseEmpty()
    const account = await this.account()
    const wanted = await this.inClusters(account, declared)
    const manifest = this.flags.manifest ?? `${basename(dirname(file))}/${basename(file, extname(file))}`
    const outcomes = await this.carryOut(account, wanted, {
      manifest,
      review: (world, steps, existing) => this.review(world, steps, existing, manifest),
    })
    this.report(outcomes)
    return outcomes
  }

  private refuseEmpty(): void {
    throw new SkkError(`"${this.flags.file}" has no mappings`, {
      code: 'USAGE',
      exit: 'usage',
      hint: this.flags.prune
        ? 'Deleting everything is not what --prune is for; use `skk esm detach`.'
        : 'Write it as `mappings: [{function: orders, topic: orders}]`.',
    })
  }

  private async inClusters(account: Target, declared: readonly Declared[]): Promise<Wanted[]> {
    const names = [...new Set(declared.map(({cluster}) => cluster))]
    const arns = new Map(await each(names, async (name) => [name, await this.arnOf(account, name)] as const))
    return declared.map(({cluster, ...wanted}) => ({...wanted, eventSourceArn: arns.get(cluster)!}))
  }

  private async arnOf(account: Target, cluster: string | undefined): Promise<string> {
    if (cluster === undefined) return this.clusterArn(account)
    return cluster.startsWith('arn:') ? cluster : (await findCluster(account, cluster)).arn
  }

  /** Shows what would be done, and asks; returns what goes. */
  private async review(
    world: World,
    steps: readonly Step[],
    existing: readonly Mapping[],
    manifest: string,
  ): Promise<readonly Mapping[]> {
    const doomed = this.flags.prune ? await findDoomed(world, steps, existing, manifest) : []
    const changes = steps.filter(({action}) => action !== 'noop')
    for (const step of changes) this.note(lineOf(step))
    for (const mapping of doomed) this.note(`- ${labelOf(mapping)}: delete (${mapping.uuid}, ${mapping.state})`)
    this.note(`${changes.length} to change, ${doomed.length} to delete, ${steps.length - changes.length} as wanted`)
    if (this.flags['dry-run']) return doomed
    if (doomed.length > 0) await this.confirmCount(doomed.length)
    if (changes.length > 0) await this.confirm(`Apply ${changes.length} ${changes.length === 1 ? 'change' : 'changes'}?`)
    return doomed
  }

  /** `--yes` is not enough to delete what a file merely stopped to mention. */
  private async confirmCount(count: number): Promise<void> {
    if (this.flags.confirm === count) return
    if (this.flags.confirm === undefined && this.interactive()) {
      const {count: typed} = await this.answers({
        count: {name: '--confirm', message: `Type the number of mappings to delete (${count}):`, example: String(count)},
      })
      if (Number(typed) === count) return
    }
    throw new SkkError(`--prune would delete ${count} ${count === 1 ? 'mapping' : 'mappings'}; nothing was changed`, {
      code: 'CONFIRMATION_REQUIRED',
      exit: 'usage',
      hint: `Run the same command with \`--confirm ${count}\` if that is what you want.`,
    })
  }
}

/** Mappings of the plan's clusters that carry this manifest's tag and are not in the plan. */
async function findDoomed(
  world: World,
  steps: readonly Step[],
  existing: readonly Mapping[],
  manifest: string,
): Promise<Mapping[]> {
  const kept = new Set(steps.map(({wanted}) => findExisting(wanted, existing)?.uuid))
  const others = existing.filter(({uuid, state}) => !kept.has(uuid) && state !== 'Deleting')
  const tagged = await each(others, async (mapping) => ({mapping, tags: await readTags(world, mapping.arn)}))
  return tagged.filter(({tags}) => tags['skk:manifest'] === manifest).map(({mapping}) => mapping)
}

function lineOf(step: Step): string {
  const sign = step.action === 'create' ? '+' : step.action === 'replace' ? '!' : '~'
  const why =
    'differences' in step && step.differences.length > 0 ? ` (${step.differences.map(describeDifference).join('; ')})` : ''
  return `${sign} ${labelOf(step.wanted)}: ${step.action}${why}`
}

async function contentOf(file: string, asTyped: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new SkkError(`cannot read "${asTyped}": ${(error as NodeJS.ErrnoException).code}`, {
      code: 'FILE_UNREADABLE',
      exit: 'localIo',
      hint: 'Name the file with `--file`.',
      cause: error,
    })
  }
}
