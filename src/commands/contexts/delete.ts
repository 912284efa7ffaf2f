import {Args} from '@oclif/core'

import {BaseCommand, confirmationFlags, dryRunFlag} from '../../lib/base-command.js'
import {readContexts, writeContexts} from '../../lib/contexts/config-file.js'
import {contextNamed} from '../../lib/contexts.js'

export default class ContextsDelete extends BaseCommand<typeof ContextsDelete> {
  static override description = 'delete a context; its cluster stays as it is'
  static override examples = ['<%= config.bin %> <%= command.id %> staging --yes']
  static override args = {name: Args.string({description: 'name of the context'})}
  static override flags = {yes: confirmationFlags.yes, ...dryRunFlag}

  async run(): Promise<{deleted: string[]; current: string | null}> {
    const {configDir} = this.config
    const before = await readContexts(configDir)
    const name = this.args.name ?? (await this.choose(Object.keys(before.contexts)))
    contextNamed(name, before, configDir)
    const {current, ...rest} = before
    const kept = {...rest, ...(current !== undefined && current !== name && {current})}

    if (this.flags['dry-run']) {
      this.note(`would delete context "${name}"`)
      return {deleted: [], current: current ?? null}
    }
    await this.confirm(`Delete context "${name}"?`)
    const {[name]: _deleted, ...contexts} = before.contexts
    await writeContexts(configDir, {...kept, contexts})
    this.note(`deleted context "${name}"`)
    if (current === name) this.note('There is no current context now; choose one with `skk contexts use`.')
    return {deleted: [name], current: kept.current ?? null}
  }

  private async choose(names: readonly string[]): Promise<string> {
    const question = {name: 'NAME', message: 'Which context?', example: names[0] ?? 'local', choices: async () => names}
    return (await this.answers({name: question}, {cluster: false})).name!
  }
}
