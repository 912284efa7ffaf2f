import {BaseCommand, dataDirFlag} from '../../../lib/base-command.js'
import {askFaults, requireRunningStack} from '../../../lib/local/control.js'
import type {Fault} from '../../../lib/local/kafka/faults.js'
import {messages} from '../../../lib/local/kafka/messages.js'

export default class LocalFaultsList extends BaseCommand<typeof LocalFaultsList> {
  static override description = 'list the faults of the local stack, and how often each has happened'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override flags = {...dataDirFlag}

  async run(): Promise<Fault[]> {
    const faults = await askFaults<Fault[]>(await requireRunningStack(this.localDataDir()), 'faults-list')
    if (faults.length === 0) this.note('no faults')
    this.table(faults, {
      id: ({id}) => id,
      action: ({action, errorCode, ms}) => [action, errorCode, ms !== undefined && `${ms} ms`].filter(Boolean).join(' '),
      when: ({when}) => when,
      api: ({api}) => (api === undefined ? 'all' : messages[api]!.name),
      topic: ({topic}) => topic ?? 'all',
      partition: ({partition}) => partition ?? 'all',
      node: ({node}) => node ?? 'all',
      times: ({times}) => times ?? 'forever',
      seen: ({seen}) => seen,
      hits: ({hits}) => hits,
    })
    return faults
  }
}
