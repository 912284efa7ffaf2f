import {Args} from '@oclif/core'

import {deleteFunction, getFunction} from '../../lib/aws/functions.js'
import {confirmationFlags, dryRunFlag} from '../../lib/base-command.js'
import {SkkError} from '../../lib/errors.js'
import {FunctionsCommand} from '../../lib/functions-command.js'

type Deleted = {name: string; status: 'deleted' | 'would delete'}

export default class FunctionsDelete extends FunctionsCommand<typeof FunctionsDelete> {
  static override description = `delete a Lambda function

Its mappings stay, and fail; take them away first with \`esm detach\``

  static override examples = ['<%= config.bin %> <%= command.id %> orders --yes']

  static override args = {name: Args.string({name: 'NAME', description: 'name of the function'})}

  static override flags = {...confirmationFlags, ...dryRunFlag}

  async run(): Promise<Deleted> {
    const account = await this.account()
    const name = await this.named(account, this.args.name)
    return this.withLambda(account, async (lambda) => {
      await this.acting(account)
      if (!(await getFunction(lambda, name))) {
        throw new SkkError(`there is no function "${name}"`, {
          code: 'FUNCTION_NOT_FOUND',
          exit: 'notFound',
          hint: 'Run `skk functions list` to see the functions.',
        })
      }
      if (this.flags['dry-run']) {
        this.log(`would delete function "${name}"`)
        return {name, status: 'would delete'}
      }
      await this.confirm(`Delete function "${name}"?`, {names: [name], target: account})
      await deleteFunction(lambda, name)
      this.log(`deleted function "${name}"`)
      return {name, status: 'deleted'}
    })
  }
}
