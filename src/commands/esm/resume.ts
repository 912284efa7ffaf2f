import {Args} from '@oclif/core'

import type {Outcome} from '../../lib/esm/outcome.js'
import {isOn} from '../../lib/esm/plan.js'
import {changeFlags, EsmChangeCommand} from '../../lib/esm-change-command.js'

export default class EsmResume extends EsmChangeCommand<typeof EsmResume> {
  static override description = 'turn mappings on again, from where they stopped'
  static override examples = ['<%= config.bin %> <%= command.id %> --function orders --topic orders --retry']
  static override args = {uuids: Args.string({name: 'UUID', description: 'mappings', multiple: true})}
  static override flags = changeFlags

  async run(): Promise<Outcome[]> {
    const needs = (mapping: Parameters<typeof isOn>[0]) => !isOn(mapping)
    const outcomes = await this.changeSelected(this.args.uuids ?? [], {enabled: true}, {needs, until: 'enabled', done: 'resumed'})
    this.report(outcomes)
    return outcomes
  }
}
