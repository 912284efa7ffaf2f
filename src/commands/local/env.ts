import {Flags} from '@oclif/core'

import {BaseCommand, dataDirFlag} from '../../lib/base-command.js'
import {requireRunningStack} from '../../lib/local/control.js'
import {ENV_FORMATS, environment, renderEnv} from '../../lib/local/env.js'

export default class LocalEnv extends BaseCommand<typeof LocalEnv> {
  static override description = 'print what other tools need to use the local stack'
  static override examples = [
    {description: 'let the AWS CLI and SDKs of this shell use it', command: 'eval "$(<%= config.bin %> <%= command.id %>)"'},
    {description: 'a client.properties for Java', command: '<%= config.bin %> <%= command.id %> --format properties'},
    {description: 'flags of kcat', command: 'kcat $(<%= config.bin %> <%= command.id %> --format kcat) -L'},
  ]
  static override flags = {
    ...dataDirFlag,
    format: Flags.option({options: ENV_FORMATS, description: 'for which tool', default: 'shell'})(),
  }

  async run(): Promise<ReturnType<typeof environment>> {
    const stack = await requireRunningStack(this.localDataDir())
    this.log(renderEnv(stack, this.flags.format))
    return environment(stack)
  }
}
