import {BaseCommand} from '../../lib/base-command.js'
import {type Context, readContexts} from '../../lib/contexts/config-file.js'
import {chosenContext} from '../../lib/contexts.js'

type Row = Context & {name: string; current: boolean}

export default class ContextsList extends BaseCommand<typeof ContextsList> {
  static override description = 'list your contexts'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --query "[?current].name | [0]"',
  ]

  async run(): Promise<Row[]> {
    const {contexts} = await readContexts(this.config.configDir)
    const chosen = await chosenContext(this.flags, this.directories())
    const rows = Object.keys(contexts)
      .sort()
      .map((name): Row => ({name, current: name === chosen?.name, ...contexts[name]}))
    if (rows.length === 0) this.note('No contexts. Make one with `skk contexts set`, or run `skk local start`.')

    this.table(rows, {
      '': (row) => (row.current ? '*' : ''),
      name: (row) => row.name,
      cluster: (row) => row.cluster ?? row.bootstrap ?? '',
      region: (row) => row.region,
      auth: (row) => row.auth ?? 'iam',
      credentials: (row) =>
        typeof row.credentials === 'object' ? `profile ${row.credentials.profile}` : (row.credentials ?? 'default'),
      via: (row) => row.via,
      protected: (row) => (row.protected ? 'yes' : ''),
    })
    return rows
  }
}
