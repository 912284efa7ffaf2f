import {BaseCommand} from '../../lib/base-command.js'
import {withCluster} from '../../lib/kafka/client.js'
import {type GroupSummary, listGroups} from '../../lib/kafka/groups.js'

export default class GroupsList extends BaseCommand<typeof GroupsList> {
  static override description = 'list consumer groups with their state and number of members'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    {
      description: 'those that nobody is in',
      command: `<%= config.bin %> <%= command.id %> --query "[?state=='Empty'].name"`,
    },
  ]

  async run(): Promise<GroupSummary[]> {
    const groups = await withCluster(await this.kafka(), listGroups)
    if (groups.length === 0) this.note('no groups')
    this.table(groups, {
      group: ({name}) => name,
      state: ({state}) => state ?? '-',
      members: ({members}) => members ?? '-',
    })
    if (groups.some(({state}) => state === null)) this.note('groups with "-" may be listed, but not described')
    return groups
  }
}
