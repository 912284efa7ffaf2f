import {type Command, Flags} from '@oclif/core'

import type {Mapping, MappingSettings} from './aws/mapping.js'
import {dryRunFlag} from './base-command.js'
import type {World} from './esm/attach.js'
import {type Changed, changeAll, refuseOfCloudFormation} from './esm/change.js'
import {failureOfMappings, type Outcome, withSeen} from './esm/outcome.js'
import type {Until} from './esm/wait.js'
import {EsmCommand, retryFlags, selectionFlags, waitFlag} from './esm-command.js'

/** For the verbs that change mappings that exist. */
export const changeFlags = {
  ...selectionFlags,
  ...retryFlags,
  ...waitFlag,
  ...dryRunFlag,
  force: Flags.boolean({description: 'change mappings that CloudFormation made, too'}),
}

type Change = {
  needs: (mapping: Mapping) => boolean
  until: Until
  /** What the change is called when it is done. */
  done: string
  /** Asks before something that costs money. */
  agree?: (open: readonly Mapping[]) => Promise<void>
}

type ChangeFlags = {wait: boolean; 'dry-run'?: boolean}

/** What update, pause, resume and detach share. */
export abstract class EsmChangeCommand<C extends typeof Command> extends EsmCommand<C> {
  protected get change(): ChangeFlags {
    return this.flags as unknown as ChangeFlags
  }

  /** Puts the settings on the mappings selected that need it, and waits. */
  protected async changeSelected(
    uuids: readonly string[],
    settings: MappingSettings,
    {needs, until, done, agree}: Change,
  ): Promise<Outcome[]> {
    this.requireSelection(uuids)
    const account = await this.account()
    return this.withLambda(account, async (world) => {
      const selected = await this.selected(world, account, uuids)
      if (selected.length === 0) this.note('no mapping matches')
      const open = selected.filter(needs)
      await refuseOfCloudFormation(world, open)
      if (this.change['dry-run'])
        return selected.map((mapping) => outcomeOf(mapping, open.includes(mapping) ? `would be ${done}` : 'unchanged'))
      await agree?.(open)
      if (open.length > 0) await this.acting(account)
      const changed = await this.each(world, open, () => changeAll(world, open, settings))
      const outcomes = selected.map((mapping) => {
        const error = changed.find((one) => one.mapping.uuid === mapping.uuid)?.error
        return outcomeOf(mapping, error ? 'failed' : open.includes(mapping) ? done : 'unchanged', this.withHint(error))
      })
      return this.change.wait ? this.await(world, changed, outcomes, until) : outcomes
    })
  }

  /** Runs with progress, and says on Ctrl-C how far it is. */
  protected async each(world: World, mappings: readonly Mapping[], work: () => Promise<Changed[]>): Promise<Changed[]> {
    const watching = this.watch(world, mappings.length)
    this.onStop(() =>
      this.note(`${watching.made.size} of ${mappings.length} are done. Run \`${this.typed([])}\` again to go on.`),
    )
    try {
      return await work()
    } finally {
      watching.stop()
    }
  }

  /** Waits for what was changed; the others stay as they are. */
  protected async await(
    world: World,
    changed: readonly Changed[],
    outcomes: readonly Outcome[],
    until: Until,
  ): Promise<Outcome[]> {
    const watched = changed
      .filter(({error}) => !error)
      .map(({mapping, label}) => ({uuid: mapping.uuid, label, eventSourceArn: mapping.eventSourceArn, until}))
    if (watched.length === 0) return [...outcomes]
    const seen = await this.waitFor(world, watched)
    return outcomes.map((outcome) =>
      withSeen(
        outcome,
        seen.find(({uuid}) => uuid === outcome.uuid),
      ),
    )
  }

  /** Prints the outcomes, and fails with what failed. */
  protected report(outcomes: readonly Outcome[]): void {
    for (const {error} of outcomes) if (error && outcomes.length > 1) this.warn(error.message)
    this.table(outcomes, {
      function: (outcome) => outcome.function,
      topic: ({topic}) => topic,
      result: ({result}) => result,
      state: ({state}) => state,
      uuid: ({uuid}) => uuid,
    })
    const failure = failureOfMappings(outcomes)
    if (!failure) return
    if (this.jsonEnabled() && outcomes.length > 1) this.logJson(this.toSuccessJson(outcomes))
    throw failure
  }
}

/** As it was before, with what became of it. */
export function outcomeOf(mapping: Mapping, result: string, error?: unknown): Outcome {
  const {function: name, topic, group, uuid, state} = mapping
  return {
    function: name,
    topic,
    group: group ?? uuid,
    uuid,
    result,
    state,
    differences: [],
    retries: 0,
    ...(error !== undefined && {error: error as NonNullable<Outcome['error']>}),
  }
}
