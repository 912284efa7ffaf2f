import {existsSync} from 'node:fs'

import {BaseCommand, confirmationFlags, dataDirFlag, dryRunFlag} from '../../lib/base-command.js'
import {SkkError} from '../../lib/errors.js'
import {runningStack, stopStack} from '../../lib/local/control.js'
import {resetDataDir} from '../../lib/local/data-dir.js'

const STOP_MS = 15_000

export default class LocalReset extends BaseCommand<typeof LocalReset> {
  static override description = 'stop the local stack and delete all its data'
  static override examples = ['<%= config.bin %> <%= command.id %> --yes']
  static override flags = {...dataDirFlag, ...confirmationFlags, ...dryRunFlag}

  async run(): Promise<{reset: boolean; dataDir: string}> {
    const dataDir = this.localDataDir()
    if (!existsSync(dataDir)) {
      this.note(`there is nothing in "${dataDir}"`)
      return {reset: false, dataDir}
    }
    if (this.flags['dry-run']) {
      this.note(`would delete "${dataDir}"`)
      return {reset: false, dataDir}
    }
    await this.confirm(`Delete all topics, records and clusters in "${dataDir}"?`)
    const stack = await runningStack(dataDir)
    if (stack && !(await stopStack(stack, STOP_MS))) {
      throw new SkkError(`the stack with pid ${stack.pid} is still stopping`, {
        code: 'STILL_STOPPING',
        exit: 'pending',
        hint: 'Run `skk local reset --yes` again.',
      })
    }
    await resetDataDir(dataDir)
    this.note(`deleted "${dataDir}"`)
    return {reset: true, dataDir}
  }
}
