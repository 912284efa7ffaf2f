import type {Mapping, MappingSettings} from '../aws/mapping.js'
import {SkkError} from '../errors.js'
import {change, each, readTags, remove, type World, worldOf} from './attach.js'
import {isOfCloudFormation, labelOf} from './plan.js'

export type Changed = {mapping: Mapping; label: string; error?: SkkError}

/** Updates each; one that fails keeps no other from going on. */
export const changeAll = (world: World, mappings: readonly Mapping[], settings: MappingSettings): Promise<Changed[]> =>
  settle(world, mappings, 'updated', (mapping, own) => change(mapping, settings, own))

/** Asks AWS to delete each, which goes on for a while. */
export const removeAll = (world: World, mappings: readonly Mapping[]): Promise<Changed[]> =>
  settle(world, mappings, 'deleted', remove)

function settle(
  world: World,
  mappings: readonly Mapping[],
  done: string,
  work: (mapping: Mapping, own: ReturnType<typeof worldOf>) => Promise<void>,
): Promise<Changed[]> {
  return each(mappings, async (mapping) => {
    const label = labelOf(mapping)
    try {
      await work(mapping, worldOf(world, label))
      world.on?.({mapping: label, doing: done})
      return {mapping, label}
    } catch (error) {
      if (!(error instanceof SkkError)) throw error
      world.on?.({mapping: label, doing: 'failed'})
      return {mapping, label, error}
    }
  })
}

/** Throws SkkError (conflict) when CloudFormation made one of them: it would undo the change, or fail over it. */
export async function refuseOfCloudFormation(world: World, mappings: readonly Mapping[]): Promise<void> {
  if (world.options.force) return
  const tagged = await each(mappings, async (mapping) => ({mapping, tags: await readTags(world, mapping.arn)}))
  const theirs = tagged.filter(isOfCloudFormation)
  if (theirs.length === 0) return
  const stack = theirs[0]!.tags['aws:cloudformation:stack-name']
  throw new SkkError(
    `CloudFormation${stack ? ` (stack "${stack}")` : ''} made ${theirs.map(({mapping}) => `"${labelOf(mapping)}"`).join(', ')}`,
    {
      code: 'MAPPING_CLOUDFORMATION',
      exit: 'conflict',
      hint: 'Change the template of the stack, or pass `--force`; the stack then differs from its template.',
    },
  )
}
