import {BaseCommand, dataDirFlag} from '../../lib/base-command.js'
import {SkkError} from '../../lib/errors.js'
import {runningStack, stopStack} from '../../lib/local/control.js'

const STOP_MS = 15_000

export default class LocalStop extends BaseCommand<typeof LocalStop> {
  static override description = 'stop the local stack; its data stays'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override flags = {...dataDirFlag}

  async run(): Promise<{stopped: boolean; pid: number | null}> {
    const stack = await runningStack(this.localDataDir())
    if (!stack) {
      this.note('no stack is running')
      return {stopped: false, pid: null}
    }
    if (await stopStack(stack, this.flags.timeout ?? STOP_MS)) {
      this.note(`stopped the stack with pid ${stack.pid}`)
      return {stopped: true, pid: stack.pid}
    }
    throw new SkkError(`the stack with pid ${stack.pid} is still stopping`, {
      code: 'STILL_STOPPING',
      exit: 'pending',
      hint: 'Run `skk local stop` again to go on waiting.',
    })
  }
}
