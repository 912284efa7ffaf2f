import {Args} from '@oclif/core'

import type {Mapping} from '../../lib/aws/mapping.js'
import {confirmationFlags} from '../../lib/base-command.js'
import type {Target} from '../../lib/contexts.js'
import type {World} from '../../lib/esm/attach.js'
import {readMappings} from '../../lib/esm/attach.js'
import {changeAll, refuseOfCloudFormation, removeAll} from '../../lib/esm/change.js'
import type {Outcome} from '../../lib/esm/outcome.js'
import {isOn} from '../../lib/esm/plan.js'
import {selectMappings} from '../../lib/esm/select.js'
import {changeFlags, EsmChangeCommand, outcomeOf} from '../../lib/esm-change-command.js'

export default class EsmDetach extends EsmChangeCommand<typeof EsmDetach> {
  static override description = 'turn mappings off, delete them and wait until they are gone; their groups keep their offsets'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --function orders --topic orders --retry',
    '<%= config.bin %> <%= command.id %> 0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9 --yes',
  ]
  static override args = {uuids: Args.string({name: 'UUID', description: 'mappings', multiple: true})}
  static override flags = {...changeFlags, yes: confirmationFlags.yes}

  async run(): Promise<Outcome[]> {
    const uuids = this.args.uuids ?? []
    this.requireSelection(uuids)
    const account = await this.account()
    const outcomes = await this.withLambda(account, async (world) => {
      const selected = await this.present(world, account, uuids)
      await refuseOfCloudFormation(world, selected)
      if (this.flags['dry-run']) return selected.map((mapping) => outcomeOf(mapping, 'would be deleted'))
      if (selected.length > 1) await this.confirm(`Detach ${selected.length} mappings?`)
      if (selected.length > 0) await this.acting(account)
      return this.remove(world, selected)
    })
    if (outcomes.length === 0) this.note('no mapping matches; nothing to detach')
    this.report(outcomes)
    return outcomes
  }

  /** One that is gone already is as wanted. */
  private async present(world: World, account: Target, uuids: readonly string[]): Promise<Mapping[]> {
    if (uuids.length === 0) return this.selected(world, account)
    const all = await readMappings(world)
    return selectMappings(all, {uuids: uuids.filter((uuid) => all.some((mapping) => mapping.uuid === uuid))}).filter(({uuid}) =>
      uuids.includes(uuid),
    )
  }

  /** Off first, so that the function finishes its batch and commits it before the mapping goes. */
  private async remove(world: World, selected: readonly Mapping[]): Promise<Outcome[]> {
    const on = selected.filter(isOn)
    const paused = await this.each(world, on, () => changeAll(world, on, {enabled: false}))
    const off = await this.await(
      world,
      paused,
      on.map((mapping) => outcomeOf(mapping, 'paused')),
      'disabled',
    )
    const failures = new Map(
      [
        ...paused.map(({mapping, error}) => [mapping.uuid, error] as const),
        ...off.map(({uuid, error}) => [uuid!, error] as const),
      ].filter(([, error]) => error !== undefined),
    )
    const going = selected.filter(({uuid, state}) => !failures.has(uuid) && state !== 'Deleting')
    const removed = await this.each(world, going, () => removeAll(world, going))
    for (const {mapping, error} of removed) if (error) failures.set(mapping.uuid, error)
    const outcomes = selected.map((mapping) => {
      const error = failures.get(mapping.uuid)
      return outcomeOf(mapping, error ? 'failed' : 'deleted', this.withHint(error))
    })
    if (!this.flags.wait) return outcomes
    const leaving = selected.filter(({uuid}) => !failures.has(uuid)).map((mapping) => ({mapping, label: mapping.topic}))
    const gone = await this.await(world, leaving, outcomes, 'gone')
    return gone.map((outcome) => (outcome.error ? outcome : {...outcome, state: null}))
  }
}
