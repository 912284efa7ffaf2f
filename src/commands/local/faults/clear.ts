import {Flags} from '@oclif/core'

import {BaseCommand, dataDirFlag, dryRunFlag} from '../../../lib/base-command.js'
import {SkkError} from '../../../lib/errors.js'
import {askFaults, requireRunningStack} from '../../../lib/local/control.js'
import type {Fault} from '../../../lib/local/kafka/faults.js'

export default class LocalFaultsClear extends BaseCommand<typeof LocalFaultsClear> {
  static override description = 'let the brokers of the local stack work again'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --id 3']
  static override flags = {
    id: Flags.integer({description: 'only this fault', min: 1}),
    ...dataDirFlag,
    ...dryRunFlag,
  }

  async run(): Promise<Fault[]> {
    const {id} = this.flags
    const stack = await requireRunningStack(this.localDataDir())
    const there = await askFaults<Fault[]>(stack, 'faults-list')
    const named = there.filter((fault) => id === undefined || fault.id === id)
    if (id !== undefined && named.length === 0) {
      throw new SkkError(`there is no fault ${id}`, {
        code: 'FAULT_NOT_FOUND',
        exit: 'notFound',
        hint: 'See them with `skk local faults list`.',
      })
    }
    if (this.flags['dry-run']) {
      this.note(`would clear ${named.length} faults`)
      return named
    }
    const cleared = await askFaults<Fault[]>(stack, 'faults-clear', {...(id !== undefined && {id})})
    this.log(`cleared ${cleared.length} ${cleared.length === 1 ? 'fault' : 'faults'}`)
    return cleared
  }
}
