import {Args, Flags} from '@oclif/core'

import {confirmationFlags} from '../../lib/base-command.js'
import {SkkError} from '../../lib/errors.js'
import {pollersEstimate} from '../../lib/esm/advice.js'
import type {Outcome} from '../../lib/esm/outcome.js'
import {mutableDifferences} from '../../lib/esm/plan.js'
import {changeFlags, EsmChangeCommand} from '../../lib/esm-change-command.js'
import {settingsFlags, settingsOf} from '../../lib/esm-flags.js'

export default class EsmUpdate extends EsmChangeCommand<typeof EsmUpdate> {
  static override description = 'change settings of mappings; what is not named stays'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --function orders --topic orders --batch-size 500 --retry',
    {description: 'take every record again', command: '<%= config.bin %> <%= command.id %> --function orders --no-filter'},
  ]
  static override args = {uuids: Args.string({name: 'UUID', description: 'mappings', multiple: true})}
  static override flags = {
    ...changeFlags,
    ...settingsFlags,
    yes: confirmationFlags.yes,
    'no-filter': Flags.boolean({description: 'take the filters away', exclusive: ['filter']}),
    'no-on-failure': Flags.boolean({description: 'take the on-failure destination away', exclusive: ['on-failure']}),
    'no-pollers': Flags.boolean({
      description: 'go back from provisioned pollers to on-demand ones',
      exclusive: ['min-pollers', 'max-pollers', 'poller-group'],
    }),
  }

  async run(): Promise<Outcome[]> {
    const settings = {
      ...settingsOf(this.flags),
      ...(this.flags['no-filter'] && {filters: []}),
      ...(this.flags['no-on-failure'] && {onFailure: null}),
      ...(this.flags['no-pollers'] && {pollers: null}),
    }
    if (Object.keys(settings).length === 0) {
      throw new SkkError('missing what to change', {
        code: 'USAGE',
        exit: 'usage',
        hint: 'Run `skk esm update --help` to see what can be changed.',
      })
    }
    const outcomes = await this.changeSelected(this.args.uuids ?? [], settings, {
      needs: (mapping) => mutableDifferences({settings}, mapping).length > 0,
      until: 'settled',
      done: 'updated',
      agree: async (open) => {
        const estimate = pollersEstimate(open.map((existing) => ({existing, settings})))
        if (estimate) await this.confirm(`${estimate} Go on?`)
      },
    })
    this.report(outcomes)
    return outcomes
  }
}
