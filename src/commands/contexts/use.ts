import {Args} from '@oclif/core'

import {BaseCommand, dryRunFlag} from '../../lib/base-command.js'
import {readContexts, writeContexts} from '../../lib/contexts/config-file.js'
import {contextNamed} from '../../lib/contexts.js'

export default class ContextsUse extends BaseCommand<typeof ContextsUse> {
  static override description = 'make a context the current one'
  static override examples = ['<%= config.bin %> <%= command.id %> staging']
  static override args = {name: Args.string({description: 'name of the context'})}
  static override flags = dryRunFlag

  async run(): Promise<{current: string; previous: string | null}> {
    const {configDir} = this.config
    const before = await readContexts(configDir)
    const name = this.args.name ?? (await this.choose(Object.keys(before.contexts)))
    contextNamed(name, before, configDir)

    const previous = before.current ?? null
    if (!this.flags['dry-run']) await writeContexts(configDir, {...before, current: name})
    this.note(this.flags['dry-run'] ? `would use context "${name}"` : `using context "${name}"`)
    if (process.env.SKK_CONTEXT) this.warn(`SKK_CONTEXT is set to "${process.env.SKK_CONTEXT}" and comes first`)
    return {current: name, previous}
  }

  private async choose(names: readonly string[]): Promise<string> {
    const question = {name: 'NAME', message: 'Which context?', example: names[0] ?? 'local', choices: async () => names}
    return (await this.answers({name: question}, {cluster: false})).name!
  }
}
