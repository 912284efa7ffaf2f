import {Args} from '@oclif/core'

import type {Outcome} from '../../lib/esm/outcome.js'
import {isOn} from '../../lib/esm/plan.js'
import {changeFlags, EsmChangeCommand} from '../../lib/esm-change-command.js'

export default class EsmPause extends EsmChangeCommand<typeof EsmPause> {
  static override description = 'turn mappings off; their consumer groups keep their offsets'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --function orders --topic orders --retry',
    {description: 'all of a function', command: '<%= config.bin %> <%= command.id %> --function orders'},
  ]
  static override args = {uuids: Args.string({name: 'UUID', description: 'mappings', multiple: true})}
  static override flags = changeFlags

  async run(): Promise<Outcome[]> {
    const uuids = this.args.uuids ?? []
    const outcomes = await this.changeSelected(uuids, {enabled: false}, {needs: isOn, until: 'disabled', done: 'paused'})
    this.report(outcomes)
    if (outcomes[0] && !this.change['dry-run']) this.next(`skk esm resume ${outcomes[0].uuid}`)
    return outcomes
  }
}
